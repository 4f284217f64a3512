package keymgr_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// What an operator finds in the log.
func TestLogTellsWhatHappens(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		second := keymgrtest.NewKEK("second")
		f := newFixture(t, func(cfg *keymgr.Config) { withKEKs([]keymgr.KEK{cfg.Domains["medical"].KEKs[0], second})(cfg) })
		ctx := keymgr.WithActor(t.Context(), "ops@example")
		logged := 0
		mustLog := func(parts ...string) {
			t.Helper()
			all := f.log.String()
			now := all[logged:]
			logged = len(all)
			for _, line := range strings.Split(now, "\n") {
				if containsAll(line, parts) {
					return
				}
			}
			t.Errorf("no line with %q in %s", parts, now)
		}
		mustLog("level=INFO", "scope created", "scope=medical", "test-kms://key", "test-kms://second")
		_, err := f.AddKey(ctx, medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		mustLog("level=INFO", "key added", "purpose=seal", "version=2", "actor=ops@example")
		mustBe(t, "Rewrap", f.Rewrap(ctx, medical), nil)
		mustLog("level=INFO", "scope rewrapped", "version=2", "actor=ops@example")

		f.kek.Deny()
		time.Sleep(cacheTTL)
		f.keys(medical)
		mustLog("level=WARN", "only another KEK", "kek=test-kms://second", "denied")
		f.kek.Unavailable()
		second.Unavailable()
		time.Sleep(cacheTTL)
		f.keys(medical)
		synctest.Wait()
		mustLog("level=WARN", "refresh failed", "scope=medical", "KMS unavailable")
		second.Deny()
		time.Sleep(cacheTTL)
		_, err = f.Keys(ctx, medical)
		mustBe(t, "Keys", err, keymgr.ErrKMSDenied)
		mustLog("level=ERROR", "scope evicted", "KMS denied")
		second.Recover()
		f.keys(medical)
		mustLog("level=INFO", "scope opened", "version=2")
	})
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// reentrant is a log handler that needs keys itself.
type reentrant struct {
	slog.Handler
	use func()
}

func (h *reentrant) Handle(context.Context, slog.Record) error {
	if use := h.use; use != nil {
		h.use = nil
		use()
	}
	return nil
}

func TestLogHandlerMayUseTheManager(t *testing.T) {
	handler := &reentrant{Handler: slog.NewTextHandler(io.Discard, nil)}
	f := newFixture(t, func(cfg *keymgr.Config) { cfg.Logger = slog.New(handler) })
	used := 0
	for _, provoke := range []func() error{
		func() error { _, err := f.Keys(t.Context(), medical); return err },
		func() error { _, err := f.AddKey(t.Context(), medical, keymgr.Seal); return err },
		func() error { return f.Rewrap(t.Context(), medical) },
	} {
		f.Evict(medical)
		handler.use = func() {
			f.keys(medical)
			f.Evict(medical)
			used++
		}
		mustBe(t, "a call", provoke(), nil)
	}
	if used != 3 {
		t.Errorf("the handler ran %d times", used)
	}
}

func TestActorsFitEveryStore(t *testing.T) {
	f := newFixture(t)
	for _, actor := range []string{"a\x00b", "\xff\xfe", strings.Repeat("ä", 200), strings.Repeat("x", 1000)} {
		var got string
		f.store.Store = seeActor{f.store.Store, &got}
		_, err := f.AddKey(keymgr.WithActor(t.Context(), actor), medical, keymgr.Seal)
		mustBe(t, "AddKey", err, nil)
		if got == "" || len(got) > 256 || !utf8.ValidString(got) || strings.Contains(got, "\x00") {
			t.Errorf("actor %q is stored as %q", actor, got)
		}
	}
}

type seeActor struct {
	keymgr.Store
	actor *string
}

func (s seeActor) Replace(ctx context.Context, r keymgr.Record, events []keymgr.Event) error {
	*s.actor = events[0].Actor
	return s.Store.Replace(ctx, r, events)
}
