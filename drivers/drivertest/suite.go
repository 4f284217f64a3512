package drivertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// suite is what one part of the suite works with.
type suite struct {
	*testing.T
	Driver
	ctx   context.Context
	keys  *keymgr.Manager
	kms   map[string]*keymgrtest.KEK // by domain
	store *fragileStore
	clock *keymgrtest.Clock
}

const (
	cacheTTL = 5 * time.Minute
	maxStale = time.Hour

	people    = "drivertest_people"
	twins     = "drivertest_twins"
	valueRows = "drivertest_values"
	residents = "drivertest_residents"
	samples   = "drivertest_samples"

	acme = "acme"
	hill = "hill"
	none = "none" // has no keys
)

var (
	medical = keymgr.Scope{Domain: "medical"}
	finance = keymgr.Scope{Domain: "finance"}
	ofAcme  = keymgr.Scope{Domain: "clinical", Tenant: acme}
	ofHill  = keymgr.Scope{Domain: "clinical", Tenant: hill}
)

func newSuite(t *testing.T, open func(*testing.T, *fieldcrypt.Crypter) Driver) *suite {
	s := &suite{
		T: t, ctx: t.Context(),
		kms:   map[string]*keymgrtest.KEK{},
		store: &fragileStore{Store: memstore.New()},
		clock: keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
	}
	for _, domain := range []string{"medical", "finance", "clinical"} {
		s.kms[domain] = keymgrtest.NewKEK(domain)
	}
	s.keys = s.manager()
	for _, tenant := range []keymgr.Scope{ofAcme, ofHill} {
		s.ok(s.keys.Create(s.ctx, tenant))
	}
	s.Driver = open(t, fieldcrypt.New(s.keys, fieldcrypt.Config{}))
	return s
}

// manager opens the keys, as each instance of an application does.
func (s *suite) manager() *keymgr.Manager {
	domains := map[string]keymgr.Domain{}
	for name, kek := range s.kms {
		perTenant := name == "clinical"
		domains[name] = keymgr.Domain{KEKs: []keymgr.KEK{kek}, PerTenant: perTenant, AutoCreate: !perTenant}
	}
	m, err := keymgr.Open(s.ctx, keymgr.Config{
		Store: s.store, Domains: domains, CacheTTL: cacheTTL, MaxStale: maxStale, Now: s.clock.Now,
	})
	s.ok(err)
	s.Cleanup(func() { m.Close() })
	return m
}

// cold drops all cached keys.
func (s *suite) cold() {
	for _, scope := range []keymgr.Scope{medical, finance, ofAcme, ofHill} {
		s.keys.Evict(scope)
	}
}

// in is a context of a tenant.
func (s *suite) in(tenant string) context.Context { return fieldcrypt.WithTenant(s.ctx, tenant) }

// bytes are all that the database holds.
func (s *suite) bytes() string {
	s.Helper()
	dump, err := s.Dump(s.ctx)
	s.ok(err)
	return string(dump)
}

// unchanged checks that what was refused has written nothing.
func (s *suite) unchanged(what, before string) {
	s.Helper()
	if s.bytes() != before {
		s.Errorf("%s: something was written", what)
	}
}

// fragileStore is a store that can be taken away.
type fragileStore struct {
	keymgr.Store
	gone atomic.Bool
}

var errGone = fmt.Errorf("%w: taken away by the test", keymgr.ErrStoreUnavailable)

func (s *fragileStore) Load(ctx context.Context, scope keymgr.Scope) (keymgr.Record, error) {
	if s.gone.Load() {
		return keymgr.Record{}, errGone
	}
	return s.Store.Load(ctx, scope)
}

func (s *fragileStore) Version(ctx context.Context, scope keymgr.Scope) (uint64, error) {
	if s.gone.Load() {
		return 0, errGone
	}
	return s.Store.Version(ctx, scope)
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails checks that an error is of one of the classes, and is the library's own:
// one that says where, and no value.
func (s *suite) fails(what string, err error, classes ...error) {
	s.Helper()
	for _, class := range classes {
		if errors.Is(err, class) {
			if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) {
				s.Errorf("%s: %v is no *fieldcrypt.Error", what, err)
			}
			return
		}
	}
	s.Errorf("%s: %v, want one of %v", what, err, classes)
}

// person is a sample row.
func person(id int64) Person {
	notes := fmt.Sprintf("note of %d", id)
	return Person{ID: id, Ward: "A", Name: fmt.Sprintf("Ünal %d", id), MRN: fmt.Sprintf("MRN-%05d", id), Card: fmt.Sprintf("4242 4242 %04d", id), Notes: &notes}
}

func (s *suite) insertPeople(ids ...int64) {
	s.Helper()
	for _, id := range ids {
		p := person(id)
		s.ok(s.Insert(s.ctx, &p))
	}
}

// getPerson reads a row that must be there.
func (s *suite) getPerson(id int64) Person {
	s.Helper()
	return getOf[Person](s, s.ctx, id)
}

// found reads the ids of the people whose field is one of the values.
func (s *suite) found(field string, values ...any) []int64 {
	s.Helper()
	return foundOf[Person](s, s.ctx, field, values...)
}

// foundOf is found for rows of any model.
func foundOf[M any](s *suite, ctx context.Context, field string, values ...any) []int64 {
	s.Helper()
	var rows []M
	if err := s.Find(ctx, &rows, field, values...); err != nil {
		s.Fatalf("Find by %s: %v", field, err)
	}
	ids := []int64{}
	for _, row := range rows {
		ids = append(ids, reflect.ValueOf(row).FieldByName("ID").Int())
	}
	return ids
}

// getOf reads a row of any model that must be there.
func getOf[M any](s *suite, ctx context.Context, id int64) (row M) {
	s.Helper()
	s.ok(s.Get(ctx, &row, id))
	return row
}

func (s *suite) stored(table, column string, id int64) []byte {
	s.Helper()
	b, err := s.Stored(s.ctx, table, column, id)
	s.ok(err)
	return b
}
