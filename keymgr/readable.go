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
// readers had it all along, or when it was enabled. Of the first we are sure if
// it is the only one that did so together with the present primary: the key to
// go back to, at once.
func (i *info) readableSince(p Purpose, id uint32) time.Time {
	list := *i.list(p)
	primary := slices.IndexFunc(list, func(k keyInfo) bool { return k.State == StatePrimary })
	var replaced []uint32
	for _, k := range list {
		if k.State == StateActive && k.Changed.Equal(list[primary].Changed.Time) {
			replaced = append(replaced, k.ID)
		}
	}
	k := list[slices.IndexFunc(list, func(k keyInfo) bool { return k.ID == id })]
	if k.State == StateActive && !slices.Equal(replaced, []uint32{id}) {
		return k.Changed.Time
	}
	return k.Created.Time
}
