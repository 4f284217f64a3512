CREATE TABLE patients (
	id   bigint PRIMARY KEY,
	ward text NOT NULL
);

CREATE TABLE visits (
	id         bigserial PRIMARY KEY,
	patient_id bigint NOT NULL REFERENCES patients
);
