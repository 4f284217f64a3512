package keymgr

import (
	"context"
	"slices"
	"time"
)

// report writes what has changed. It is not cancelled by Close, which would leave
// it open whether the row that Close removes is written after.
func (m *Manager) report(ctx context.Context, v Versions) error {
	r := m.reporter
	held := m.holdings()
	out := InstanceReport{
		ID: r.id, Host: r.host, StartedAt: r.startedAt, CheckedAt: v.At, MaxAge: r.maxAge, Interval: r.interval, Full: r.full,
	}
	if v.Sparing {
		out.Interval = max(r.interval, r.maxAge/4)
	}
	for s, h := range held {
		if old, ok := r.reported[s]; !ok || r.full || old.Version != h.Version {
			out.Scopes = append(out.Scopes, h)
		}
	}
	for s := range r.reported {
		if _, ok := held[s]; !ok {
			out.Removed = append(out.Removed, s)
		}
	}
	changed := r.full || len(out.Scopes) > 0 || len(out.Removed) > 0 || v.Events != r.events
	if v.Sparing && !changed && r.silence()+r.interval < r.maxAge/4 {
		return nil
	}
	began := time.Since(r.born)
	err := m.inInstances(context.WithoutCancel(ctx), "report", func(ctx context.Context, s InstanceStore) error {
		return s.Report(ctx, out)
	})
	if err != nil {
		r.full = true // it may have been written, or not
		return err
	}
	r.full, r.reported, r.events = false, held, v.Events
	r.last.Store(int64(began))
	return nil
}

// holdings is what the cache could serve.
func (m *Manager) holdings() map[Scope]InstanceScope {
	held := map[Scope]InstanceScope{}
	now := m.cfg.Now()
	m.entries.Range(func(_, v any) bool {
		e := v.(*entry)
		if o := e.cached.Load(); o != nil && now.Before(o.deadAt) {
			held[e.scope] = o.keys.instanceScope()
		}
		return true
	})
	return held
}

func (k *Keys) instanceScope() InstanceScope {
	h := InstanceScope{Scope: k.scope, Version: k.version, SealKey: k.primary.id, IndexKey: k.indexes[0].id}
	for id, key := range k.sealKeys {
		if key != nil {
			h.SealKeys = append(h.SealKeys, id)
		}
	}
	if !slices.Contains(h.SealKeys, k.primary.id) {
		h.SealKeys = append(h.SealKeys, k.primary.id)
	}
	for _, key := range k.indexes {
		h.IndexKeys = append(h.IndexKeys, key.id)
	}
	slices.Sort(h.SealKeys)
	slices.Sort(h.IndexKeys)
	return h
}
