package keymgr

import (
	"slices"
	"time"
)

// readableSince is the time since when every version of the keysets lets
// readers use the key: when it was added, or later if it may have been disabled
// in between. The age that [Manager.PromoteKey] asks for counts from here.
//
// An active key came into its state when another became primary, and then
// readers had it all along, or when it was enabled. Of the first we are sure if it
// has the time of the present primary, which no other active key has
// (changedAt): the key to go back to, at once.
func (i *info) readableSince(p Purpose, id uint32) time.Time {
	list := *i.list(p)
	primary := list[slices.IndexFunc(list, func(k keyInfo) bool { return k.State == StatePrimary })]
	k := list[slices.IndexFunc(list, func(k keyInfo) bool { return k.ID == id })]
	if k.State == StateActive && !k.Changed.Equal(primary.Changed.Time) {
		return k.Changed.Time
	}
	return k.Created.Time
}

// changedAt is now, or a little later, as a time that no primary or active key has
// come into its state.
func (i *info) changedAt(p Purpose, now time.Time) stamp {
	at := stampOf(now)
	taken := func(k keyInfo) bool {
		return (k.State == StatePrimary || k.State == StateActive) && k.Changed.Equal(at.Time)
	}
	for slices.ContainsFunc(*i.list(p), taken) {
		at = stamp{at.Add(time.Second)}
	}
	return at
}
