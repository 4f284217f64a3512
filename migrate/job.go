package migrate

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Spec is what a job does. It is frozen when the job starts: a worker whose
// Rewriter says otherwise is refused.
type Spec struct {
	Kind  string `json:"kind"`  // "reencrypt", "verify": a word of the caller's
	Table string `json:"table"` // as a statement would name it; a table, or the parent of partitions
	// Params are what the caller needs to make the Rewriter again.
	Params json.RawMessage `json:"params,omitempty"`
	// Shards is into how many ranges the table is cut, the most workers that it can
	// have; 0: one for each 25,000 rows, at most 16. More for partitions.
	Shards int `json:"shards,omitempty"`
	// Scan is "key" for the order of the key, "heap" for that of the pages in the
	// first pass (Postgres 14 or later), "" to choose: heap where keys are random.
	Scan string `json:"scan,omitempty"`
	// Order is how a window's rows are spread over batches: "plain", "interleaved",
	// or "" to choose: interleaved where no written column has an index.
	Order string `json:"order,omitempty"`

	// From the Rewriter.
	Reads  []string `json:"reads"`
	Writes []string `json:"writes"`
	Todo   string   `json:"todo"`
}

// The phases that the engine knows. Others are the caller's: see [Advance].
const (
	PhaseSweeping  = "sweeping"  // rows are walked, pass by pass
	PhaseSwept     = "swept"     // a pass changed nothing and met no conflict
	PhaseDone      = "done"      // finished; the table is free for another job of this kind
	PhaseCancelled = "cancelled" // finished, too
)

// Job is a job as it was stored.
type Job struct {
	ID      string
	Target  string // the table's full name, quoted
	Spec    Spec
	Phase   string
	Pass    int
	Desired string // "run", "pause" or "cancel"
	Limits  Limits // in force
	Rows    int64  // estimate when the job started
	Created time.Time
}

// Start freezes a job and cuts its table into shards. Nothing is rewritten yet.
// A table that cannot be walked (no primary key and no other unique index over
// columns that are NOT NULL, row security, foreign partitions, a missing column)
// is ErrRefused; a second live job of the kind on the table is ErrJobExists.
func Start(ctx context.Context, db *DB, spec Spec, rw Rewriter, limits Limits, actor string) (*Job, error) {
	spec.Reads, spec.Writes, spec.Todo = rw.Reads(), rw.Writes(), rw.Todo()
	if err := limits.Check(); err != nil {
		return nil, err
	}
	target, leaves, err := db.relations(ctx, spec.Table)
	if err != nil {
		return nil, err
	}
	job := &Job{ID: strings.ToLower(rand.Text()[:16]), Target: target, Spec: spec}
	var shards []shard
	for _, leaf := range leaves {
		r, err := db.relation(ctx, leaf, &spec)
		if err != nil {
			return nil, err
		}
		if err := rw.Bind(r.reads, r.writes); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", leaf, ErrRefused, err)
		}
		cut, err := db.cut(ctx, r, &spec)
		if err != nil {
			return nil, err
		}
		shards = append(shards, cut...)
		job.Rows += int64(r.rows)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(text)
	bounds, err := json.Marshal(limits)
	if err != nil {
		return nil, err
	}
	err = db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `INSERT INTO fieldcrypt_jobs (id, kind, target, spec, spec_hash, phase, limits, base_limits, rows_estimate, created_by, created_at, head)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, {now}, $5) ON CONFLICT (target, kind) WHERE finished_at IS NULL DO NOTHING`,
			job.ID, spec.Kind, target, string(text), hash[:], PhaseSweeping, string(bounds), job.Rows, actor)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s of %s: %w", spec.Kind, target, ErrJobExists)
		}
		for i, s := range shards {
			if err := s.insert(ctx, q, job.ID, i); err != nil {
				return err
			}
		}
		return record(ctx, q, job.ID, actor, "started", map[string]any{"kind": spec.Kind, "target": target, "shards": len(shards), "rows": job.Rows})
	})
	if err != nil {
		return nil, err
	}
	return Load(ctx, db, job.ID)
}

// Load reads a job. ErrTampered: its spec does not have the hash that was stored.
// ErrSpecChanged: the spec says what this version does not know.
func Load(ctx context.Context, db *DB, id string) (*Job, error) { return load(ctx, db.q(), id, "") }

func load(ctx context.Context, q querier, id, lock string) (*Job, error) {
	j := &Job{ID: id}
	var spec, limits string
	var hash []byte
	var created stamp
	found, err := one(ctx, q, `SELECT target, spec, spec_hash, phase, pass, desired, rows_estimate, created_at, `+limitsInForce+`
		FROM fieldcrypt_jobs j WHERE id = $1 `+lock, []any{id}, &j.Target, &spec, &hash, &j.Phase, &j.Pass, &j.Desired, &j.Rows, &created, &limits)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%s: %w", id, ErrJobNotFound)
	}
	j.Created = created.Time
	if h := sha256.Sum256([]byte(spec)); !bytes.Equal(h[:], hash) {
		return nil, fmt.Errorf("job %s: its spec does not have its hash: %w", id, ErrTampered)
	}
	d := json.NewDecoder(strings.NewReader(spec))
	d.DisallowUnknownFields() // a later version's, which would be ignored
	if err := d.Decode(&j.Spec); err != nil {
		return nil, fmt.Errorf("job %s was started by another version, which must end it: %w: %w", id, ErrSpecChanged, err)
	}
	if err := json.Unmarshal([]byte(limits), &j.Limits); err != nil {
		return nil, fmt.Errorf("job %s: %w: %w", id, ErrTampered, err)
	}
	return j, nil
}

// accepts refuses a Rewriter that is not the one of the job's spec.
func (j *Job) accepts(rw Rewriter) error {
	if !slices.Equal(j.Spec.Reads, rw.Reads()) || !slices.Equal(j.Spec.Writes, rw.Writes()) || j.Spec.Todo != rw.Todo() {
		return fmt.Errorf("job %s: columns or condition: %w", j.ID, ErrSpecChanged)
	}
	return nil
}

// Pause makes workers stop after the batch that they are at, until [Resume].
func Pause(ctx context.Context, db *DB, id, actor string) error {
	return db.desire(ctx, id, actor, "pause", "paused")
}

// Resume undoes [Pause]. Workers have to be started again.
func Resume(ctx context.Context, db *DB, id, actor string) error {
	return db.desire(ctx, id, actor, "run", "resumed")
}

// Cancel makes workers stop for good. What was rewritten stays so.
func Cancel(ctx context.Context, db *DB, id, actor string) error {
	return db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET desired = 'cancel', phase = $2, finished_at = {now} WHERE id = $1 AND finished_at IS NULL`, id, PhaseCancelled)
		return changed(ctx, q, id, actor, "cancelled", nil, n, err)
	})
}

func (db *DB) desire(ctx context.Context, id, actor, desired, event string) error {
	return db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET desired = $2 WHERE id = $1 AND finished_at IS NULL`, id, desired)
		return changed(ctx, q, id, actor, event, nil, n, err)
	})
}

// changed records an event if a statement changed the job, and says why not
// otherwise.
func changed(ctx context.Context, q querier, id, actor, event string, detail any, n int64, err error) error {
	if err != nil {
		return err
	}
	if n > 0 {
		return record(ctx, q, id, actor, event, detail)
	}
	j, err := load(ctx, q, id, "")
	if err != nil {
		return err
	}
	return fmt.Errorf("job %s is %s: %w", id, j.Phase, ErrWrongPhase)
}

// Advance moves a job from one phase to another and records it with its detail:
// ErrWrongPhase if it is not in from. Into PhaseSweeping, the table is walked once
// more; into PhaseDone, the job is finished.
func Advance(ctx context.Context, db *DB, id, from, to, actor string, detail any) error {
	return db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET phase = $3, finished_at = CASE WHEN $4 THEN {now} END
			WHERE id = $1 AND phase = $2 AND finished_at IS NULL`, id, from, to, to == PhaseDone)
		if err == nil && n > 0 && to == PhaseSweeping {
			err = again(ctx, q, id)
		}
		return changed(ctx, q, id, actor, to, detail, n, err)
	})
}
