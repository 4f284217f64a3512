package keymgr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// observation is that a version of a scope, or a key of it, was stored.
type observation struct {
	scope   Scope
	version uint64 // 0: of the key
	key     uint32
}

// observations are when, by the store's clock, something was first seen to be
// stored. It was committed before.
type observations struct {
	mu    sync.Mutex
	first map[observation]time.Time
}

func (o *observations) at(what observation, now time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.first[what]; ok && at.Before(now) {
		return at
	}
	if o.first == nil {
		o.first = map[observation]time.Time{}
	}
	o.first[what] = now
	return now
}

// behind returns the instances that may still serve a version of the scope that
// is below the given one, which the caller has seen in the store; and how many
// instances there are, those that are gone left out. It is ErrConfig if the store
// is no [InstanceStore].
func (m *Manager) behind(ctx context.Context, s Scope, version uint64) (behind []Instance, of int, err error) {
	f, err := m.Instances(ctx, s)
	if err != nil {
		return nil, 0, err
	}
	has := func(h InstanceScope) bool { return h.Version >= version }
	behind, _, of = m.lagging(f, s, observation{scope: s, version: version}, has)
	return behind, of, nil
}

// lagging returns the instances that have not acknowledged what has tells of,
// with the largest MaxAge and the number of all that are not gone.
//
// An instance acknowledges it by a version that it holds; or, if it holds none of
// the scope, by having checked the store after what was committed. Nobody records
// the moment of a commit: it lies before any moment at which somebody has seen it,
// be that another instance or this Manager.
func (m *Manager) lagging(f Fleet, s Scope, what observation, has func(InstanceScope) bool) (behind []Instance, maxAge time.Duration, of int) {
	maxAge = m.maxAge()
	committed := m.observed.at(what, f.Now)
	for _, i := range f.Instances {
		if h, ok := i.holds(s); ok && has(h) && h.SeenAt.Before(committed) {
			committed = h.SeenAt
		}
	}
	for _, i := range f.Instances {
		if i.Gone(f.Now) {
			continue
		}
		of++
		maxAge = max(maxAge, i.MaxAge)
		h, holds := i.holds(s)
		if holds && has(h) || !holds && i.CheckedAt.After(committed) {
			continue
		}
		behind = append(behind, i)
	}
	return behind, maxAge, of
}

// describe says in which way instances are behind on a scope.
func describe(behind []Instance, s Scope, now time.Time) string {
	const most = 5
	var lines []string
	for n, i := range behind {
		if n == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(behind)-most))
			break
		}
		line := fmt.Sprintf("%s (%s)", i.Host, i.ID)
		if h, ok := i.holds(s); ok {
			line += fmt.Sprintf(" holds version %d", h.Version)
		} else {
			line += " has not looked at the store since"
		}
		if i.Silent(now) {
			line += ", is silent"
		}
		lines = append(lines, line+", checked at "+i.CheckedAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(lines, "; ")
}

// hasKey tells of the instances that hold a key, whatever they write with.
func hasKey(p Purpose, id uint32) func(InstanceScope) bool {
	return func(h InstanceScope) bool {
		if p == Seal {
			return slices.Contains(h.SealKeys, id)
		}
		return slices.Contains(h.IndexKeys, id)
	}
}
