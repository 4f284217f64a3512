package keymgr

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Receipt says what [Manager.DestroyScope] has destroyed. Its JSON is stable,
// and kept in the log as the Detail of the event.
type Receipt struct {
	Scope     Scope    `json:"scope"`
	Version   uint64   `json:"version"`    // of the keysets, the last one
	SealKeys  []uint32 `json:"seal_keys"`  // ids of the keys whose bytes were there
	IndexKeys []uint32 `json:"index_keys"` // likewise
	// KEKs are the URIs of the KMS keys that wrapped the keysets. Who has a
	// backup of the table of keysets and may use one of them has the keys: for as
	// long as both are there, what the keys sealed is not lost.
	KEKs []string `json:"keks"`
	// Authenticated: the keysets were opened, and the key ids are theirs. Otherwise
	// the KMS would not open them, and the ids are what the table said.
	Authenticated bool `json:"authenticated"`

	DestroyedAt time.Time `json:"destroyed_at"`
	Actor       string    `json:"actor,omitempty"`
	Reason      string    `json:"reason"`
	// CachesUntil is when the last instance that still had the keys in memory has
	// dropped them: DestroyedAt, the largest MaxStale plus CacheTTL of the fleet,
	// and the timeouts of an opening and of this change.
	CachesUntil time.Time `json:"caches_until"`
}

// DestroyScope destroys all keys of a scope, for ever: what they have sealed
// cannot be opened again, wherever copies of it are (crypto-shredding). The
// scope's name is spent: [ErrScopeDestroyed].
//
// It succeeds although no KMS key opens the keysets any more, as when a tenant
// has revoked its own; the receipt then says that it is not Authenticated. The
// reason is required, and at most 1000 bytes of it are kept: ErrKeyState. This
// Manager drops the keys at once, others as the receipt says. ErrScopeNotFound;
// ErrScopeDestroyed if it was done before: its event has the receipt.
// ErrConflict if the scope is changed meanwhile.
func (m *Manager) DestroyScope(ctx context.Context, s Scope, reason string) (Receipt, error) {
	e, ctx, end, err := m.beginChange(ctx, s)
	if err != nil {
		return Receipt{}, err
	}
	defer end()
	if reason = logText(reason, maxReasonLen); reason == "" {
		return Receipt{}, fmt.Errorf("%w: destroying the keys of %s takes a reason, for the log", ErrKeyState, e.label)
	}
	r, err := m.load(ctx, e, e.floor())
	if err != nil {
		return Receipt{}, err
	}
	age, err := m.largestAge(ctx, s)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Scope: s, Version: r.Version, KEKs: kekURIs(r.Wraps), Actor: ActorFrom(ctx), Reason: reason}
	if err := m.listKeys(ctx, e, r, &receipt); err != nil {
		return Receipt{}, err
	}
	receipt.DestroyedAt = eventTime(m.cfg.Now())
	receipt.CachesUntil = receipt.DestroyedAt.Add(age + 2*m.cfg.StoreTimeout + m.cfg.KMSTimeout)
	detail, err := json.Marshal(receipt)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: the receipt has no JSON: %v", ErrKeyState, err)
	}
	event := Event{
		Scope: s, Version: r.Version, Kind: EventScopeDestroyed, Actor: receipt.Actor,
		Detail: string(detail), At: receipt.DestroyedAt,
	}
	err = m.inStore(ctx, e, func(ctx context.Context) error {
		return m.cfg.Store.Delete(ctx, s, r.Version, []Event{event})
	})
	if err != nil {
		return Receipt{}, err
	}
	m.cfg.Logger.Info("keymgr: scope destroyed", "scope", e.label, "version", r.Version,
		"authenticated", receipt.Authenticated, "actor", receipt.Actor, "reason", reason)
	m.Evict(s)
	return receipt, nil
}

// listKeys writes the keys of a record into the receipt, those that have opened
// if any KEK opens them. It fails only if the caller's context has ended.
func (m *Manager) listKeys(ctx context.Context, e *entry, r Record, receipt *Receipt) error {
	keys, dataKey, err := m.unlock(ctx, e, r)
	clear(dataKey)
	switch {
	case m.closing.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("keymgr: destroying a scope: %w", context.Cause(ctx))
	}
	list := r.UnverifiedInfo
	if err == nil {
		receipt.Authenticated = true
		list = func(p Purpose) ([]KeyInfo, error) { return keys.Info(p), nil }
	} else {
		m.cfg.Logger.Warn("keymgr: the keysets to destroy do not open", "scope", e.label, "class", class(err), "error", err)
	}
	ids := func(p Purpose) []uint32 {
		infos, _ := list(p) // what is damaged lists nothing
		infos = slices.DeleteFunc(infos, func(k KeyInfo) bool { return k.State == StateDestroyed })
		found := []uint32{}
		for _, k := range infos {
			found = append(found, k.ID)
		}
		return found
	}
	receipt.SealKeys, receipt.IndexKeys = ids(Seal), ids(Index)
	return nil
}
