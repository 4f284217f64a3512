package memstore

import (
	"context"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// instance is what one instance has reported.
type instance struct {
	keymgr.Instance // without Scopes
	scopes          map[keymgr.Scope]keymgr.InstanceScope
}

var _ keymgr.InstanceStore = (*Store)(nil)

// Versions reads the current versions of the scopes.
func (s *Store) Versions(ctx context.Context, scopes []keymgr.Scope) (keymgr.Versions, error) {
	v := keymgr.Versions{Current: map[keymgr.Scope]uint64{}}
	err := s.locked(ctx, func() error {
		v.At, v.Events = now(), uint64(len(s.events))
		for _, scope := range scopes {
			if r, ok := s.records[scope]; ok {
				v.Current[scope] = r.Version
			}
		}
		return nil
	})
	return v, err
}

// Report writes what an instance holds.
func (s *Store) Report(ctx context.Context, r keymgr.InstanceReport) error {
	return s.locked(ctx, func() error {
		i, ok := s.instances[r.ID]
		if !ok && !r.Full {
			return keymgr.ErrUnknownInstance
		}
		if r.Full {
			i = &instance{scopes: map[keymgr.Scope]keymgr.InstanceScope{}}
		}
		at := now()
		i.Instance = keymgr.Instance{
			ID: r.ID, Host: r.Host, StartedAt: r.StartedAt, CheckedAt: r.CheckedAt, LastSeen: at, MaxAge: r.MaxAge, Interval: r.Interval,
		}
		for _, scope := range r.Removed {
			delete(i.scopes, scope)
		}
		for _, h := range r.Scopes {
			h.SeenAt = at
			i.scopes[h.Scope] = cloneHeld(h)
		}
		if s.instances == nil {
			s.instances = map[string]*instance{}
		}
		s.instances[r.ID] = i
		return nil
	})
}

// Instances lists the instances with what they hold of a scope, or of all.
func (s *Store) Instances(ctx context.Context, of keymgr.Scope) (keymgr.Fleet, error) {
	var f keymgr.Fleet
	err := s.locked(ctx, func() error {
		f.Now = now()
		for _, i := range s.instances {
			out := i.Instance
			for _, h := range i.scopes {
				if of == (keymgr.Scope{}) || h.Scope == of {
					out.Scopes = append(out.Scopes, cloneHeld(h))
				}
			}
			slices.SortFunc(out.Scopes, func(a, b keymgr.InstanceScope) int { return compare(a.Scope, b.Scope) })
			f.Instances = append(f.Instances, out)
		}
		return nil
	})
	slices.SortFunc(f.Instances, func(a, b keymgr.Instance) int { return strings.Compare(a.ID, b.ID) })
	return f, err
}

// Forget removes an instance.
func (s *Store) Forget(ctx context.Context, id string) error {
	return s.locked(ctx, func() error {
		if _, ok := s.instances[id]; !ok {
			return keymgr.ErrUnknownInstance
		}
		delete(s.instances, id)
		return nil
	})
}

func cloneHeld(h keymgr.InstanceScope) keymgr.InstanceScope {
	h.SealKeys, h.IndexKeys = slices.Clone(h.SealKeys), slices.Clone(h.IndexKeys)
	return h
}
