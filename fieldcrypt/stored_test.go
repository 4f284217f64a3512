package fieldcrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// rotating is a Crypter whose keys a test rotates.
type rotating struct {
	*fieldcrypt.Crypter
	keys  *keymgr.Manager
	clock *keymgrtest.Clock
}

func newRotating(t testing.TB) *rotating {
	t.Helper()
	clock := keymgrtest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	kek := keymgrtest.NewKEK("key")
	domain := keymgr.Domain{KEKs: []keymgr.KEK{kek}, AutoCreate: true}
	tenants := domain
	tenants.PerTenant, tenants.AutoCreate = true, false
	keys, err := keymgr.Open(t.Context(), keymgr.Config{Store: memstore.New(), Now: clock.Now,
		Domains: map[string]keymgr.Domain{"medical": domain, "finance": domain, "tenants": tenants}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	for _, tenant := range []string{"acme", "globex"} {
		if err := keys.Create(t.Context(), keymgr.Scope{Domain: "tenants", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	cfg := fieldcrypt.Config{AllowPlaintextFallback: true, Observer: watcher{},
		Transforms: map[string]func(string) (string, error){"mrn_v1": func(s string) (string, error) { return strings.TrimPrefix(s, "MRN-"), nil }}}
	return &rotating{fieldcrypt.New(keys, cfg), keys, clock}
}

// rotate makes a new key the primary.
func (r *rotating) rotate(t testing.TB, s keymgr.Scope, p keymgr.Purpose) (id uint32) {
	t.Helper()
	id, err := r.keys.AddKey(t.Context(), s, p)
	if err == nil {
		r.clock.Advance(2 * time.Hour)
		err = r.keys.PromoteKey(t.Context(), s, p, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// table returns a model's table, through its manifest.
func (r *rotating) table(t testing.TB, model any, old ...fieldcrypt.OldIdentity) (*fieldcrypt.ManifestTable, *fieldcrypt.StoredTable) {
	t.Helper()
	b, err := r.Manifest(model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := fieldcrypt.ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.Table(&m.Tables[0], old...)
	if err != nil {
		t.Fatal(err)
	}
	return &m.Tables[0], table
}

// write stores a struct as a driver does.
func (r *rotating) write(t testing.TB, mt *fieldcrypt.ManifestTable, in any) *fieldcrypt.StoredRow {
	t.Helper()
	m, v := modelOf(t, r.Crypter, in), reflect.ValueOf(in).Elem()
	row := fieldcrypt.Row{Bound: func(f *fieldcrypt.Field) (reflect.Value, error) { return v.FieldByIndex(f.Bind.Index), nil }}
	out := &fieldcrypt.StoredRow{Values: make([][]byte, len(mt.Columns)), Bound: make([]any, len(mt.Columns)),
		Terms: make([][]byte, len(mt.Indexes)), Next: make([][]byte, len(mt.Indexes))}
	if m.Tenant != nil {
		row.Tenant = v.FieldByIndex(m.Tenant.Index).String()
		out.Tenant = row.Tenant
	}
	s := r.Sealer(t.Context(), row)
	for i, col := range mt.Columns {
		for _, f := range m.Fields {
			if f.Column != col.Column {
				continue
			}
			stored, err := s.Seal(f, v.FieldByIndex(f.Index))
			if err != nil {
				t.Fatal(err)
			}
			out.Values[i] = stored
			if f.Bind != nil {
				out.Bound[i] = v.FieldByIndex(f.Bind.Index).Interface()
				if key, ok := out.Bound[i].(uuid); ok {
					out.Bound[i] = [16]byte(key) // as pgx gives it
				}
			}
		}
	}
	for i, col := range mt.Indexes {
		for _, ix := range m.Indexes {
			if ix.Column != col.Column {
				continue
			}
			var values []reflect.Value
			for _, f := range ix.Fields {
				values = append(values, v.FieldByIndex(f.Index))
			}
			var err error
			if out.Terms[i], err = s.Index(ix, values...); err == nil {
				out.Next[i], _, err = s.NextIndex(ix, values...)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// read opens what is stored into a new struct, as an application does.
func (r *rotating) read(t testing.TB, mt *fieldcrypt.ManifestTable, like any, row *fieldcrypt.StoredRow) any {
	t.Helper()
	m, in := modelOf(t, r.Crypter, like), reflect.ValueOf(like).Elem()
	out := reflect.New(m.Type).Elem()
	out.Set(in)
	for _, f := range m.Fields {
		out.FieldByIndex(f.Index).SetZero()
		for i, col := range mt.Columns {
			if col.Column != f.Column {
				continue
			}
			err := r.Open(t.Context(), f, row.Values[i], out.FieldByIndex(f.Index), fieldcrypt.Row{Tenant: row.Tenant,
				Bound: func(f *fieldcrypt.Field) (reflect.Value, error) { return in.FieldByIndex(f.Bind.Index), nil }})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return out.Addr().Interface()
}

func fullVisit() *visit {
	maybe := strings.Repeat(canary, 3)
	return &visit{Key: uuid{1, 2, 3, 15: 4}, Clinic: "north", Number: math.MaxUint64, Text: " MRN-" + canary, Maybe: &maybe,
		Bytes: []byte{}, Array: [4]byte{9, 0, 9}, Small: -7, Big: math.MaxUint64, Ratio: 1.5, Yes: true,
		At: time.Date(1999, 9, 9, 9, 9, 9, 99, time.FixedZone("", 3600)), JSON: map[string]any{"a": "b"}, UUID: uuid{5}, Any: stamp{3}}
}

// verified fails if a row does not verify.
func verified(t testing.TB, b *fieldcrypt.StoredBatch, row *fieldcrypt.StoredRow) {
	t.Helper()
	failures, err := b.Verify(row)
	if err != nil || len(failures) > 0 {
		t.Fatalf("the row does not verify: %v, %v", failures, err)
	}
}

func TestResealMovesARowToThePrimaryKey(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &visit{})
	for name, in := range map[string]*visit{"full": fullVisit(), "empty": {Number: 5}} {
		row := r.write(t, mt, in)
		verified(t, table.Batch(t.Context()), row)
		medical := r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
		finance := r.rotate(t, keymgr.Scope{Domain: "finance"}, keymgr.Seal)
		before := row.Values
		out := make([][]byte, len(before))
		b := table.Batch(t.Context())
		changed, err := b.Reseal(row, out)
		if err != nil {
			t.Fatal(err)
		}
		salts := map[string]string{}
		for i, col := range mt.Columns {
			want := map[string]uint32{"medical": medical, "finance": finance}[col.Domain]
			if before[i] == nil {
				if out[i] != nil {
					t.Errorf("%s: %s was NULL", name, col.Column)
				}
				continue
			}
			changed--
			if id, ok := fieldcrypt.KeyID(out[i]); !ok || id != want || len(out[i]) != len(before[i]) {
				t.Errorf("%s: %s has key %d, %v, and %d bytes instead of %d", name, col.Column, id, ok, len(out[i]), len(before[i]))
			}
			salt := string(out[i][7:19])
			if had := salts[col.Domain]; had != "" && had != salt {
				t.Errorf("%s: the row has two salts in %s", name, col.Domain)
			}
			salts[col.Domain] = salt
		}
		if changed != 0 || salts["medical"] == salts["finance"] {
			t.Errorf("%s: %d changed more than there are, or domains share a salt", name, changed)
		}
		row.Values = out
		for i := range out {
			out[i] = bytes.Clone(out[i])
		}
		if got := r.read(t, mt, in, row); !reflect.DeepEqual(got, in) {
			t.Errorf("%s: got %+v, want %+v", name, got, in)
		}
		verified(t, b, row)
		again := make([][]byte, len(before))
		if n, err := b.Reseal(row, again); n != 0 || err != nil {
			t.Errorf("%s: again %d are changed, %v", name, n, err)
		}
	}
}

func TestRowsOfABatchKeepTheirOwnSaltsAndMemory(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &record{})
	in := &record{A: strings.Repeat("a", 20<<10), B: "b", C: "c", D: ""}
	rows := []*fieldcrypt.StoredRow{}
	for range 20 {
		rows = append(rows, r.write(t, mt, in))
	}
	r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	b, salts := table.Batch(t.Context()), map[string]bool{}
	for _, row := range rows {
		out := make([][]byte, 4)
		if n, err := b.Reseal(row, out); n != 4 || err != nil {
			t.Fatal(n, err)
		}
		row.Values = out
		salts[string(out[0][7:19])] = true
	}
	for _, row := range rows {
		verified(t, b, row)
		if got := r.read(t, mt, in, row); !reflect.DeepEqual(got, in) {
			t.Fatal("a later row has changed an earlier one")
		}
	}
	if len(salts) != len(rows) {
		t.Errorf("%d rows have %d salts", len(rows), len(salts))
	}
}

func TestResealOfNamedKeysAlone(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &record{})
	row := r.write(t, mt, &record{A: "a", B: "b"})
	first, _ := fieldcrypt.KeyID(row.Values[0])
	second := r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	row.Values[1] = r.write(t, mt, &record{B: "new"}).Values[1]
	r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	out := make([][]byte, 4)
	for _, c := range []struct {
		keys []uint32
		want string
	}{{[]uint32{first}, "a-cd"}, {[]uint32{second}, "-b--"}, {[]uint32{first, second}, "abcd"}, {nil, "abcd"}, {[]uint32{12345}, "----"}} {
		n, err := table.Batch(t.Context()).Reseal(row, out, c.keys...)
		got := ""
		for i, value := range out {
			if value == nil {
				got += "-"
			} else {
				got += string("abcd"[i])
			}
		}
		if err != nil || got != c.want || n != 4-strings.Count(got, "-") {
			t.Errorf("keys %v: %d, %s, %v; want %s", c.keys, n, got, err, c.want)
		}
	}
}

// Rows of two versions of a model, the second of which has other identities.
type (
	oldNote struct {
		ID   int64  `gorm:"autoIncrement:false"`
		Org  string `fieldcrypt:",tenant"`
		Text string `fieldcrypt:"medical"`
		More string `fieldcrypt:"finance,pad=64,bind=ID"`
		Mine string `fieldcrypt:"medical"`
	}
	newNote struct {
		ID   int64  `gorm:"autoIncrement:false"`
		Org  string `fieldcrypt:",tenant"`
		Text string `fieldcrypt:"medical,id=notes.body,bind=ID"` // id and bind
		More string `fieldcrypt:"medical,pad=64"`                // domain and bind
		Mine string `fieldcrypt:"tenants"`                       // domain and tenancy
	}
)

func (oldNote) TableName() string { return "notes" }
func (newNote) TableName() string { return "notes" }

func TestResealFromAnOldIdentity(t *testing.T) {
	r := newRotating(t)
	oldTable, _ := r.table(t, &oldNote{})
	id := &fieldcrypt.ManifestBind{Column: "id", Type: "int64"}
	newTable, table := r.table(t, &newNote{},
		fieldcrypt.OldIdentity{Column: "text", ID: "notes.text"},
		fieldcrypt.OldIdentity{Column: "more", Domain: "finance", Bind: id},
		fieldcrypt.OldIdentity{Column: "mine", Domain: "medical"})
	in := &oldNote{ID: 7, Org: "acme", Text: canary, More: canary, Mine: canary}
	row := r.write(t, oldTable, in)
	first, _ := fieldcrypt.KeyID(row.Values[2])
	row.OldBind, row.Bound = row.Bound, []any{nil, nil, int32(7)} // mine, more, text
	out := make([][]byte, 3)
	if _, err := table.Batch(t.Context()).Reseal(row, out); !errors.Is(err, fieldcrypt.ErrUnsupported) || fieldcrypt.FailureClass(err) != "" {
		t.Errorf("two identities of one domain, and no keys named: %v", err)
	}
	r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	b := table.Batch(t.Context())
	if n, err := b.Reseal(row, out, first); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	row.Values = append([][]byte{}, out...)
	want := &newNote{ID: 7, Org: "acme", Text: canary, More: canary, Mine: canary}
	if got := r.read(t, newTable, want, row); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	verified(t, b, row)
	if n, err := b.Reseal(row, out, first); n != 0 || err != nil {
		t.Errorf("values of the new identities: %d, %v", n, err)
	}
	other := r.write(t, newTable, &newNote{ID: 8, Org: "globex", Text: "x", More: "y", Mine: "z"}) // a live writer's
	if n, err := b.Reseal(other, out, first); n != 0 || err != nil {
		t.Errorf("a live writer's row: %d, %v", n, err)
	}
	row = r.write(t, oldTable, in)
	row.OldBind = []any{nil, int64(8), nil}
	row.Bound = []any{nil, nil, int64(7)}
	if n, err := b.Reseal(row, out, first, 1); n != 0 || fieldcrypt.FailureClass(err) != fieldcrypt.FailureAuthentication || !allNil(out) {
		t.Errorf("bound to another row: %d, %v", n, err)
	}
	for _, o := range []fieldcrypt.OldIdentity{{Column: "none"}, {Column: "text", ID: "text"}, {Column: "text", Domain: "nope"}, {Column: "text", Bind: &fieldcrypt.ManifestBind{Column: "id", Type: "float64"}}} {
		if _, err := r.Table(newTable, o); !errors.Is(err, fieldcrypt.ErrManifest) && !errors.Is(err, fieldcrypt.ErrUnknownDomain) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func allNil(out [][]byte) bool {
	for _, b := range out {
		if b != nil {
			return false
		}
	}
	return true
}

func TestBoundColumnsAsDriversGiveThem(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &visit{})
	in := fullVisit()
	row := r.write(t, mt, in)
	at := map[string]int{}
	for i, col := range mt.Columns {
		at[col.Column] = i
	}
	b := table.Batch(t.Context())
	for column, ways := range map[string][]any{
		"text":  {[16]byte(in.Key), in.Key[:], fmt.Sprintf("%x-%x-%x-%x-%x", in.Key[:4], in.Key[4:6], in.Key[6:8], in.Key[8:10], in.Key[10:])},
		"maybe": {uint64(math.MaxUint64), "18446744073709551615", []byte("18446744073709551615")},
		"bytes": {"north", []byte("north")},
	} {
		for _, v := range ways {
			row.Bound[at[column]] = v
			verified(t, b, row)
		}
		for _, v := range []any{nil, "south", 1.5, int64(-1), []byte{}} {
			row.Bound[at[column]] = v
			failures, err := b.Verify(row)
			if err != nil || len(failures) != 1 {
				t.Errorf("%s bound to %v: %v, %v", column, v, failures, err)
			}
		}
		row.Bound[at[column]] = ways[0]
	}
	row.Bound = nil
	if _, err := b.Verify(row); !errors.Is(err, fieldcrypt.ErrUnsupported) {
		t.Errorf("without the bound columns: %v", err)
	}
}

func TestSeveralGoroutinesShareATable(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &visit{})
	rows := make([]*fieldcrypt.StoredRow, 50)
	for i := range rows {
		rows[i] = r.write(t, mt, fullVisit())
	}
	r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			b, out := table.Batch(context.Background()), make([][]byte, len(mt.Columns))
			for _, row := range rows {
				if n, err := b.Reseal(row, out); n != 5 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				if f, err := b.Verify(row); len(f) > 0 || err != nil {
					t.Errorf("%v, %v", f, err)
				}
			}
		})
	}
	wg.Wait()
}
