package keymgr

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// budget bounds the KMS calls of a Manager: so many a second per provider, and
// as many at once after a pause. It goes by the time that passes, not by
// Config.Now: so does the quota that it protects.
type budget struct {
	perSecond float64

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by provider
}

// provider is the scheme of a KEK's URI: who counts the calls.
func provider(uri string) string {
	scheme, _, _ := strings.Cut(uri, "://")
	return scheme
}

func (b *budget) of(provider string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.limiters[provider]
	if l == nil {
		if b.limiters == nil {
			b.limiters = map[string]*rate.Limiter{}
		}
		burst := math.Ceil(min(b.perSecond, math.MaxInt32))
		l = rate.NewLimiter(rate.Limit(b.perSecond), int(burst))
		b.limiters[provider] = l
	}
	return l
}

// spend takes one call of k out of the budget, and waits until there is one:
// ErrKMSUnavailable if that would last longer than ctx, or than half of
// KMSTimeout. The other half is for the call: where more is asked for than the
// budget has, everyone waits as long as may be, and calls that then had no time to
// be answered would use it up for nothing.
func (m *Manager) spend(ctx context.Context, k KEK) (waited time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKMSUnavailable, err)
	}
	l := m.budget.of(provider(k.URI()))
	if l.Allow() {
		return 0, nil
	}
	m.counts.throttled.Add(1)
	began := time.Now()
	patience, cancel := context.WithTimeout(ctx, m.cfg.KMSTimeout/2)
	defer cancel()
	if err := l.Wait(patience); err != nil {
		if gone := ctx.Err(); gone != nil {
			return time.Since(began), fmt.Errorf("%w: while waiting for Config.KMSRate: %w", ErrKMSUnavailable, gone)
		}
		return time.Since(began), fmt.Errorf("%w: more calls are asked for than Config.KMSRate, %v a second, lets through within half of KMSTimeout", ErrKMSUnavailable, m.cfg.KMSRate)
	}
	return time.Since(began), nil
}

// inKMS makes one call of a KEK, within the budget. Every call of a KEK is made
// through it.
func (m *Manager) inKMS(ctx context.Context, e *entry, k KEK, op Operation, call func(context.Context) error) error {
	if err := e.pace.wait(ctx); err != nil { // a re-wrap's own, which no timeout of a call bounds
		return fmt.Errorf("scope %s: KEK %s: %w", e.label, k.URI(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.KMSTimeout)
	defer cancel()
	waited, err := m.spend(ctx, k)
	switch {
	case err != nil && ctx.Err() == nil:
		m.observe(ctx, KMSThrottled{Domain: e.scope.Domain, Scope: e.label, KEK: k.URI(), Operation: op, Waited: waited})
	case err == nil:
		began := time.Now()
		err = kmsError(call(ctx))
		m.called(ctx, KMSCall{
			Domain: e.scope.Domain, Scope: e.label, KEK: k.URI(), Operation: op,
			Waited: waited, Duration: time.Since(began), Class: answerOf(ctx, err),
		})
	}
	if err != nil {
		return fmt.Errorf("scope %s: KEK %s: %w", e.label, k.URI(), err)
	}
	return nil
}
