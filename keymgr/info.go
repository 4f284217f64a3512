package keymgr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// info is what Tink's keysets cannot say about their keys: the record's Info
// (FORMAT.md, "Keyset info"). It is stored as canonical JSON, in the order of
// these fields, and authenticated by its hash in the keysets' associated data.
// Do not change the fields or their order: stored bytes depend on them.
type info struct {
	Format  int       `json:"v"`
	Seal    []keyInfo `json:"seal"`
	Index   []keyInfo `json:"index"`
	Reindex []reindex `json:"reindex,omitempty"`
}

// infoFormat is the only format of an info so far.
const infoFormat = 1

// keyInfo is a [KeyInfo] as it is stored. Keys stand in the order in which they were added.
type keyInfo struct {
	ID      uint32   `json:"id"`
	State   KeyState `json:"state"`
	Created stamp    `json:"created"`
	Changed stamp    `json:"changed"` // of the state
}

// reindex says that a blind index column is being written under another key too.
type reindex struct {
	Column string `json:"column"`
	Key    uint32 `json:"key"`
}

// stamp is a time in UTC and whole seconds.
type stamp struct{ time.Time }

const stampLayout = `"2006-01-02T15:04:05Z"`

// stampOf rounds up, so that a key never looks older than it is.
func stampOf(t time.Time) stamp {
	return stamp{t.UTC().Add(time.Second - 1).Truncate(time.Second)}
}

func (s stamp) MarshalJSON() ([]byte, error) { return s.UTC().AppendFormat(nil, stampLayout), nil }

func (s *stamp) UnmarshalJSON(b []byte) (err error) {
	s.Time, err = time.Parse(stampLayout, string(b))
	return err
}

// encode returns the canonical JSON.
func (i info) encode() (string, error) {
	b, err := json.Marshal(i)
	return string(b), err
}

// parseInfo accepts exactly what encode gives: no unknown field, no space, no
// other spelling of the same.
func parseInfo(s string) (info, error) {
	var i info
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil {
		return info{}, fmt.Errorf("%w: the info is no JSON of this format", ErrKeysetInvalid)
	}
	if i.Format != infoFormat {
		return info{}, fmt.Errorf("%w: the info has format %d, this program knows %d", ErrKeysetInvalid, i.Format, infoFormat)
	}
	if canonical, err := i.encode(); err != nil || canonical != s {
		return info{}, fmt.Errorf("%w: the info is not canonical JSON", ErrKeysetInvalid)
	}
	return i, nil
}

// list is the keys of one purpose.
func (i *info) list(p Purpose) *[]keyInfo {
	if p == Seal {
		return &i.Seal
	}
	return &i.Index
}

// knows reports whether a key of either purpose has, or had, this id.
func (i *info) knows(id uint32) bool {
	has := func(k keyInfo) bool { return k.ID == id }
	return slices.ContainsFunc(i.Seal, has) || slices.ContainsFunc(i.Index, has)
}

// check returns ErrKeysetInvalid if the info contradicts itself or the keysets.
func (i *info) check(seal, index *keyset.Handle) error {
	seen := map[uint32]bool{}
	if err := checkKeys(Seal, i.Seal, seal, seen); err != nil {
		return err
	}
	if err := checkKeys(Index, i.Index, index, seen); err != nil {
		return err
	}
	for _, r := range i.Reindex {
		j := slices.IndexFunc(i.Index, func(k keyInfo) bool { return k.ID == r.Key })
		if j < 0 || i.Index[j].State == StateDestroyed || !plainJSON(r.Column) {
			return fmt.Errorf("%w: the info names an impossible reindex", ErrKeysetInvalid)
		}
	}
	return nil
}

func checkKeys(p Purpose, list []keyInfo, h *keyset.Handle, seen map[uint32]bool) error {
	entries := map[uint32]*keyset.Entry{}
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return fmt.Errorf("%w: %s keyset: %v", ErrKeysetInvalid, p, err)
		}
		entries[e.KeyID()] = e
	}
	for _, k := range list {
		if k.ID == 0 || seen[k.ID] {
			return fmt.Errorf("%w: the info lists key id %d twice, or it is zero", ErrKeysetInvalid, k.ID)
		}
		seen[k.ID] = true
		e := entries[k.ID]
		delete(entries, k.ID)
		if !k.State.agrees(e) {
			return fmt.Errorf("%w: the info says that %s key %d is %q, the keyset says otherwise", ErrKeysetInvalid, p, k.ID, k.State)
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: the %s keyset has keys that the info does not list", ErrKeysetInvalid, p)
	}
	return nil
}

// agrees reports whether a key in this state may stand in a keyset as e, which
// is nil where it is missing.
func (s KeyState) agrees(e *keyset.Entry) bool {
	switch s {
	case StatePrimary:
		return e != nil && e.IsPrimary() && e.KeyStatus() == keyset.Enabled
	case StatePending, StateActive:
		return e != nil && !e.IsPrimary() && e.KeyStatus() == keyset.Enabled
	case StateDisabled:
		return e != nil && !e.IsPrimary() && e.KeyStatus() == keyset.Disabled
	case StateDestroyed:
		return e == nil
	}
	return false
}
