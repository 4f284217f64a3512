package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// traffic is what the instances do all the time: each worker writes, reads and
// searches rows of its own, and so knows what they must hold.
type traffic struct {
	workers                 []*worker
	writes, reads, searches atomic.Int64
	failed                  atomic.Int64
	mu                      sync.Mutex
	first                   error // of those that failed
	stop                    context.CancelFunc
	running                 sync.WaitGroup
}

type worker struct {
	store store
	rng   *rand.Rand
	rows  map[int64]Patient // as they were last committed
	ids   []int64
	next  int64
	done  atomic.Int64 // operations
}

// newTraffic deals rows out to workers, two for each store.
func newTraffic(rows []Patient, stores ...store) *traffic {
	t := &traffic{}
	for i := range 2 * len(stores) {
		t.workers = append(t.workers, &worker{
			store: stores[i%len(stores)],
			rng:   rand.New(rand.NewPCG(uint64(i), 1)),
			rows:  map[int64]Patient{},
			next:  int64(i+1) * 1_000_000_000,
		})
	}
	for i, p := range rows {
		t.workers[i%len(t.workers)].add(p)
	}
	return t
}

func (t *traffic) begin(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	for _, w := range t.workers {
		t.running.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				// What was begun is finished: a statement that is cut off may have
				// been committed, and nobody would know.
				if err := w.step(context.WithoutCancel(ctx), t); err != nil {
					t.fail(err)
				}
				w.done.Add(1)
				select {
				case <-ctx.Done():
				case <-pace.C:
				}
			}
		})
	}
}

// end stops the workers and returns what the rows must hold.
func (t *traffic) end() map[int64]Patient {
	t.stop()
	t.running.Wait()
	all := map[int64]Patient{}
	for _, w := range t.workers {
		maps.Copy(all, w.rows)
	}
	return all
}

// more returns when every worker has done n more operations.
func (t *traffic) more(ctx context.Context, n int64) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for _, w := range t.workers {
		for goal := w.done.Load() + n; w.done.Load() < goal; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-poll.C:
			}
		}
	}
	return nil
}

func (t *traffic) fail(err error) {
	t.failed.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = err
	}
}

func (t *traffic) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		return nil
	}
	return fmt.Errorf("%d operations failed, the first one: %w", t.failed.Load(), t.first)
}

func (t *traffic) String() string {
	return fmt.Sprintf("%d writes, %d reads ok, %d searches ok, %d failed", t.writes.Load(), t.reads.Load(), t.searches.Load(), t.failed.Load())
}

func (w *worker) add(p Patient) {
	w.rows[p.ID] = p
	w.ids = append(w.ids, p.ID)
}

// step is one operation on a row of the worker's own.
func (w *worker) step(ctx context.Context, t *traffic) error {
	if len(w.ids) == 0 || w.rng.IntN(20) == 0 {
		return w.write(t, newPatient(w.next, 0), func(p Patient) error {
			w.next++
			return w.store.insert(ctx, p)
		})
	}
	old := w.rows[w.ids[w.rng.IntN(len(w.ids))]]
	fresh := newPatient(old.ID, 1+w.rng.IntN(1_000_000))
	switch w.rng.IntN(5) {
	case 0:
		return w.write(t, fresh, func(p Patient) error { return w.store.update(ctx, p) })
	case 1:
		fresh.Name, fresh.MRN = old.Name, old.MRN
		return w.write(t, fresh, func(p Patient) error { return w.store.note(ctx, p) })
	case 2, 3:
		got, err := w.store.read(ctx, old.ID)
		return check(&t.reads, "read", []Patient{got}, old, err)
	}
	found, err := w.store.search(ctx, old.MRN)
	return check(&t.searches, "search", found, old, err)
}

func (w *worker) write(t *traffic, p Patient, do func(Patient) error) error {
	if err := do(p); err != nil {
		return fmt.Errorf("write row %d: %w", p.ID, err)
	}
	if _, there := w.rows[p.ID]; !there {
		w.ids = append(w.ids, p.ID)
	}
	w.rows[p.ID] = p
	t.writes.Add(1)
	return nil
}

var errWrong = errors.New("not what was committed last")

// check counts a read that gave what it must.
func check(ok *atomic.Int64, what string, got []Patient, want Patient, err error) error {
	if err == nil && (len(got) != 1 || !same(got[0], want)) {
		err = errWrong
	}
	if err != nil {
		return fmt.Errorf("%s row %d: %w", what, want.ID, err)
	}
	ok.Add(1)
	return nil
}
