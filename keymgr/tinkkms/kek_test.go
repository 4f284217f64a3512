package tinkkms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
	"github.com/fieldcrypt/go/keymgr/tinkkms"
)

var medical = keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical"}}

// local classifies the errors of AEADs in this process: nothing can be down.
var local = tinkkms.Classify(func(error) error { return keymgr.ErrKeysetInvalid })

func localAEAD(t *testing.T) tink.AEAD {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKEK(t *testing.T, uri string, a tink.AEAD, opts ...tinkkms.Option) *tinkkms.KEK {
	t.Helper()
	kek, err := tinkkms.New(uri, a, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func TestConformance(t *testing.T) {
	other := newKEK(t, "test-kms://other", localAEAD(t), local)
	t.Run("local AEAD", func(t *testing.T) {
		keymgrtest.ExerciseKEK(t, newKEK(t, "test-kms://local", localAEAD(t), local), other)
	})
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Tink's fake KMS", func(t *testing.T) {
		a, err := fakekms.NewAEAD(uri)
		if err != nil {
			t.Fatal(err)
		}
		keymgrtest.ExerciseKEK(t, newKEK(t, "fake-kms://1", a, local), other)
	})
	t.Run("Tink's fake KMS with context", func(t *testing.T) {
		a, err := fakekms.NewAEADWithContext(uri)
		if err != nil {
			t.Fatal(err)
		}
		kek, err := tinkkms.NewWithContext("fake-kms://1", a, local)
		if err != nil {
			t.Fatal(err)
		}
		keymgrtest.ExerciseKEK(t, kek, other)
	})
}

func TestAManagerRunsOnIt(t *testing.T) {
	kek := newKEK(t, "test-kms://local", localAEAD(t), local)
	store := memstore.New()
	open := func() (*keymgr.Manager, error) {
		return keymgr.Open(t.Context(), keymgr.Config{Store: store, Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}}})
	}
	for range 2 {
		m, err := open()
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
	}
	kek = newKEK(t, "test-kms://local", localAEAD(t), local) // another key under the name
	if _, err := open(); !errors.Is(err, keymgr.ErrKeysetInvalid) {
		t.Errorf("another key: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	a := localAEAD(t)
	for _, uri := range []string{"", "medical", "://medical", "gcp-kms://"} {
		if _, err := tinkkms.New(uri, a); !errors.Is(err, keymgr.ErrConfig) {
			t.Errorf("%q: %v", uri, err)
		}
	}
	_, err1 := tinkkms.New("test-kms://1", nil)
	_, err2 := tinkkms.NewWithContext("test-kms://1", nil)
	if !errors.Is(err1, keymgr.ErrConfig) || !errors.Is(err2, keymgr.ErrConfig) {
		t.Errorf("nil: %v, %v", err1, err2)
	}
}

// scripted is an AEAD that does what the test says.
type scripted func(in []byte) ([]byte, error)

func (s scripted) Encrypt(in, _ []byte) ([]byte, error) { return s(in) }
func (s scripted) Decrypt(in, _ []byte) ([]byte, error) { return s(in) }

func TestErrorsHaveOneClass(t *testing.T) {
	forbidden := errors.New("403")
	classify := tinkkms.Classify(func(err error) error {
		switch {
		case errors.Is(err, forbidden):
			return keymgr.ErrKMSDenied
		case errors.Is(err, keymgr.ErrKeysetInvalid):
			return fmt.Errorf("told: %w", keymgr.ErrKEKNotAllowed)
		}
		return nil
	})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	all := []error{keymgr.ErrKMSDenied, keymgr.ErrKEKNotAllowed, keymgr.ErrKeysetInvalid, keymgr.ErrKMSUnavailable}
	for name, c := range map[string]struct {
		err  error
		opts []tinkkms.Option
		ctx  context.Context
		want error
	}{
		"nothing is known":                 {forbidden, nil, t.Context(), keymgr.ErrKMSUnavailable},
		"told":                             {fmt.Errorf("GCP: %w", forbidden), []tinkkms.Option{classify}, t.Context(), keymgr.ErrKMSDenied},
		"told nothing":                     {errors.New("503"), []tinkkms.Option{classify}, t.Context(), keymgr.ErrKMSUnavailable},
		"told otherwise":                   {keymgr.ErrKeysetInvalid, []tinkkms.Option{classify}, t.Context(), keymgr.ErrKEKNotAllowed},
		"a class already":                  {fmt.Errorf("x: %w", keymgr.ErrKMSDenied), nil, t.Context(), keymgr.ErrKMSDenied},
		"a class already, not told of":     {keymgr.ErrKMSDenied, []tinkkms.Option{classify}, t.Context(), keymgr.ErrKMSDenied},
		"the caller's end comes before it": {forbidden, []tinkkms.Option{classify}, cancelled, keymgr.ErrKMSUnavailable},
	} {
		kek := newKEK(t, "test-kms://1", scripted(func([]byte) ([]byte, error) { return nil, c.err }), c.opts...)
		_, _, err1 := kek.GenerateDataKey(c.ctx, medical)
		_, err2 := kek.Wrap(c.ctx, make([]byte, 32), medical)
		_, err3 := kek.Unwrap(c.ctx, []byte("x"), medical)
		for i, err := range []error{err1, err2, err3} {
			for _, class := range all {
				if errors.Is(err, class) != (class == c.want) {
					t.Errorf("%s, method %d: %v, want %v alone", name, i+1, err, c.want)
				}
			}
			if c.ctx == cancelled && !errors.Is(err, context.Canceled) {
				t.Errorf("%s, method %d: %v does not say that the caller cancelled", name, i+1, err)
			}
		}
	}
}

func TestWhatTheAEADReturnsIsChecked(t *testing.T) {
	returns := func(out []byte) *tinkkms.KEK {
		return newKEK(t, "test-kms://1", scripted(func([]byte) ([]byte, error) { return out, nil }))
	}
	for _, n := range []int{0, 16, 31, 33} {
		if got, err := returns(make([]byte, n)).Unwrap(t.Context(), []byte("x"), medical); !errors.Is(err, keymgr.ErrKeysetInvalid) || got != nil {
			t.Errorf("a data key of %d bytes: %v", n, err)
		}
		if _, err := returns([]byte("x")).Wrap(t.Context(), make([]byte, n), medical); !errors.Is(err, keymgr.ErrKeysetInvalid) {
			t.Errorf("Wrap of %d bytes: %v", n, err)
		}
	}
	for name, kek := range map[string]*tinkkms.KEK{
		"nothing":   returns(nil),
		"too much":  returns(make([]byte, 64<<10+1)),
		"its input": newKEK(t, "test-kms://1", scripted(func(in []byte) ([]byte, error) { return append([]byte("v1"), in...), nil })),
	} {
		if _, _, err := kek.GenerateDataKey(t.Context(), medical); !errors.Is(err, keymgr.ErrKMSUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	never := newKEK(t, "test-kms://1", scripted(func([]byte) ([]byte, error) { t.Error("the AEAD was called"); return nil, nil }))
	for _, n := range []int{0, 64<<10 + 1} {
		if _, err := never.Unwrap(t.Context(), make([]byte, n), medical); !errors.Is(err, keymgr.ErrKeysetInvalid) {
			t.Errorf("%d wrapped bytes: %v", n, err)
		}
	}
}

// An AEAD without a context that hangs: callers go on when theirs ends, no more
// than 64 goroutines are left behind, and all is well when it answers again.
func TestAnAEADThatHangsDoesNotHangTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		calls := make(chan []byte, 1000)
		kek := newKEK(t, "test-kms://1", scripted(func(in []byte) ([]byte, error) {
			calls <- in
			<-answer
			return bytes.Repeat([]byte{7}, keymgr.DataKeySize), nil
		}))
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			_, err := kek.Unwrap(ctx, []byte("wrapped"), medical)
			if !errors.Is(err, keymgr.ErrKMSUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			cancel()
		}
		if n := len(calls); n != 64 {
			t.Errorf("%d calls are under way", n)
		}
		close(answer)
		synctest.Wait()
		if _, err := kek.Unwrap(t.Context(), []byte("wrapped"), medical); err != nil {
			t.Errorf("when it answers again: %v", err)
		}
		for len(calls) > 1 {
			if in := <-calls; !bytes.Equal(in, make([]byte, len("wrapped"))) {
				t.Fatal("a copy was not cleared")
			}
		}
	})
}

// unbound is an AEAD that ignores its associated data.
type unbound struct{ tink.AEAD }

func (u unbound) Encrypt(in, _ []byte) ([]byte, error) { return u.AEAD.Encrypt(in, nil) }
func (u unbound) Decrypt(in, _ []byte) ([]byte, error) { return u.AEAD.Decrypt(in, nil) }

// flakyAEAD opens once.
type flakyAEAD struct {
	tink.AEAD
	n *int
}

func (f *flakyAEAD) Decrypt(in, ad []byte) ([]byte, error) {
	if *f.n++; *f.n > 1 {
		return nil, errors.New("503")
	}
	return f.AEAD.Decrypt(in, ad)
}

func TestProbe(t *testing.T) {
	a := localAEAD(t)
	if err := newKEK(t, "test-kms://1", a).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if err := newKEK(t, "test-kms://1", unbound{a}).Probe(t.Context()); !errors.Is(err, keymgr.ErrConfig) {
		t.Errorf("associated data that is not bound: %v", err)
	}
	n := 0
	flaky := &flakyAEAD{a, &n}
	if err := newKEK(t, "test-kms://1", flaky).Probe(t.Context()); !errors.Is(err, keymgr.ErrKMSUnavailable) {
		t.Errorf("down after the first opening: %v", err)
	}
	down := scripted(func([]byte) ([]byte, error) { return nil, errors.New("503") })
	if err := newKEK(t, "test-kms://1", down).Probe(t.Context()); !errors.Is(err, keymgr.ErrKMSUnavailable) {
		t.Errorf("down: %v", err)
	}
}

// secretAEAD holds what no formatter may print.
type secretAEAD struct {
	tink.AEAD
	Token string
}

func TestNothingPrintsTheAEAD(t *testing.T) {
	kek := newKEK(t, "test-kms://1", &secretAEAD{localAEAD(t), "c4n4ry"}, local)
	type holder struct {
		Ptr    *tinkkms.KEK
		Val    tinkkms.KEK
		hidden *tinkkms.KEK
		copied tinkkms.KEK
	}
	h := holder{kek, *kek, kek, *kek}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{kek, *kek, h, &h, []any{kek, h}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, log := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(log).Info("kek", "ptr", kek, "val", *kek, "holder", h)
	}
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "c4n4ry") || strings.Contains(s, fmt.Sprintf("%x", "c4n4ry")) || !strings.Contains(s, "test-kms://1") {
		t.Error(s)
	}
}
