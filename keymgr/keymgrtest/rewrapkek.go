package keymgrtest

import (
	"context"

	"github.com/fieldcrypt/go/keymgr"
)

// RewrapKEK is a [KEK] that can take over a data key from another RewrapKEK
// inside "the KMS": a [keymgr.Rewrapper].
type RewrapKEK struct{ *KEK }

// NewRewrapKEK is [NewKEK] for a RewrapKEK.
func NewRewrapKEK(name string) RewrapKEK { return RewrapKEK{NewKEK(name)} }

// CanRewrap reports whether from is a RewrapKEK too.
func (k RewrapKEK) CanRewrap(from keymgr.KEK) bool {
	_, ok := from.(RewrapKEK)
	return ok
}

// Rewrap wraps under k what from has wrapped. It counts as one call of k.
func (k RewrapKEK) Rewrap(ctx context.Context, wrapped []byte, from keymgr.KEK, old, new keymgr.WrapContext) ([]byte, error) {
	if err := k.serve(ctx, func(c *Calls) { c.Rewrap++ }); err != nil {
		return nil, err
	}
	dataKey, err := from.(RewrapKEK).unwrap(wrapped, old)
	if err != nil {
		return nil, err
	}
	defer clear(dataKey)
	return k.wrap(dataKey, new), nil
}
