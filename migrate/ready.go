package migrate

import (
	"context"
	"time"
)

// ready returns when the shard may be worked on: at once if that was so a moment
// ago; else after the lease was renewed, the operator's wishes read and every
// signal found fine. What it waits for stands in the shard's row.
func (k *walk) ready(ctx context.Context) error {
	if time.Since(k.renewed) < min(controlled, k.lease.ttl/4) {
		return ctx.Err()
	}
	for waited := time.Duration(0); ; {
		reason := k.signals.reason(ctx, k.db, k.limits)
		desired, limits, err := k.db.renew(ctx, k.lease, reason, waited)
		if err != nil {
			return err
		}
		k.limits, k.renewed = limits, time.Now()
		switch desired {
		case "pause":
			return &Incomplete{Job: k.job.ID, Cause: ErrPaused}
		case "cancel":
			return &Incomplete{Job: k.job.ID, Cause: ErrCancelled}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if reason == "" {
			return nil
		}
		began := time.Now()
		sleep(ctx, min(controlled, k.lease.ttl/4))
		waited = time.Since(began)
	}
}
