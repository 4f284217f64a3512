package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are for one call of [Work]. The zero value is two workers.
type Options struct {
	// Workers is how many shards are worked on at once. Defaults to 2; SQLite has 1.
	Workers int
	// Lease is how long a shard stays a worker's that gives no sign of life.
	// Defaults to 30 s.
	Lease time.Duration
	// Actor stands in the events that this process records. Defaults to the
	// host's name and the process id, as does the owner of leases.
	Actor string
	// Logger hears of what is tried again: connections that broke and the like, by
	// SQLSTATE. Defaults to none.
	Logger *slog.Logger
}

func (o Options) withDefaults(d dialect) Options {
	if o.Workers <= 0 {
		o.Workers = 2
	}
	if d == sqlite {
		o.Workers = 1
	}
	o.Lease = orDefault(o.Lease, 30*time.Second)
	if o.Actor == "" {
		host, _ := os.Hostname()
		o.Actor = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	return o
}

// Work does a job's passes until one changes nothing, together with all others
// that do; nil: the job is swept. ErrFailures: it is, but rows could not be
// rewritten. ErrIncomplete: the context ended or the job was paused or cancelled;
// the batch at hand was finished and the leases were given back. A database that
// does not answer is waited for, as long as ctx allows.
func Work(ctx context.Context, db *DB, id string, rw Rewriter, o Options) error {
	o = o.withDefaults(db.dialect)
	job, err := Load(ctx, db, id)
	if err != nil {
		return err
	}
	if err := job.accepts(rw); err != nil {
		return err
	}
	// One worker's error stops the others, after their batch.
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, o.Workers)
	pace := &pace{}
	var wg sync.WaitGroup
	for i := range errs {
		w := &worker{pace: pace, db: db, job: job, rw: rw, options: o, limits: job.Limits, owner: o.Actor + "/" + strings.ToLower(rand.Text()[:8])}
		wg.Go(func() {
			if errs[i] = w.loop(stop); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	var incomplete error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			if !errors.Is(err, ErrIncomplete) {
				return err
			}
			incomplete = err
		}
	}
	if incomplete != nil {
		return incomplete
	}
	if err := ctx.Err(); err != nil {
		return &Incomplete{Job: id, Cause: err}
	}
	return db.openFailures(ctx, id)
}

// worker works on one shard at a time.
type worker struct {
	db      *DB
	job     *Job
	rw      Rewriter
	options Options
	owner   string
	limits  Limits
	signals signals
	pace    *pace // of all workers of the process
}

// loop claims shards until the sweep has ended.
func (w *worker) loop(ctx context.Context) error {
	var back backoff
	for {
		if err := ctx.Err(); err != nil {
			return &Incomplete{Job: w.job.ID, Cause: err}
		}
		more, err := w.step(ctx)
		switch {
		case err == nil && !more:
			return nil
		case err == nil:
			back.reset()
		case errors.Is(err, errLost):
		case ctx.Err() == nil && passing(err) && !(lasting(err) && back.next == maxBackoff):
			if log := w.options.Logger; log != nil {
				log.WarnContext(ctx, "migrate: a shard is tried again", "job", w.job.ID, "cause", cause(err))
			}
			back.wait(ctx)
		case ctx.Err() != nil && !errors.Is(err, ErrIncomplete):
			return &Incomplete{Job: w.job.ID, Cause: ctx.Err()}
		default:
			return err
		}
	}
}

// step does one shard, or finds out what there is to do instead.
func (w *worker) step(ctx context.Context) (more bool, err error) {
	l, err := w.db.claim(ctx, w.job.ID, w.owner, w.options.Lease)
	if err != nil {
		return true, err
	}
	if l != nil {
		defer w.db.release(context.WithoutCancel(ctx), l) // does nothing to a shard that is done
		err := w.shard(ctx, l)
		if errors.Is(err, ErrTableGone) && w.dropped(ctx, l) {
			err = w.db.shardDone(context.WithoutCancel(ctx), l)
		}
		return true, err
	}
	job, err := Load(ctx, w.db, w.job.ID)
	switch {
	case err != nil:
		return true, err
	case job.Phase == PhaseCancelled:
		return true, &Incomplete{Job: job.ID, Cause: ErrCancelled}
	case job.Phase != PhaseSweeping:
		return false, nil
	case job.Desired == "pause":
		return true, &Incomplete{Job: job.ID, Cause: ErrPaused}
	}
	if more, err = w.db.finishPass(ctx, job, w.options.Actor); more && err == nil {
		sleep(ctx, min(w.options.Lease/4, 200*time.Millisecond)) // others are still at their shards
	}
	return more, err
}

// shard walks one shard to its end.
func (w *worker) shard(ctx context.Context, l *lease) error {
	walk, err := w.open(ctx, l)
	if err != nil {
		return err
	}
	// A rewrite may last: the lease is renewed meanwhile.
	keep, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	go w.keepAlive(keep, l)
	for {
		last, err := walk.window(ctx)
		if err != nil {
			return err
		}
		if last {
			return w.db.shardDone(context.WithoutCancel(ctx), l)
		}
	}
}

// dropped reports whether the shard's table was a part of the job's, and is no more.
func (w *worker) dropped(ctx context.Context, l *lease) bool {
	_, leaves, err := w.db.relations(ctx, w.job.Target)
	return err == nil && l.relation != w.job.Target && !slices.Contains(leaves, l.relation)
}

// keepAlive renews the lease until ctx ends. That the lease is lost shows in the
// next statement of the walk.
func (w *worker) keepAlive(ctx context.Context, l *lease) {
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.db.extend(ctx, l)
		}
	}
}

// passing reports whether an error is the database's or the rewriter's for now:
// broken connections, shutdowns, no resources, read-only while a replica takes over.
func passing(err error) bool {
	if errors.Is(err, ErrRetry) {
		return true
	}
	if errors.Is(err, errRewriter) || errors.Is(err, ErrIncomplete) || errors.Is(err, ErrTableGone) || errors.Is(err, ErrRefused) || errors.Is(err, ErrTampered) {
		return false
	}
	switch code := sqlState(err); {
	case code == "":
		return broken(err)
	default:
		switch code[:2] {
		case "08", "53", "57", "58", "XX":
			return true
		}
		return code == "25006" || code == "0A000" || code == "26000" || code == "55P03" || code == "40P01" || code == "40001"
	}
}

// lasting reports whether an error that may pass is not worth more than a few
// tries: those that say that something is wrong inside of Postgres, or with a
// statement that was prepared.
func lasting(err error) bool {
	switch code := sqlState(err); code {
	case "", "57P01", "57P02", "57P03":
		return false
	default:
		return code[:2] == "XX" || code[:2] == "58" || code == "0A000" || code == "26000" || code == "57014"
	}
}

// cause names an error without what Postgres says, which may quote a value.
func cause(err error) string {
	if code := sqlState(err); code != "" {
		return "SQLSTATE " + code
	}
	return err.Error()
}

const maxBackoff = 5 * time.Second

// backoff waits 50 ms, then twice as long each time, up to 5 s.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) wait(ctx context.Context) {
	b.next = min(max(2*b.next, 50*time.Millisecond), maxBackoff)
	sleep(ctx, b.next)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
