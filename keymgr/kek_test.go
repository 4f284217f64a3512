package keymgr_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

var errUnanswered = errors.New("connection refused")

// Which KEK opens a scope that is wrapped under a, b and c, and what the caller
// is told if none does.
func TestSeveralKEKs(t *testing.T) {
	for _, c := range []struct {
		name             string
		a, b             error // what they answer
		want             error
		callsOfA, callsB int
	}{
		{"both fine", nil, nil, nil, 1, 0},
		{"first down", keymgr.ErrKMSUnavailable, nil, nil, 1, 1},
		{"first denied", keymgr.ErrKMSDenied, nil, nil, 1, 1},
		{"second denied", nil, keymgr.ErrKMSDenied, nil, 1, 0},
		{"both down", keymgr.ErrKMSUnavailable, errUnanswered, keymgr.ErrKMSUnavailable, 1, 1},
		{"denied and down", keymgr.ErrKMSDenied, keymgr.ErrKMSUnavailable, keymgr.ErrKMSDenied, 1, 1},
		{"down and denied", keymgr.ErrKMSUnavailable, keymgr.ErrKMSDenied, keymgr.ErrKMSDenied, 1, 1},
		{"invalid and denied", keymgr.ErrKeysetInvalid, keymgr.ErrKMSDenied, keymgr.ErrKMSDenied, 1, 1},
		{"down and invalid", keymgr.ErrKMSUnavailable, keymgr.ErrKeysetInvalid, keymgr.ErrKeysetInvalid, 1, 1},
		{"another key and down", keymgr.ErrKEKNotAllowed, keymgr.ErrKMSUnavailable, keymgr.ErrKEKNotAllowed, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, thief := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b"), keymgrtest.NewKEK("thief")
			f := newFixture(t, withKEKs([]keymgr.KEK{thief, a, b}))
			m := f.open(lazy, withKEKs([]keymgr.KEK{a}, b))
			callsA, callsB, callsThief := a.Calls().Total(), b.Calls().Total(), thief.Calls().Total()
			a.Answer(c.a)
			b.Answer(c.b)
			_, err := m.Keys(t.Context(), medical)
			mustBe(t, "Keys", err, c.want)
			mustBeOneClass(t, err)
			if gotA, gotB := a.Calls().Total()-callsA, b.Calls().Total()-callsB; gotA != c.callsOfA || gotB != c.callsB {
				t.Errorf("%d calls of a and %d of b, want %d and %d", gotA, gotB, c.callsOfA, c.callsB)
			}
			if thief.Calls().Total() != callsThief {
				t.Error("a KEK that the configuration does not list was called")
			}
		})
	}
}

// mustBeOneClass: every error matches exactly one sentinel.
func mustBeOneClass(t *testing.T, err error) {
	t.Helper()
	n := 0
	for _, class := range []error{
		keymgr.ErrConfig, keymgr.ErrClosed, keymgr.ErrUnknownDomain, keymgr.ErrNoTenant, keymgr.ErrInvalidScope,
		keymgr.ErrScopeNotFound, keymgr.ErrScopeExists, keymgr.ErrConflict, keymgr.ErrKEKNotAllowed, keymgr.ErrKMSDenied,
		keymgr.ErrKMSUnavailable, keymgr.ErrStoreUnavailable, keymgr.ErrKeysetInvalid, keymgr.ErrRollback,
		keymgr.ErrUnknownKey, keymgr.ErrKeyDisabled, keymgr.ErrKeyIDTaken, keymgr.ErrKeyState,
		keymgr.ErrKeyInUse, keymgr.ErrScopeDestroyed,
		keymgr.ErrRewrapFailed,
	} {
		if errors.Is(err, class) {
			n++
		}
	}
	if err != nil && n != 1 {
		t.Errorf("error %v matches %d sentinels", err, n)
	}
}

func TestUnlistedKEKIsNamedAndNeverCalled(t *testing.T) {
	theirs, ours := keymgrtest.NewKEK("theirs"), keymgrtest.NewKEK("ours")
	f := newFixture(t, withKEKs([]keymgr.KEK{theirs}))
	calls := theirs.Calls().Total()
	m := f.open(lazy, withKEKs([]keymgr.KEK{ours}))
	_, err := m.Keys(t.Context(), medical)
	mustBe(t, "Keys", err, keymgr.ErrKEKNotAllowed)
	for _, uri := range []string{theirs.URI(), ours.URI()} {
		if !strings.Contains(err.Error(), uri) {
			t.Errorf("error %q does not name %s", err, uri)
		}
	}
	if theirs.Calls().Total() != calls || ours.Calls().Total() != 0 {
		t.Error("a KEK was called")
	}
}

// A wrap that opens to another data key, such as an older version's put back,
// does not hide one that is right.
func TestWrapOfAnotherDataKeyDoesNotHideTheNext(t *testing.T) {
	a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
	f := newFixture(t, withKEKs([]keymgr.KEK{a, b}))
	_, old, err := a.GenerateDataKey(t.Context(), keymgr.WrapContext{Scope: medical})
	mustBe(t, "GenerateDataKey", err, nil)
	f.store.Lie(func(r *keymgr.Record) { r.Wraps[0].Wrapped = old })
	f.Evict(medical)
	f.keys(medical)
	b.Unavailable()
	f.Evict(medical)
	_, err = f.Keys(t.Context(), medical)
	mustBe(t, "the right wrap is out of reach", err, keymgr.ErrKeysetInvalid)
}

func TestTenantKEK(t *testing.T) {
	own := map[string]keymgr.KEK{"acme": keymgrtest.NewKEK("acme"), "globex": keymgrtest.NewKEK("globex")}
	var fail error
	shared := keymgrtest.NewKEK("shared")
	f := newFixture(t, func(cfg *keymgr.Config) {
		cfg.Domains["records"] = keymgr.Domain{PerTenant: true, KEKs: []keymgr.KEK{shared},
			TenantKEK: func(_ context.Context, tenant string) ([]keymgr.KEK, error) {
				if k := own[tenant]; k != nil && fail == nil {
					return []keymgr.KEK{k}, nil
				}
				return nil, fail
			}}
	})
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	if r := f.record(acme); len(r.Wraps) != 1 || r.Wraps[0].KEKURI != "test-kms://acme" {
		t.Errorf("wraps %v", r.Wraps)
	}
	f.Evict(acme)
	f.keys(acme)
	if shared.Calls().Total() != 0 || own["globex"].(*keymgrtest.KEK).Calls().Total() != 0 {
		t.Error("another KEK than the tenant's own was called")
	}

	initech := keymgr.Scope{Domain: "records", Tenant: "initech"}
	err := f.Create(t.Context(), initech)
	mustBe(t, "a tenant without a KEK", err, keymgr.ErrKEKNotAllowed)
	for _, fail = range []error{keymgr.ErrKMSDenied, errUnanswered} {
		want := fail
		if fail == errUnanswered {
			want = keymgr.ErrKMSUnavailable
		}
		f.Evict(acme)
		_, err := f.Keys(t.Context(), acme)
		mustBe(t, "the resolver fails", err, want)
		mustBeOneClass(t, err)
	}
	fail = nil
	own["acme"] = own["globex"]
	_, err = f.Keys(t.Context(), acme)
	mustBe(t, "the resolver names another KEK", err, keymgr.ErrKEKNotAllowed)
}

func TestTenantContextIsKeptPerWrap(t *testing.T) {
	hashed := func(cfg *keymgr.Config) {
		d := cfg.Domains["records"]
		d.TenantContext = keymgr.TenantSHA256
		cfg.Domains["records"] = d
	}
	f := newFixture(t)
	mustBe(t, "Create", f.Create(t.Context(), acme), nil)
	m := f.open(hashed)
	mustKeys(t, m, acme) // wrapped in the plain context, which the wrap says
	mustBe(t, "Rewrap", m.Rewrap(t.Context(), acme), nil)
	if w := f.record(acme).Wraps[0]; w.TenantContext != keymgr.TenantSHA256 {
		t.Errorf("tenant context %q", w.TenantContext)
	}
	f.Evict(acme)
	f.keys(acme)

	f.store.Lie(func(r *keymgr.Record) { r.Wraps[0].TenantContext = keymgr.TenantPlain })
	f.Evict(acme)
	_, err := f.Keys(t.Context(), acme)
	mustBe(t, "a wrap that lies about its context", err, keymgr.ErrKeysetInvalid)
	f.store.Lie(func(r *keymgr.Record) { r.Wraps[0].TenantContext = "md5" })
	calls := f.kek.Calls().Total()
	_, err = f.Keys(t.Context(), acme)
	mustBe(t, "a wrap with an unknown context", err, keymgr.ErrKeysetInvalid)
	if f.kek.Calls().Total() != calls {
		t.Error("the KMS was called")
	}
	f.store.Lie(nil)

	// A tenant whose name is personal data stays out of errors and logs.
	jane := keymgr.Scope{Domain: "records", Tenant: "jane.doe"}
	g := newFixture(t, hashed)
	_, err = g.Keys(t.Context(), jane)
	mustBe(t, "Keys", err, keymgr.ErrScopeNotFound)
	mustBe(t, "Create", g.Create(t.Context(), jane), nil)
	g.kek.Deny()
	g.Evict(jane)
	_, denied := g.Keys(t.Context(), jane)
	if all := err.Error() + denied.Error() + g.log.String(); strings.Contains(all, "jane") {
		t.Errorf("the tenant's name is in %s", all)
	}
}
