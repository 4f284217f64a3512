package keymgr

import "time"

// KeyState is where a key stands in its life: pending, primary, active,
// disabled, destroyed, in this order, but that a disabled key can be enabled
// again and an active one can become primary again. The values are stored.
type KeyState string

const (
	// StatePending reads, and does not write yet.
	StatePending KeyState = "pending"
	// StatePrimary reads and writes.
	StatePrimary KeyState = "primary"
	// StateActive was primary, or was enabled again, and reads.
	StateActive KeyState = "active"
	// StateDisabled is in the keyset and not used: what it sealed does not open
	// ([ErrKeyDisabled]), and no search looks for its blind indexes.
	StateDisabled KeyState = "disabled"
	// StateDestroyed is gone from the keyset. Its id is never used again.
	StateDestroyed KeyState = "destroyed"
)

// KeyInfo is what is known of a key but for its bytes. Times are UTC and
// rounded up to whole seconds.
type KeyInfo struct {
	ID      uint32    `json:"id"`
	State   KeyState  `json:"state"`
	Created time.Time `json:"created"` // when it was added
	Changed time.Time `json:"changed"` // when it came into its state
}

// Reindex says that a blind index, by its logical name "table.column", is
// written under another index key as well ([Manager.BeginReindex]).
type Reindex struct {
	Index string `json:"index"`
	KeyID uint32 `json:"key_id"`
}

// Info lists the keys of one purpose in the order in which they were added,
// those that are disabled or destroyed included. It is authentic: it was opened
// with the keysets.
func (k *Keys) Info(p Purpose) []KeyInfo { return k.info.public(p) }

// Reindexes lists the blind indexes that are being moved to another key.
func (k *Keys) Reindexes() []Reindex {
	var list []Reindex
	for _, r := range k.info.Reindex {
		list = append(list, Reindex{Index: r.Column, KeyID: r.Key})
	}
	return list
}

// UnverifiedInfo lists what the record says of its keys of one purpose, as
// [Keys.Info] does, without opening anything: whoever can write the table can
// have put it there. It is for showing, and for finding what to ask for; decide
// by [Keys.Info]. ErrKeysetInvalid if the record's Info cannot be read.
func (r Record) UnverifiedInfo(p Purpose) ([]KeyInfo, error) {
	i, err := parseInfo(r.Info)
	if err != nil {
		return nil, err
	}
	return i.public(p), nil
}

func (i *info) public(p Purpose) []KeyInfo {
	if p != Seal && p != Index {
		return nil
	}
	var list []KeyInfo
	for _, k := range *i.list(p) {
		list = append(list, KeyInfo{ID: k.ID, State: k.State, Created: k.Created.UTC(), Changed: k.Changed.UTC()})
	}
	return list
}
