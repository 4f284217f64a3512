package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// rows is a shard's table: what the engine asks of a database beside the tables
// of its own.
type rows interface {
	// readWindow reads about n rows from the lease's cursor on.
	readWindow(ctx context.Context, l *lease, n int, o settings) (*window, error)
	// writeBatch changes what is still as it was read, together with cursor and
	// counters, or is errLost. skipLocked leaves out what others hold.
	writeBatch(ctx context.Context, l *lease, b *batch, o settings, skipLocked bool) (int64, error)
	addFailures(ctx context.Context, l *lease, list []failed, o settings) error
	perPage() int
}

// walk is a worker's way through a shard.
type walk struct {
	*worker
	lease       *lease
	rows        rows
	size        *sizer
	interleaved bool
	stretch     int // how many times more rows are read than are worth batches: few need work
	rowBytes    int
	renewed     time.Time
	busy        time.Duration // since the last batch that told of it
	back, held  backoff
}

const (
	maxStretch  = 64
	maxWindow   = 16_000 // rows
	controlled  = 250 * time.Millisecond
	readTimeout = 30 * time.Second
)

func (w *worker) open(ctx context.Context, l *lease) (*walk, error) {
	r, err := w.db.relation(ctx, l.relation, &w.job.Spec)
	if err != nil {
		return nil, err
	}
	if err := w.rw.Bind(r.reads, r.writes); err != nil {
		return nil, err
	}
	k := &walk{worker: w, lease: l, size: newSizer(l.batch), stretch: 1, rowBytes: 1}
	k.interleaved = w.job.Spec.Order == "interleaved" || w.job.Spec.Order == "" && !r.indexed
	if k.rows, err = w.db.rows(r, &w.job.Spec, l.pass == 1 && l.blockLo != nil); err != nil {
		return nil, err
	}
	return k, k.ready(ctx)
}

// answered is for one statement: what has begun is finished even if the worker is
// told to stop, unless the database does not answer at all.
func answered(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*readTimeout)
}

func (k *walk) settings(lock, statement time.Duration) settings {
	return settings{lock: lock, statement: statement, name: "fieldcrypt migrate " + k.job.ID}
}

// window does one stretch of the shard: reads it, then rewrites and writes batch
// by batch, so that nobody has to wait for long.
func (k *walk) window(ctx context.Context) (last bool, err error) {
	end, began := k.begin(ctx), time.Now()
	w, err := k.read(ctx)
	k.busy += time.Since(began)
	end()
	if err != nil {
		return false, err
	}
	w.counts = k.lease.counts.clone()
	batches := spread(w.rows, k.size.rows, k.interleaved)
	if len(batches) == 0 {
		batches = [][]Row{nil}
	}
	for i, rows := range batches {
		b := &batch{rows: rows, size: k.size.rows}
		if i == len(batches)-1 {
			b.cursor, b.scanned = w.cursor, w.scanned
		}
		if err := k.batch(ctx, w, b); err != nil {
			return false, err
		}
	}
	k.lease.cursor, k.lease.counts = w.cursor, w.counts
	return w.last, nil
}

// read reads a window of as many rows as fit into memory and have enough to do.
func (k *walk) read(ctx context.Context) (*window, error) {
	for {
		n := min(k.size.rows*k.rows.perPage()*k.stretch, maxWindow, max(windowBytes/k.rowBytes, 1))
		op, cancel := answered(ctx)
		w, err := k.rows.readWindow(op, k.lease, n, k.settings(k.limits.lockTimeout(), readTimeout))
		cancel()
		if (errors.Is(err, errTooMuch) || sqlState(err) == "57014") && n > 1 {
			k.stretch, k.rowBytes = 1, max(2*k.rowBytes, 2*windowBytes/n)
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(w.rows) > 0 {
			k.rowBytes = max(w.bytes/len(w.rows), k.rowBytes/2, 1)
		}
		if 2*len(w.rows) < int(w.scanned) {
			k.stretch = min(2*k.stretch, maxStretch)
		} else {
			k.stretch = 1
		}
		return w, nil
	}
}

// batch waits until it may do one batch, does, and rests.
func (k *walk) batch(ctx context.Context, w *window, b *batch) error {
	if err := k.ready(ctx); err != nil {
		return err
	}
	k.pace.look(ctx, k.db)
	defer k.begin(ctx)()
	began := time.Now()
	bad, err := k.rewrite(ctx, w, b)
	if err == nil && len(bad) > 0 {
		err = k.addFailures(ctx, bad)
	}
	if err != nil {
		return err
	}
	if w.failed += int64(len(bad)); b.cursor != nil {
		b.failed, b.counts = w.failed, w.counts
	}
	k.busy += time.Since(began)
	if len(b.rows) > 0 || b.cursor != nil {
		now, n := time.Now(), len(b.rows)
		b.took, k.busy = k.busy, 0
		if err := k.write(ctx, b, false); err != nil {
			return err
		}
		k.busy = time.Since(now)
		k.size.note(n, k.busy, k.target())
	}
	return nil
}

// rewrite leaves in a batch what is to be written, and returns what failed. It is
// tried again for as long as the rewriter asks to.
func (k *walk) rewrite(ctx context.Context, w *window, b *batch) (bad []failed, err error) {
	for err = k.rw.Rewrite(ctx, b.rows); errors.Is(err, ErrRetry); err = k.rw.Rewrite(ctx, b.rows) {
		if err := k.later(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRewriter, err)
	}
	k.back.reset()
	todo := b.rows[:0]
	for _, r := range b.rows {
		w.counts = w.counts.plus(r.Count)
		switch {
		case r.Failed != "":
			bad = append(bad, failed{r.Key, r.Failed})
		case r.New != nil && len(k.job.Spec.Writes) > 0:
			todo = append(todo, r)
		}
	}
	b.rows = todo
	return bad, nil
}

var errRewriter = errors.New("the rewriter failed")

// write writes a batch. Rows that others hold are left out; a batch that is too
// slow, or has a row that the database refuses, is cut in two until it is one row.
func (k *walk) write(ctx context.Context, b *batch, skipLocked bool) error {
	timeout := min(max(20*k.target(), time.Second), readTimeout)
	op, cancel := answered(ctx)
	k.pace.own.Add(1)
	_, err := k.rows.writeBatch(op, k.lease, b, k.settings(k.limits.lockTimeout(), timeout), skipLocked)
	cancel()
	code := sqlState(err)
	switch {
	case err == nil:
		k.held.reset()
		return nil
	case errors.Is(err, errLost) || len(b.rows) == 0:
		return err
	case (code == "55P03" || code == "40P01") && !skipLocked:
		return k.write(ctx, b, true)
	case code == "55P03" && ctx.Err() == nil && k.held.next < time.Second:
		k.held.wait(ctx) // the table itself is locked, or being extended
		return k.write(ctx, b, true)
	case code == "57014":
		k.size.halve()
	case code == "" || !aboutRows(code):
		return gone(k.lease.relation, err)
	}
	half := len(b.rows) / 2
	rest := *b
	if half > 0 {
		if err := k.write(ctx, &batch{rows: b.rows[:half], size: b.size}, skipLocked); err != nil {
			return err
		}
	} else {
		bad := []failed{{b.rows[0].Key, "the database refuses the row: SQLSTATE " + code}}
		if err := k.addFailures(ctx, bad); err != nil {
			return err
		}
		rest.failed++
		half = 1
	}
	rest.rows = b.rows[half:]
	return k.write(ctx, &rest, skipLocked)
}

func (k *walk) addFailures(ctx context.Context, list []failed) error {
	op, cancel := answered(ctx)
	defer cancel()
	return k.rows.addFailures(op, k.lease, list, k.settings(time.Second, readTimeout))
}

// later waits before a rewrite is tried again.
func (k *walk) later(ctx context.Context) error {
	if _, _, err := k.db.renew(ctx, k.lease, "rewriter: it asks to be tried again later", k.back.next); err != nil {
		return err
	}
	k.back.wait(ctx)
	return ctx.Err()
}

// aboutRows reports whether an error may be due to a row: data, constraints,
// what a trigger raises, a field or a row that is too long.
func aboutRows(code string) bool {
	switch code[:2] {
	case "22", "23", "44", "P0", "54":
		return true
	}
	return false
}

// broken reports whether a connection ended, or none could be made.
func broken(err error) bool {
	var netErr net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &netErr) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}
