package migrate_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
	"github.com/fieldcrypt/go/migrate"
)

// sealed has four encrypted columns.
type sealed struct {
	C1 string `fieldcrypt:"medical"`
	C2 string `fieldcrypt:"medical"`
	C3 string `fieldcrypt:"medical"`
	C4 string `fieldcrypt:"medical"`
}

// resealer moves real values of the columns c1 to c4 to the primary key.
type resealer struct {
	columns
	crypter *fieldcrypt.Crypter
	table   *fieldcrypt.StoredTable
	model   *fieldcrypt.Model
	key     uint32
	rotate  func() // makes another key the primary, and the job's target
}

// columns are read and written.
type columns []string

func (c columns) Reads() []string                { return c }
func (c columns) Writes() []string               { return c }
func (columns) Bind(_, _ []migrate.Column) error { return nil }

func newResealer(t testing.TB) *resealer {
	t.Helper()
	ctx, clock, scope := context.Background(), keymgrtest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), keymgr.Scope{Domain: "medical"}
	keys, err := keymgr.Open(ctx, keymgr.Config{Store: memstore.New(), Now: clock.Now,
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("key")}, AutoCreate: true}}})
	ok(t, err)
	t.Cleanup(func() { keys.Close() })
	r := &resealer{columns: columns{"c1", "c2", "c3", "c4"}, crypter: fieldcrypt.New(keys, fieldcrypt.Config{})}
	b, err := r.crypter.Manifest(sealed{})
	ok(t, err)
	m, err := fieldcrypt.ParseManifest(b)
	ok(t, err)
	r.table, err = r.crypter.Table(&m.Tables[0])
	ok(t, err)
	r.model, err = r.crypter.Model(sealed{})
	ok(t, err)
	r.rotate = func() {
		r.key, err = keys.AddKey(ctx, scope, keymgr.Seal)
		ok(t, err)
		clock.Advance(2 * time.Hour)
		ok(t, keys.PromoteKey(ctx, scope, keymgr.Seal, r.key))
	}
	r.key, _ = fieldcrypt.KeyID(r.row(t)[0])
	return r
}

// row seals a row as a driver does.
func (r *resealer) row(t testing.TB) [][]byte {
	s := r.crypter.Sealer(context.Background(), fieldcrypt.Row{})
	values := make([][]byte, len(r.columns))
	for i, f := range r.model.Fields {
		var err error
		values[i], err = s.Seal(f, reflect.ValueOf("sixteen bytes..."))
		ok(t, err)
	}
	return values
}

// Todo is of rows that have a value under another key.
func (r *resealer) Todo() string { return todo(r.columns, 4, r.key) }

func (r *resealer) Rewrite(ctx context.Context, rows []migrate.Row) error {
	batch := r.table.Batch(ctx)
	for i := range rows {
		out := make([][]byte, len(r.columns))
		if _, err := batch.Reseal(&fieldcrypt.StoredRow{Values: rows[i].Old}, out); err != nil {
			return err
		}
		rows[i].New = out
	}
	return nil
}
