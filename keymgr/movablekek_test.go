package keymgr_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// movableKEK is a KMS key or an alias of one. What it wraps says which key has
// wrapped it, so that it answers for a wrong key as AWS KMS does. It counts the
// calls of the key that it names.
type movableKEK struct {
	name string

	mu       sync.Mutex
	key      *keymgrtest.KEK
	asked    int   // how often it was resolved
	tells    error // what Resolve fails with
	rewraps  int
	scramble bool // Rewrap returns what does not authenticate
}

func newKey(name string) *movableKEK {
	return &movableKEK{name: name, key: keymgrtest.NewKEK(name)}
}

// alias returns an alias of k.
func (k *movableKEK) alias(name string) *movableKEK { return &movableKEK{name: name, key: k.key} }

// move makes an alias name another key.
func (k *movableKEK) move(to *movableKEK) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = to.key
}

func (k *movableKEK) now() *keymgrtest.KEK {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key
}

func (k *movableKEK) counts() (asked, rewraps int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked, k.rewraps
}

func (k *movableKEK) URI() string { return "test-kms://" + k.name }

func (k *movableKEK) Resolve(context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key.URI() != k.URI() {
		k.asked++
	}
	return k.key.URI(), k.tells
}

func (k *movableKEK) mark() []byte { return []byte(k.now().URI() + "\n") }

func (k *movableKEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	plaintext, wrapped, err = k.now().GenerateDataKey(ctx, wc)
	return plaintext, append(k.mark(), wrapped...), err
}

func (k *movableKEK) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	wrapped, err := k.now().Wrap(ctx, plaintext, wc)
	return append(k.mark(), wrapped...), err
}

func (k *movableKEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	inner, ok := bytes.CutPrefix(wrapped, k.mark())
	if !ok {
		return nil, fmt.Errorf("%w: another key has wrapped it", keymgr.ErrKEKNotAllowed)
	}
	return k.now().Unwrap(ctx, inner, wc)
}

func (k *movableKEK) CanRewrap(from keymgr.KEK) bool {
	_, ok := from.(*movableKEK)
	return ok
}

func (k *movableKEK) Rewrap(ctx context.Context, wrapped []byte, from keymgr.KEK, old, wc keymgr.WrapContext) ([]byte, error) {
	k.mu.Lock()
	k.rewraps++
	scramble := k.scramble
	k.mu.Unlock()
	dataKey, err := from.(*movableKEK).Unwrap(ctx, wrapped, old)
	if err != nil {
		return nil, err
	}
	wrapped, err = k.Wrap(ctx, dataKey, wc)
	if scramble && err == nil {
		wrapped[len(wrapped)-1] ^= 1
	}
	return wrapped, err
}
