package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Status is how far a job is.
type Status struct {
	Job       string  `json:"job"`
	Kind      string  `json:"kind"`
	Target    string  `json:"target"`
	Phase     string  `json:"phase"`
	Desired   string  `json:"desired"`
	Pass      int     `json:"pass"`
	Rows      int64   `json:"rows_estimate"`
	Created   string  `json:"created_at"`
	Now       string  `json:"now"`
	Events    int64   `json:"events"`
	Limits    Limits  `json:"limits"`
	Shards    []Shard `json:"shards"`
	Scanned   int64   `json:"scanned"` // in all passes
	Changed   int64   `json:"changed"`
	Conflicts int64   `json:"conflicts"`
	Failed    int64   `json:"failed"`
	// RowsPerSecond is what the workers scan while they are at work, all of them
	// together; 0 before the first batch.
	RowsPerSecond float64 `json:"rows_per_second"`
	// Snapshot is for how long the oldest transaction of the database has been open,
	// in seconds, as far as this role may see (pg_monitor sees all). While it is, no
	// old row can be cleared away: a long one makes the table, and all others, grow.
	Snapshot float64 `json:"oldest_snapshot_age"`
	// Failures are the open and the waived ones by class; gone ones are left out.
	Failures []FailureCount `json:"failures"`
}

// Shard is one range of a table and who works on it.
type Shard struct {
	Shard        int     `json:"shard"`
	Relation     string  `json:"relation"`
	Done         bool    `json:"done"` // in this pass
	Owner        string  `json:"owner,omitempty"`
	Fence        int64   `json:"fence"`
	Heartbeat    float64 `json:"heartbeat_age"` // seconds since the worker's last sign of life
	Lease        float64 `json:"lease_left"`    // seconds; below 0 it may be taken over
	Scanned      int64   `json:"scanned"`
	Changed      int64   `json:"changed"`
	Conflicts    int64   `json:"conflicts"`
	Failed       int64   `json:"failed"`
	BusyMicros   int64   `json:"busy_us"`
	WaitMicros   int64   `json:"throttled_us"`
	Reason       string  `json:"throttle_reason,omitempty"` // what it waits for: a healthy state
	WaitingSince string  `json:"throttled_since,omitempty"`
	BatchRows    int     `json:"batch_rows"`
}

// FailureCount is how many rows failed in one way.
type FailureCount struct {
	Class      string `json:"class"`
	Resolution string `json:"resolution,omitempty"`
	Rows       int64  `json:"rows"`
}

const oldestSnapshot = `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8 FROM pg_stat_activity
	WHERE datname = current_database() AND pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)`

// Read returns a job's status.
func Read(ctx context.Context, db *DB, job string) (*Status, error) {
	age := func(column string) string {
		if db.dialect == sqlite {
			return "coalesce((julianday('now') - julianday(" + column + ")) * 86400, 0)"
		}
		return "coalesce(extract(epoch FROM clock_timestamp() - " + column + "), 0)"
	}
	sql := `SELECT j.kind, j.target, j.phase, j.desired, j.pass, j.rows_estimate, j.created_at, {now}, j.events, ` + limitsInForce + `,
		(SELECT {agg}({object}('shard', s.shard, 'relation', s.relation, 'n', CASE WHEN s.done THEN 1 ELSE 0 END, 'owner', s.owner, 'fence', s.fence,
			'heartbeat_age', ` + age("s.heartbeat_at") + `, 'lease_left', -` + age("s.lease_until") + `, 'scanned', s.scanned, 'changed', s.changed,
			'conflicts', s.conflicts, 'failed', s.failed, 'busy_us', s.busy_us, 'throttled_us', s.throttled_us, 'throttle_reason', s.throttle_reason,
			'throttled_since', s.throttled_since, 'batch_rows', s.batch_rows))
			FROM (SELECT * FROM fieldcrypt_job_shards WHERE job = j.id ORDER BY shard) s),
		(SELECT {agg}({object}('class', f.class, 'resolution', f.resolution, 'rows', f.n))
			FROM (SELECT class, resolution, count(*) AS n FROM fieldcrypt_job_failures WHERE job = j.id AND resolution <> 'gone' GROUP BY class, resolution ORDER BY class, resolution) f)
		FROM fieldcrypt_jobs j WHERE j.id = $1`
	s := &Status{Job: job}
	var created, now stamp
	var limits string
	var shards, failures *string
	found, err := one(ctx, db.q(), sql, []any{job}, &s.Kind, &s.Target, &s.Phase, &s.Desired, &s.Pass, &s.Rows, &created, &now, &s.Events, &limits, &shards, &failures)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%s: %w", job, ErrJobNotFound)
	}
	if db.dialect == postgres {
		if _, err := one(ctx, db.q(), oldestSnapshot, nil, &s.Snapshot); err != nil {
			return nil, err
		}
	}
	s.Created, s.Now = created.Format(time.RFC3339), now.Format(time.RFC3339)
	var list []struct {
		Shard
		N int `json:"n"` // SQLite has no boolean
	}
	for _, part := range []struct {
		text *string
		into any
	}{{&limits, &s.Limits}, {shards, &list}, {failures, &s.Failures}} {
		if part.text == nil {
			continue
		}
		if err := json.Unmarshal([]byte(*part.text), part.into); err != nil {
			return nil, fmt.Errorf("job %s: its status: %w", job, err)
		}
	}
	for _, sh := range list {
		sh.Done = sh.N == 1
		s.Shards = append(s.Shards, sh.Shard)
		s.Scanned += sh.Scanned
		s.Changed += sh.Changed
		s.Conflicts += sh.Conflicts
		s.Failed += sh.Failed
		if sh.Owner != "" && sh.BusyMicros > 0 {
			s.RowsPerSecond += float64(sh.Scanned) / float64(sh.BusyMicros) * 1e6
		}
	}
	return s, nil
}

// List returns the jobs, newest first; live ones alone if asked.
func List(ctx context.Context, db *DB, live bool) ([]string, error) {
	var ids []string
	err := db.q().query(ctx, `SELECT id FROM fieldcrypt_jobs WHERE finished_at IS NULL OR NOT $1 ORDER BY created_at DESC, id`, []any{live}, func(scan func(...any) error) error {
		ids = append(ids, "")
		return scan(&ids[len(ids)-1])
	})
	return ids, err
}
