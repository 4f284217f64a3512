package keymgr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
)

// aliasFixture holds "medical" and two tenants of "records", all wrapped by a
// key whose alias then moves on.
type aliasFixture struct {
	*fixture
	old, new, alias *movableKEK
}

func newAliasFixture(t *testing.T) aliasFixture {
	t.Helper()
	a := aliasFixture{old: newKey("old"), new: newKey("new")}
	a.alias = a.old.alias("alias")
	a.fixture = newFixture(t, a.config())
	a.createAt(t)
	a.alias.move(a.new)
	return a
}

func (a aliasFixture) createAt(t *testing.T) {
	t.Helper()
	m := a.open(lazy, a.config())
	defer m.Close()
	for i := range 2 {
		if err := m.Create(t.Context(), tenant(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func (a aliasFixture) config(decryptOnly ...keymgr.KEK) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) {
		for name, d := range cfg.Domains {
			d.KEKs, d.DecryptOnly = []keymgr.KEK{a.alias}, decryptOnly
			cfg.Domains[name] = d
		}
	}
}

func TestRewrapAllFindsAMovedAlias(t *testing.T) {
	for _, withoutOpening := range []bool{false, true} {
		name := map[bool]string{false: "opening", true: "without opening"}[withoutOpening]
		t.Run(name, func(t *testing.T) {
			a := newAliasFixture(t)
			o := keymgr.RewrapOptions{WithoutOpening: withoutOpening, DryRun: true}

			t.Run("old key not listed", func(t *testing.T) {
				m := a.open(lazy, a.config())
				for _, dry := range []bool{true, false} {
					o := o
					o.DryRun = dry
					report, err := m.RewrapAll(t.Context(), o)
					mustBe(t, "RewrapAll", err, keymgr.ErrRewrapFailed)
					if report.Failed != 3 || report.Moved != 3 {
						t.Fatalf("%+v", report)
					}
					for _, f := range report.Failures {
						mustBe(t, f.Scope.String(), f.Err, keymgr.ErrKEKNotAllowed)
						if len(f.Moved) != 1 || f.Moved[0] != (keymgr.MovedAlias{KEK: "test-kms://alias", Now: "test-kms://new"}) {
							t.Errorf("%+v", f.Moved)
						}
						for _, text := range []string{"wrapped by a key that the alias no longer names", "test-kms://new", "DecryptOnly"} {
							if !strings.Contains(f.Err.Error(), text) {
								t.Errorf("no %q in: %v", text, f.Err)
							}
						}
					}
				}
			})

			m := a.open(lazy, a.config(a.old))
			before, _ := a.alias.counts()
			report, err := m.RewrapAll(t.Context(), o)
			if err != nil || report.Planned != 3 || report.Moved != 3 {
				t.Fatalf("dry run: %+v, %v", report, err)
			}
			if asked, _ := a.alias.counts(); asked-before != 1 {
				t.Errorf("the alias was asked for %d times, want once for all scopes", asked-before)
			}
			o.DryRun = false
			report, err = m.RewrapAll(t.Context(), o)
			if err != nil || report.Rewrapped != 3 || report.Moved != 3 || report.NotOpened != withoutOpening {
				t.Fatalf("%+v, %v", report, err)
			}
			report, err = m.RewrapAll(t.Context(), o)
			if err != nil || report.Unchanged != 3 || report.Moved != 0 || report.KMSCalls != 4 {
				t.Fatalf("again: %+v, %v", report, err)
			}
			// The alias alone opens all of them now.
			opened := a.open(a.config())
			mustKeys(t, opened, tenant(0))
			mustKeys(t, opened, tenant(1))
		})
	}
}

func TestAnAliasThatCannotBeResolvedIsCheckedAllTheSame(t *testing.T) {
	a := newAliasFixture(t)
	a.alias.tells = errors.New("not authorized to perform: kms:DescribeKey")
	report, err := a.open(lazy, a.config()).RewrapAll(t.Context(), keymgr.RewrapOptions{})
	mustBe(t, "RewrapAll", err, keymgr.ErrRewrapFailed)
	if report.Moved != 3 || report.Failures[0].Moved[0].Now != "" {
		t.Errorf("%+v", report)
	}
	report, err = a.open(lazy, a.config(a.old)).RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Rewrapped != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestAnAliasThatStandsCostsOneCallPerScope(t *testing.T) {
	a := newAliasFixture(t)
	a.alias.move(a.old)
	calls := a.old.now().Calls()
	report, err := a.open(lazy, a.config()).RewrapAll(t.Context(), keymgr.RewrapOptions{})
	if err != nil || report.Unchanged != 3 || a.old.now().Calls().Total()-calls.Total() != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	a.old.now().Unavailable()
	report, err = a.open(lazy, a.config()).RewrapAll(t.Context(), keymgr.RewrapOptions{})
	mustBe(t, "RewrapAll", err, keymgr.ErrRewrapFailed)
	if report.Failed != 3 || !errors.Is(report.Failures[0].Err, keymgr.ErrKMSUnavailable) {
		t.Errorf("a check that was not answered: %+v", report)
	}
}

// Another KEK that opens the scope serves as the source, so that the old key need
// not be listed.
func TestAMovedAliasBesideAnotherKEK(t *testing.T) {
	old, other := newKey("old"), newKey("other")
	alias := old.alias("alias")
	f := newFixture(t, withKEKs([]keymgr.KEK{alias, other}))
	f.keys(medical)
	alias.move(newKey("new"))
	for _, o := range []keymgr.RewrapOptions{{WithoutOpening: true}, {}} {
		res, err := f.open(lazy, withKEKs([]keymgr.KEK{alias, other})).RewrapWith(t.Context(), medical, o)
		if err != nil || res.Outcome != keymgr.RewrapDone || len(res.Moved) != 1 {
			t.Errorf("%+v, %v", res, err)
		}
		alias.move(newKey("newer"))
	}
}
