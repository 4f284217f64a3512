package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Limits say how hard a job may press on the database. Each may be changed while
// it runs ([Set]). The zero value is a batch of 10 ms and no other limit; but while
// others write in more than 100 transactions a second on the server, the workers of a
// process take turns, with batches of 2 ms and rests of 0.3 times the work. Where
// BatchTarget or Nice is set, they do as they are told.
type Limits struct {
	// BatchTarget is what one batch should take. Defaults to 10 ms, 2 ms beside others.
	BatchTarget time.Duration `json:"batch_target,omitempty"`
	// LockTimeout is how long a batch waits for rows that others hold. It must be
	// far below Postgres's deadlock_timeout (1 s). Defaults to 5 ms.
	LockTimeout time.Duration `json:"lock_timeout,omitempty"`
	// Nice is how long to rest after each batch, in times of what it took. Defaults to
	// 0, 0.3 beside others.
	Nice float64 `json:"nice,omitempty"`
	// MaxLag is how far the slowest streaming replica may be behind. A server
	// without replicas, or a role that may not see them, counts as too far.
	MaxLag time.Duration `json:"max_lag,omitempty"`
	// MaxWAL is how many bytes of WAL a second the whole server may write.
	MaxWAL int64 `json:"max_wal,omitempty"`
	// MaxWaiting is how many sessions may wait for locks.
	MaxWaiting *int `json:"max_waiting,omitempty"`
	// MaxActive is how many sessions other than the migrator's may be at work.
	MaxActive *int `json:"max_active,omitempty"`
	// Windows are times of the day, in UTC by the database's clock, outside of
	// which nothing is done: "22:00-05:30".
	Windows []string `json:"windows,omitempty"`
	// Probe is a query of the operator's, one row of one text: "" to go on, else
	// what to wait for. No row, NULL or an error is a reason to wait.
	Probe string `json:"probe,omitempty"`
}

func (l Limits) batchTarget() time.Duration { return orDefault(l.BatchTarget, 10*time.Millisecond) }
func (l Limits) lockTimeout() time.Duration { return orDefault(l.LockTimeout, 5*time.Millisecond) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Check is ErrRefused if a limit cannot be, as [Start] and [Set] say too.
func (l Limits) Check() error {
	if l.BatchTarget < 0 || l.LockTimeout < 0 || l.LockTimeout > 500*time.Millisecond || l.Nice < 0 || l.MaxLag < 0 || l.MaxWAL < 0 {
		return fmt.Errorf("limits: a number is out of range (lock_timeout: at most 500 ms): %w", ErrRefused)
	}
	for _, w := range l.Windows {
		if _, _, err := parseWindow(w); err != nil {
			return err
		}
	}
	return nil
}

// limitsInForce are the limits of a job j, until those that were set expire.
const limitsInForce = `CASE WHEN j.limits_until < {now} THEN j.base_limits ELSE j.limits END`

// Set gives a job other limits, for good or, where d is not 0, for so long. Workers
// obey within a second.
func Set(ctx context.Context, db *DB, id string, limits Limits, d time.Duration, actor string) error {
	if err := limits.Check(); err != nil {
		return err
	}
	text, err := json.Marshal(limits)
	if err != nil {
		return err
	}
	sql := `UPDATE fieldcrypt_jobs SET limits = $2, base_limits = $2, limits_until = NULL WHERE id = $1 AND finished_at IS NULL`
	args := []any{id, string(text)}
	if d > 0 {
		sql = `UPDATE fieldcrypt_jobs SET limits = $2, limits_until = {after($3)} WHERE id = $1 AND finished_at IS NULL`
		args = append(args, d.Seconds())
	}
	return db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, sql, args...)
		return changed(ctx, q, id, actor, "limits", map[string]any{"limits": limits, "for": d.String()}, n, err)
	})
}
