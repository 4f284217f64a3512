package keymgrtest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// KEK is a KMS key in memory. It binds what it wraps to the encryption
// context, as a KMS does, counts calls, and can be told to refuse, to fail or to hang.
// Its key is random, so nothing that it wrapped outlives it. Safe for
// concurrent use.
type KEK struct {
	name string
	aead cipher.AEAD

	mu     sync.Mutex
	calls  Calls
	answer error
	gate   chan struct{} // nil, or closed when calls may go on
	pause  time.Duration // before each answer
}

// Calls counts the calls that a [KEK] was asked to serve, whether they
// succeeded or not.
type Calls struct {
	GenerateDataKey, Wrap, Unwrap, Rewrap int
}

// Total is the number of all calls.
func (c Calls) Total() int { return c.GenerateDataKey + c.Wrap + c.Unwrap + c.Rewrap }

// NewKEK returns a KEK with the URI "test-kms://<name>" and a new random key.
func NewKEK(name string) *KEK {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are always a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &KEK{name: name, aead: aead}
}

// URI returns "test-kms://<name>".
func (k *KEK) URI() string { return "test-kms://" + k.name }

// Calls returns how many calls were made so far.
func (k *KEK) Calls() Calls {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls
}

// Answer makes every call fail with err, until it is called with nil.
func (k *KEK) Answer(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = err
}

// Deny makes every call fail with keymgr.ErrKMSDenied.
func (k *KEK) Deny() { k.Answer(fmt.Errorf("%w: told to by the test", keymgr.ErrKMSDenied)) }

// Unavailable makes every call fail with keymgr.ErrKMSUnavailable.
func (k *KEK) Unavailable() {
	k.Answer(fmt.Errorf("%w: told to by the test", keymgr.ErrKMSUnavailable))
}

// Recover makes calls succeed again.
func (k *KEK) Recover() { k.Answer(nil) }

// Block makes every call hang until release is called or the call's context
// ends, which gives keymgr.ErrKMSUnavailable.
func (k *KEK) Block() (release func()) {
	gate := make(chan struct{})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gate = gate
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.gate == gate {
			k.gate = nil
		}
		close(gate)
	})
}

// Slow makes every call take d before it is answered, or until its context ends,
// which gives keymgr.ErrKMSUnavailable. Zero ends it.
func (k *KEK) Slow(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pause = d
}

// GenerateDataKey returns a new data key and its wrapped form.
func (k *KEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	if err := k.serve(ctx, func(c *Calls) { c.GenerateDataKey++ }); err != nil {
		return nil, nil, err
	}
	plaintext = make([]byte, keymgr.DataKeySize)
	rand.Read(plaintext)
	return plaintext, k.wrap(plaintext, wc), nil
}

// Wrap encrypts a data key.
func (k *KEK) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	if err := k.serve(ctx, func(c *Calls) { c.Wrap++ }); err != nil {
		return nil, err
	}
	return k.wrap(plaintext, wc), nil
}

// Unwrap decrypts a data key.
func (k *KEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	if err := k.serve(ctx, func(c *Calls) { c.Unwrap++ }); err != nil {
		return nil, err
	}
	return k.unwrap(wrapped, wc)
}

// serve counts a call, waits while calls are blocked, and gives the answer
// that was set.
func (k *KEK) serve(ctx context.Context, count func(*Calls)) error {
	k.mu.Lock()
	count(&k.calls)
	gate, pause := k.gate, k.pause
	k.mu.Unlock()
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %s: %w", keymgr.ErrKMSUnavailable, k.URI(), err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.answer
}

func (k *KEK) wrap(plaintext []byte, wc keymgr.WrapContext) []byte {
	return k.aead.Seal(nil, nil, plaintext, encryptionContext(wc))
}

func (k *KEK) unwrap(wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	plaintext, err := k.aead.Open(nil, nil, wrapped, encryptionContext(wc))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: the wrapped data key does not authenticate", keymgr.ErrKeysetInvalid, k.URI())
	}
	return plaintext, nil
}

func encryptionContext(wc keymgr.WrapContext) []byte {
	b, err := json.Marshal(wc.EncryptionContext()) // sorts the keys
	if err != nil {
		panic(err) // strings always marshal
	}
	return b
}

// String returns the URI; so do all the other formatters.
func (k *KEK) String() string { return k.URI() }

// GoString is String.
func (k *KEK) GoString() string { return k.URI() }

// Format writes String for every verb.
func (k *KEK) Format(s fmt.State, _ rune) { io.WriteString(s, k.URI()) }

// LogValue is String.
func (k *KEK) LogValue() slog.Value { return slog.StringValue(k.URI()) }

// MarshalJSON is String.
func (k *KEK) MarshalJSON() ([]byte, error) { return json.Marshal(k.URI()) }
