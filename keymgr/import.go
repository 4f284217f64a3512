package keymgr

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// ImportKeys adds the enabled keys of a Tink keyset, under their own key ids, to
// one of a scope's keysets and returns the ids, in the keyset's order. Keysets of
// the Tink of before tink-go, github.com/google/tink/go, are read with tink-go and
// imported all the same. The keys are pending, as those of [Manager.AddKey] are:
// they open what they have sealed elsewhere, search, and can be promoted.
//
// All are imported or none: ErrKeyIDTaken if one of the ids was ever used in this
// store, ErrKeysetInvalid if a key is none that FORMAT.md, section "Keysets",
// allows (an AEAD key of 256 bits with the TINK prefix, or HMAC-SHA256), or is
// here already under another id; ErrConflict if the scope is changed meanwhile.
func (m *Manager) ImportKeys(ctx context.Context, s Scope, p Purpose, h *keyset.Handle) (keyIDs []uint32, err error) {
	_, err = m.change(ctx, s, p, "keymgr: keys imported", func(d *draft) (first uint32, err error) {
		if keyIDs, err = d.importKeys(p, h); err != nil {
			return 0, err
		}
		return keyIDs[0], nil
	})
	if err != nil {
		return nil, err
	}
	return keyIDs, nil
}

// importKeys adds the enabled keys of h as pending ones.
func (d *draft) importKeys(p Purpose, h *keyset.Handle) (ids []uint32, err error) {
	if h == nil {
		return nil, fmt.Errorf("%w: the keyset to import is nil", ErrKeysetInvalid)
	}
	merged, err := clearKeyset(*d.handle(p))
	if err != nil {
		return nil, err
	}
	theirs, err := clearKeyset(h)
	if err != nil {
		return nil, err
	}
	list := d.info.list(p)
	for _, k := range theirs.Key {
		id := k.KeyId
		switch {
		case k.Status != tinkpb.KeyStatusType_ENABLED:
			continue
		case d.info.knows(id):
			return nil, fmt.Errorf("%w: %s has, or had, a key %d", ErrKeyIDTaken, d.scope.Domain, id)
		}
		merged.Key = append(merged.Key, k)
		*list = append(*list, keyInfo{ID: id, State: StatePending, Created: stampOf(d.now), Changed: stampOf(d.now)})
		d.log(EventKeyAdded, p, id)
		d.events[len(d.events)-1].Detail = "imported"
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: the keyset to import has no enabled key", ErrKeysetInvalid)
	}
	d.fixedIDs = true
	if *d.handle(p), err = handleOf(merged); err != nil {
		return nil, err
	}
	// What the format does not allow is refused before the KMS makes a data key.
	_, err = newKeys(d.scope, d.version, d.info, d.seal, d.index)
	return ids, err
}

// clearKeyset copies the keys out of a handle: Tink's keyset.Manager lets no one
// choose the id of a key without a prefix, which PRF keys are.
func clearKeyset(h *keyset.Handle) (*tinkpb.Keyset, error) {
	var buf bytes.Buffer
	defer func() { clear(buf.Bytes()) }()
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&buf)); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
	}
	ks, err := keyset.NewBinaryReader(bytes.NewReader(buf.Bytes())).Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKeysetInvalid, err)
	}
	return ks, nil
}

func handleOf(ks *tinkpb.Keyset) (*keyset.Handle, error) {
	var buf bytes.Buffer
	defer func() { clear(buf.Bytes()) }()
	if err := keyset.NewBinaryWriter(&buf).Write(ks); err != nil {
		return nil, fmt.Errorf("%w: keyset to import: %v", ErrKeysetInvalid, err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(buf.Bytes())))
	if err != nil {
		return nil, fmt.Errorf("%w: keyset to import: %v", ErrKeysetInvalid, err)
	}
	return h, nil
}
