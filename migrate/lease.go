package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// lease is a worker's hold on a shard. Every claim raises the shard's fence; all
// that the worker then writes names it, and counts only while the lease runs by
// the database's clock. A lease that ran out cannot be renewed, only claimed anew.
type lease struct {
	shard
	job    string
	number int
	fence  int64
	ttl    time.Duration
	cursor []byte // nil at the beginning
	pass   int
	batch  int // rows of a batch, as the last worker found it
	counts counts
}

// claim takes a shard that is nobody's, or the owner's own: then its connection
// broke. nil: there is none.
func (db *DB) claim(ctx context.Context, job, owner string, ttl time.Duration) (*lease, error) {
	l := &lease{job: job, ttl: ttl}
	found, err := one(ctx, db.q(), `UPDATE fieldcrypt_job_shards SET owner = $2, fence = fence + 1, lease_until = {after($3)}, heartbeat_at = {now},
			throttle_reason = '', throttled_since = NULL
		WHERE job = $1 AND shard = (
			SELECT s.shard FROM fieldcrypt_job_shards s WHERE s.job = $1 AND NOT s.done
				AND (s.lease_until IS NULL OR s.lease_until < {now} OR s.owner = $2)
				AND EXISTS (SELECT 1 FROM fieldcrypt_jobs j WHERE j.id = $1 AND j.phase = 'sweeping' AND j.desired = 'run')
			ORDER BY s.shard LIMIT 1 {skip})
		RETURNING shard, relation, lo, hi, block_lo, block_hi, fence, cursor, batch_rows, counts, (SELECT pass FROM fieldcrypt_jobs j WHERE j.id = $1)`,
		[]any{job, owner, ttl.Seconds()},
		&l.number, &l.relation, &l.lo, &l.hi, &l.blockLo, &l.blockHi, &l.fence, &l.cursor, &l.batch, &l.counts, &l.pass)
	if err != nil || !found {
		return nil, err
	}
	return l, nil
}

// renew prolongs the lease, says what the worker waits for ("" for nothing) and
// for how long it has since the last time, and returns the job as the operator
// now wants it. errLost: the shard is somebody else's, or the lease ran out.
func (db *DB) renew(ctx context.Context, l *lease, reason string, waited time.Duration) (desired string, limits Limits, err error) {
	var text string
	found, err := one(ctx, db.q(), `UPDATE fieldcrypt_job_shards SET lease_until = {after($4)}, heartbeat_at = {now},
			throttled_us = throttled_us + $6, throttled_since = CASE WHEN $5 = '' THEN NULL ELSE coalesce(throttled_since, {now}) END, throttle_reason = $5
		WHERE job = $1 AND shard = $2 AND fence = $3 AND lease_until > {now}
		RETURNING (SELECT desired FROM fieldcrypt_jobs j WHERE j.id = $1), (SELECT `+limitsInForce+` FROM fieldcrypt_jobs j WHERE j.id = $1)`,
		[]any{l.job, l.number, l.fence, l.ttl.Seconds(), reason, waited.Microseconds()}, &desired, &text)
	switch {
	case err != nil:
		return "", Limits{}, err
	case !found:
		return "", Limits{}, errLost
	}
	if err := json.Unmarshal([]byte(text), &limits); err != nil {
		return "", Limits{}, fmt.Errorf("job %s: its limits: %w", l.job, err)
	}
	return desired, limits, nil
}

// extend prolongs the lease and changes nothing else. Failing to is seen elsewhere.
func (db *DB) extend(ctx context.Context, l *lease) {
	db.q().exec(ctx, `UPDATE fieldcrypt_job_shards SET lease_until = {after($4)}, heartbeat_at = {now}
		WHERE job = $1 AND shard = $2 AND fence = $3 AND lease_until > {now}`, l.job, l.number, l.fence, l.ttl.Seconds())
}

// release gives the shard back at once. Failing to is no harm: the lease ends by itself.
func (db *DB) release(ctx context.Context, l *lease) {
	db.q().exec(ctx, `UPDATE fieldcrypt_job_shards SET owner = '', lease_until = NULL, throttle_reason = '', throttled_since = NULL
		WHERE job = $1 AND shard = $2 AND fence = $3`, l.job, l.number, l.fence)
}

// shardDone ends the shard's part of the pass.
func (db *DB) shardDone(ctx context.Context, l *lease) error {
	n, err := db.q().exec(ctx, `UPDATE fieldcrypt_job_shards SET done = true, owner = '', lease_until = NULL
		WHERE job = $1 AND shard = $2 AND fence = $3 AND lease_until > {now}`, l.job, l.number, l.fence)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}
