package migrate

import (
	"context"
	"fmt"
	"time"
)

// Failure is a row that could not be rewritten.
type Failure struct {
	Relation string    `json:"relation"`
	Key      string    `json:"key"`   // a JSON array of the key's columns as text
	Class    string    `json:"class"` // what is wrong, never a value
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	// Resolution is "" for an open failure, "waived", or "gone": a later pass over
	// the whole table did not fail on the row.
	Resolution string `json:"resolution,omitempty"`
	ResolvedBy string `json:"resolved_by,omitempty"`
}

// Failures returns at most limit failures of a job, open ones first.
func Failures(ctx context.Context, db *DB, job string, limit int) ([]Failure, error) {
	var list []Failure
	err := db.q().query(ctx, `SELECT relation, key_text, class, attempts, first_at, last_at, resolution, resolved_by FROM fieldcrypt_job_failures
		WHERE job = $1 ORDER BY CASE resolution WHEN '' THEN 0 ELSE 1 END, first_at, relation, key LIMIT $2`, []any{job, limit},
		func(scan func(...any) error) error {
			var f Failure
			var first, last stamp
			err := scan(&f.Relation, &f.Key, &f.Class, &f.Attempts, &first, &last, &f.Resolution, &f.ResolvedBy)
			f.First, f.Last = first.Time, last.Time
			list = append(list, f)
			return err
		})
	return list, err
}

// Retry walks the table once more, to try the rows again that failed.
func Retry(ctx context.Context, db *DB, job, actor string) error {
	return Advance(ctx, db, job, PhaseSwept, PhaseSweeping, actor, map[string]string{"why": "retry"})
}

// Waive accepts that the open failures of a class ("" for every class) stay as
// they are, and returns how many. A row that later fails with another class is
// open again.
func Waive(ctx context.Context, db *DB, job, class, actor, reason string) (int64, error) {
	var n int64
	err := db.tx(ctx, func(q querier) (err error) {
		n, err = q.exec(ctx, `UPDATE fieldcrypt_job_failures SET resolution = 'waived', resolved_by = $3
			WHERE job = $1 AND resolution = '' AND (class = $2 OR $2 = '')`, job, class, actor)
		if err != nil {
			return err
		}
		return record(ctx, q, job, actor, "waived", map[string]any{"class": class, "rows": n, "reason": reason})
	})
	return n, err
}

// settle closes the failures that a whole pass did not see again: their rows
// were repaired or deleted.
func settle(ctx context.Context, q querier, job string, pass int) error {
	_, err := q.exec(ctx, `UPDATE fieldcrypt_job_failures SET resolution = 'gone' WHERE job = $1 AND pass < $2 AND resolution = ''`, job, pass)
	return err
}

// openFailures is ErrFailures if the job has any.
func (db *DB) openFailures(ctx context.Context, job string) error {
	var n int64
	if _, err := one(ctx, db.q(), `SELECT count(*) FROM fieldcrypt_job_failures WHERE job = $1 AND resolution = ''`, []any{job}, &n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("job %s: %d rows: %w", job, n, ErrFailures)
	}
	return nil
}

// failed is a row for the failure table.
type failed struct {
	key   [][]byte
	class string
}

// upsertFailure ends the statements that add failures.
const upsertFailure = ` ON CONFLICT (job, relation, key) DO UPDATE SET class = excluded.class, pass = excluded.pass,
	attempts = fieldcrypt_job_failures.attempts + 1, last_at = excluded.last_at,
	resolution = CASE WHEN fieldcrypt_job_failures.resolution = 'waived' AND fieldcrypt_job_failures.class = excluded.class THEN 'waived' ELSE '' END`
