package keymgrtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

// ExerciseKEK is the conformance suite of [keymgr.KEK]. The others are further
// keys, of the same provider if it has several: each must refuse what kek
// has wrapped, and those that can take it over ([keymgr.Rewrapper]) must do it
// right. kek must be usable, and is afterwards.
func ExerciseKEK(t *testing.T, kek keymgr.KEK, others ...keymgr.KEK) {
	t.Helper()
	scope := keymgr.Scope{Domain: "medical", Tenant: "acme"}
	contexts := []keymgr.WrapContext{
		{Scope: keymgr.Scope{Domain: "medical"}},
		{Scope: scope},
		{Scope: scope, TenantContext: keymgr.TenantSHA256},
	}
	wc := contexts[1]

	t.Run("URI stays the same and names a scheme", func(t *testing.T) {
		if a, b := kek.URI(), kek.URI(); a != b || !strings.Contains(a, "://") {
			t.Fatalf("URIs %q and %q", a, b)
		}
	})
	for _, wc := range contexts {
		t.Run(fmt.Sprintf("round trip in %v", wc.EncryptionContext()), func(t *testing.T) { kekRoundTrip(t, kek, wc) })
	}
	t.Run("wrapped bytes open in their own context only", func(t *testing.T) { kekContexts(t, kek, wc) })
	t.Run("changed wrapped bytes are refused", func(t *testing.T) { kekTampered(t, kek, wc) })
	t.Run("a cancelled context is unavailable or ignored", func(t *testing.T) { kekCancelled(t, kek, wc) })
	t.Run("concurrent use", func(t *testing.T) { kekConcurrent(t, kek, wc) })
	t.Run("every formatter is implemented and agrees", func(t *testing.T) { kekRedacts(t, kek) })
	for _, other := range others {
		t.Run("another key "+other.URI(), func(t *testing.T) { kekOther(t, kek, other, wc) })
	}
}

func kekRoundTrip(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) {
	ctx := t.Context()
	dataKey, wrapped := generate(t, kek, wc)
	again, _ := generate(t, kek, wc)
	if bytes.Equal(dataKey, again) {
		t.Fatal("GenerateDataKey gave the same key twice")
	}
	mustUnwrap(t, kek, wrapped, wc, dataKey)

	input := slices.Clone(dataKey)
	rewrapped, err := kek.Wrap(ctx, input, wc)
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	if !bytes.Equal(input, dataKey) {
		t.Fatal("Wrap changed its input")
	}
	clear(input) // a KEK must not keep what it was given
	mustUnwrap(t, kek, rewrapped, wc, dataKey)
	mustUnwrap(t, kek, wrapped, wc, dataKey)
}

func kekContexts(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) {
	dataKey, wrapped := generate(t, kek, wc)
	for _, s := range []keymgr.Scope{
		{Domain: "finance", Tenant: "acme"},
		{Domain: "medical", Tenant: "acm"},
		{Domain: "medical", Tenant: "Acme"},
		{Domain: "medical"},
		{Domain: "medicala", Tenant: "cme"},
	} {
		_, err := kek.Unwrap(t.Context(), wrapped, keymgr.WrapContext{Scope: s})
		mustMatch(t, "scope "+s.String(), err, keymgr.ErrKeysetInvalid)
		mustNotShow(t, err, dataKey)
	}
}

func kekTampered(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) {
	dataKey, wrapped := generate(t, kek, wc)
	refused := func(what string, b []byte) {
		t.Helper()
		_, err := kek.Unwrap(t.Context(), b, wc)
		mustMatch(t, what, err, keymgr.ErrKeysetInvalid, keymgr.ErrKEKNotAllowed)
		mustNotShow(t, err, dataKey)
	}
	for i := range wrapped {
		b := slices.Clone(wrapped)
		b[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("bit %d of byte %d flipped", i%8, i), b)
	}
	for _, n := range []int{0, 1, len(wrapped) / 2, len(wrapped) - 1} {
		refused(fmt.Sprintf("cut to %d bytes", n), wrapped[:n])
	}
	refused("a byte more", append(slices.Clone(wrapped), 0))
	mustUnwrap(t, kek, wrapped, wc, dataKey)
}

func kekCancelled(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) {
	dataKey, wrapped := generate(t, kek, wc)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			mustMatch(t, what, err, keymgr.ErrKMSUnavailable)
		}
	}
	_, _, err := kek.GenerateDataKey(ctx, wc)
	check("GenerateDataKey", err)
	_, err = kek.Wrap(ctx, dataKey, wc)
	check("Wrap", err)
	got, err := kek.Unwrap(ctx, wrapped, wc)
	check("Unwrap", err)
	if err == nil && !bytes.Equal(got, dataKey) {
		t.Fatal("Unwrap gave another key")
	}
}

func kekConcurrent(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				dataKey, wrapped, err := kek.GenerateDataKey(t.Context(), wc)
				if err != nil {
					t.Errorf("GenerateDataKey: %v", err)
					return
				}
				if got, err := kek.Unwrap(t.Context(), wrapped, wc); err != nil || !bytes.Equal(got, dataKey) {
					t.Errorf("Unwrap: equal %v, %v", bytes.Equal(got, dataKey), err)
				}
			}
		})
	}
	wg.Wait()
}

func kekRedacts(t *testing.T, kek keymgr.KEK) {
	if _, ok := kek.(fmt.Formatter); !ok {
		t.Error("no Format")
	}
	if _, ok := kek.(fmt.Stringer); !ok {
		t.Error("no String")
	}
	if _, ok := kek.(fmt.GoStringer); !ok {
		t.Error("no GoString")
	}
	if _, ok := kek.(slog.LogValuer); !ok {
		t.Error("no LogValue")
	}
	if _, ok := kek.(json.Marshaler); !ok {
		t.Error("no MarshalJSON")
	}
	want := fmt.Sprintf("%v", kek)
	for _, verb := range []string{"%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, kek); got != want {
			t.Errorf("%s prints %q, %%v prints %q", verb, got, want)
		}
	}
}

func kekOther(t *testing.T, kek, other keymgr.KEK, wc keymgr.WrapContext) {
	dataKey, wrapped := generate(t, kek, wc)
	if kek.URI() == other.URI() {
		t.Fatal("two keys have the same URI")
	}
	_, err := other.Unwrap(t.Context(), wrapped, wc)
	mustMatch(t, "Unwrap by another key", err, keymgr.ErrKEKNotAllowed, keymgr.ErrKeysetInvalid)

	r, ok := other.(keymgr.Rewrapper)
	if !ok || !r.CanRewrap(kek) {
		return
	}
	hashed := keymgr.WrapContext{Scope: wc.Scope, TenantContext: keymgr.TenantSHA256}
	rewrapped, err := r.Rewrap(t.Context(), wrapped, kek, wc, hashed)
	if err != nil {
		t.Fatalf("Rewrap: %v", err)
	}
	mustUnwrap(t, other, rewrapped, hashed, dataKey)
	mustUnwrap(t, kek, wrapped, wc, dataKey)
	elsewhere := keymgr.WrapContext{Scope: keymgr.Scope{Domain: "finance", Tenant: "acme"}}
	_, err = r.Rewrap(t.Context(), wrapped, kek, elsewhere, wc)
	mustMatch(t, "Rewrap from another context", err, keymgr.ErrKeysetInvalid)
	_, err = r.Rewrap(t.Context(), rewrapped, kek, hashed, wc)
	mustMatch(t, "Rewrap of what another key has wrapped", err, keymgr.ErrKEKNotAllowed, keymgr.ErrKeysetInvalid)
}

func generate(t *testing.T, kek keymgr.KEK, wc keymgr.WrapContext) (dataKey, wrapped []byte) {
	t.Helper()
	dataKey, wrapped, err := kek.GenerateDataKey(t.Context(), wc)
	if err != nil {
		t.Fatalf("GenerateDataKey: %v", err)
	}
	if len(dataKey) != keymgr.DataKeySize {
		t.Fatalf("data key of %d bytes", len(dataKey))
	}
	if len(wrapped) == 0 || bytes.Contains(wrapped, dataKey) {
		t.Fatal("the wrapped data key is empty or holds the key in the clear")
	}
	return dataKey, wrapped
}

func mustUnwrap(t *testing.T, kek keymgr.KEK, wrapped []byte, wc keymgr.WrapContext, want []byte) {
	t.Helper()
	before := slices.Clone(wrapped)
	got, err := kek.Unwrap(t.Context(), wrapped, wc)
	if err != nil {
		t.Fatalf("Unwrap: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("Unwrap gave another key")
	}
	if !bytes.Equal(wrapped, before) {
		t.Fatal("Unwrap changed its input")
	}
	clear(got) // callers clear data keys; a KEK must not share their memory
}

func mustMatch(t *testing.T, what string, err error, want ...error) {
	t.Helper()
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Errorf("%s: error %v, want one of %v", what, err, want)
	}
}

func mustNotShow(t *testing.T, err error, secret []byte) {
	t.Helper()
	if err == nil {
		return
	}
	for _, form := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), fmt.Sprint(secret)} {
		if strings.Contains(err.Error(), form) {
			t.Error("an error shows the data key")
		}
	}
}
