-- name: CreatePatient :one
INSERT INTO patients (id, ward, mrn, mrn_bidx, notes)
VALUES ($1, $2, $3, $4, $5)
RETURNING *;

-- name: CopyPatients :copyfrom
INSERT INTO patients (id, ward, mrn, mrn_bidx, notes)
VALUES ($1, $2, $3, $4, $5);

-- name: AddVisits :batchone
INSERT INTO visits (patient_id, reason)
VALUES ($1, $2)
RETURNING *;

-- name: GetPatient :one
SELECT * FROM patients WHERE id = $1;

-- name: ListPatients :many
SELECT * FROM patients ORDER BY id;

-- name: FindPatients :many
SELECT * FROM patients WHERE mrn_bidx = ANY(sqlc.arg(terms)::bytea[]) ORDER BY id;

-- name: ChangeMRN :execrows
UPDATE patients SET mrn = $2, mrn_bidx = $3 WHERE id = $1;

-- name: AppendNotes :exec
UPDATE patients SET notes = coalesce(sqlc.narg(notes), notes) WHERE id = $1;

-- name: ListVisits :many
SELECT p.mrn AS number, p.ward, v.reason
FROM visits v JOIN patients p ON p.id = v.patient_id
ORDER BY v.id;
