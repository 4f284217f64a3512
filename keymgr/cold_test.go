package keymgr_test

import (
	"fmt"
	"runtime"
	"testing"
	"weak"

	"github.com/fieldcrypt/go/keymgr"
)

// response is what the error of a KMS's client may hold.
type response [4096]byte

type responseError struct{ *response }

func (responseError) Error() string { return "a response" }

// Uses that get the last error hear what the first ones heard, and nothing of a
// response is kept for them.
func TestRefusedScopesKeepNoResponses(t *testing.T) {
	inBubble(t, func(t *testing.T) { // no time passes
		f := newFixture(t)
		f.Evict(medical)
		body := &response{}
		kept := weak.Make(body)
		f.kek.Answer(fmt.Errorf("%w: %w", keymgr.ErrKMSDenied, responseError{body}))
		_, first := f.Keys(t.Context(), medical)
		refused := func() (n int) {
			for range 20 {
				before := f.Stats().Refused
				_, err := f.Keys(t.Context(), medical)
				mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
				mustBeOneClass(t, err)
				if err.Error() != first.Error() {
					t.Errorf("%q, first %q", err, first)
				}
				n += int(f.Stats().Refused - before)
			}
			return n
		}
		if n := refused(); n == 0 {
			t.Error("no use was refused")
		}
		text := first.Error()
		first = nil
		f.kek.Recover()
		body = nil
		runtime.GC()
		runtime.GC()
		if kept.Value() != nil {
			t.Error("the response is kept")
		}
		_, first = f.Keys(t.Context(), medical)
		if first == nil || first.Error() != text {
			t.Errorf("%v", first)
		}
	})
}
