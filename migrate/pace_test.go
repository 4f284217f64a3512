package migrate

import (
	"context"
	"testing"
	"time"
)

func TestWorkersGiveWayUnlessToldOtherwise(t *testing.T) {
	busy, idle := &pace{}, &pace{}
	busy.busy.Store(true)
	for name, test := range map[string]struct {
		pace   *pace
		limits Limits
		polite bool
		target time.Duration
	}{
		"alone":              {idle, Limits{}, false, 10 * time.Millisecond},
		"beside others":      {busy, Limits{}, true, politeBatch},
		"told a target":      {busy, Limits{BatchTarget: 7 * time.Millisecond}, false, 7 * time.Millisecond},
		"told how to rest":   {busy, Limits{Nice: 2}, false, 10 * time.Millisecond},
		"with another limit": {busy, Limits{MaxWAL: 1}, true, politeBatch},
	} {
		k := &walk{worker: &worker{limits: test.limits, pace: test.pace}}
		if k.polite() != test.polite || k.target() != test.target {
			t.Errorf("%s: %v, %v", name, k.polite(), k.target())
		}
		end := k.begin(context.Background())
		if free := test.pace.turn.TryLock(); free == test.polite {
			t.Errorf("%s: it is another's turn: %v", name, free)
		} else if free {
			test.pace.turn.Unlock()
		}
		end()
		if !test.pace.turn.TryLock() {
			t.Errorf("%s: the turn was not given back", name)
		}
		test.pace.turn.Unlock()
	}
}
