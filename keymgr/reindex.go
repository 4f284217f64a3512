package keymgr

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Reindexing returns the key under which a blind index is written as well, into
// a second column, while its rows are moved to that key; nil if it is not being
// moved. The index goes by its logical name, "table.column" (FORMAT.md, "Keyset
// info").
func (k *Keys) Reindexing(index string) *IndexKey {
	if len(k.info.Reindex) == 0 {
		return nil
	}
	for _, r := range k.info.Reindex {
		if r.Column != index {
			continue
		}
		for _, key := range k.indexes {
			if key.id == r.Key {
				return key
			}
		}
	}
	return nil
}

// BeginReindex makes every writer write a blind index under an enabled index key
// as well, into a second column. A unique index moves to a new key that way:
// two keys give one value two terms, so neither column alone would keep it
// unique. The index goes by its logical name, "table.column".
//
// It is a change of the keysets like [Manager.AddKey], and instances that have
// not read it yet write one column only. ErrUnknownKey; ErrKeyState if the key
// is not enabled, or the index is being moved to another key already;
// ErrConflict if the scope is changed meanwhile.
func (m *Manager) BeginReindex(ctx context.Context, s Scope, index string, keyID uint32) error {
	_, err := m.change(ctx, s, Index, "keymgr: re-index begun", func(d *draft) (uint32, error) {
		return keyID, d.beginReindex(index, keyID)
	})
	return err
}

// EndReindex ends what [Manager.BeginReindex] began. ErrKeyState if the index is
// not being moved; ErrConflict if the scope is changed meanwhile.
func (m *Manager) EndReindex(ctx context.Context, s Scope, index string) error {
	_, err := m.change(ctx, s, Index, "keymgr: re-index ended", func(d *draft) (uint32, error) {
		return d.endReindex(index)
	})
	return err
}

func (d *draft) beginReindex(index string, id uint32) error {
	i := slices.IndexFunc(d.info.Index, func(k keyInfo) bool { return k.ID == id })
	switch {
	case !plainJSON(index):
		return fmt.Errorf("%w: %q is no name of an index", ErrKeyState, clip(index))
	case i < 0:
		return fmt.Errorf("%w: the index keyset of %s has no key %d", ErrUnknownKey, d.scope.Domain, id)
	case d.info.Index[i].State == StateDisabled || d.info.Index[i].State == StateDestroyed:
		return fmt.Errorf("%w: key %d is %s: no index is written under it", ErrKeyState, id, d.info.Index[i].State)
	case d.reindexOf(index) >= 0:
		return fmt.Errorf("%w: index %s is being moved already", ErrKeyState, index)
	}
	d.info.Reindex = append(slices.Clone(d.info.Reindex), reindex{index, id})
	d.log(EventReindexBegun, Index, id)
	d.events[len(d.events)-1].Detail = index
	return nil
}

func (d *draft) endReindex(index string) (keyID uint32, err error) {
	i := d.reindexOf(index)
	if i < 0 {
		return 0, fmt.Errorf("%w: index %s is not being moved", ErrKeyState, clip(index))
	}
	keyID = d.info.Reindex[i].Key
	d.info.Reindex = slices.Delete(slices.Clone(d.info.Reindex), i, i+1)
	d.log(EventReindexEnded, Index, keyID)
	d.events[len(d.events)-1].Detail = index
	return keyID, nil
}

func (d *draft) reindexOf(index string) int {
	return slices.IndexFunc(d.info.Reindex, func(r reindex) bool { return r.Column == index })
}

// plainJSON reports whether text stands in JSON as it is (FORMAT.md, "Keyset info").
func plainJSON(s string) bool {
	b, err := json.Marshal(s)
	return err == nil && s != "" && len(b) == len(s)+2
}
