package migrate

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pace is how the workers of a process give way to others, unless the limits say
// what to do: while others are at work on the server, they take turns and rest.
type pace struct {
	turn sync.Mutex
	busy atomic.Bool
	own  atomic.Int64 // transactions of ours that write

	mu          sync.Mutex
	at          time.Time
	total, ours int64
}

// While others are at work, a batch takes so long, and the rest after it so many
// times as long as the work. They are at work if they begin more than so many
// transactions a second that write.
const (
	politeBatch = 2 * time.Millisecond
	politeRest  = 0.3
	others      = 100
	lookAgain   = 100 * time.Millisecond
)

// look counts the transactions of others since the last time. Those of migrators
// in other processes count. What cannot be counted is too many.
func (p *pace) look(ctx context.Context, db *DB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := time.Since(p.at)
	if db.dialect == sqlite || passed < lookAgain {
		return
	}
	var total int64
	_, err := one(ctx, db.q(), `SELECT txid_snapshot_xmax(txid_current_snapshot())`, nil, &total)
	ours := p.own.Load()
	p.busy.Store(err != nil || p.at.IsZero() || float64(total-p.total-ours+p.ours) > others*passed.Seconds())
	p.at, p.total, p.ours = time.Now(), total, ours
}

// polite reports whether to give way.
func (k *walk) polite() bool {
	return k.limits.BatchTarget == 0 && k.limits.Nice == 0 && k.pace.busy.Load()
}

func (k *walk) target() time.Duration {
	if k.polite() {
		return politeBatch
	}
	return k.limits.batchTarget()
}

// begin begins some work, when it is its turn. The func that it returns ends it, and rests.
func (k *walk) begin(ctx context.Context) (end func()) {
	nice, turns := k.limits.Nice, k.polite()
	if turns {
		nice = politeRest
		k.pace.turn.Lock()
	}
	began := time.Now()
	return func() {
		if d := time.Duration(nice * float64(time.Since(began))); d > 0 {
			sleep(ctx, d)
		}
		if turns {
			k.pace.turn.Unlock()
		}
	}
}
