package pgx_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// TestMovingIndexOfManyRows: the second column is each row's own too, and an upsert
// that sets the first sets it.
func TestMovingIndexOfManyRows(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		clock := keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		keys, err := keymgr.Open(ctx, keymgr.Config{Store: memstore.New(), Now: clock.Now, Domains: map[string]keymgr.Domain{
			"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("medical")}, AutoCreate: true},
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { keys.Close() })
		fc := fieldcrypt.New(keys, fieldcrypt.Config{})
		exec(t, db, "CREATE TABLE records (id bigint PRIMARY KEY)")
		type Record struct {
			ID  int64
			MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
		}
		migrate(t, db, fc, &Record{})
		exec(t, db, "ALTER TABLE records ADD COLUMN mrn_bidx_next bytea")
		if _, err := fc.SecretTerms(ctx, newMRN("x")); err != nil { // makes the keys
			t.Fatal(err)
		}
		if err := fc.Warm(ctx, "medical"); err != nil {
			t.Fatal(err)
		}
		scope := keymgr.Scope{Domain: "medical"}
		id, err := keys.AddKey(ctx, scope, keymgr.Index)
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(24 * time.Hour)
		if err := keys.BeginReindex(ctx, scope, "patients.mrn_bidx", id); err != nil {
			t.Fatal(err)
		}
		type next = fieldcrypt.SecretNextIndex[string, mrnField]
		w := pgxcrypt.Wrap(db, fc)
		a, b := newMRN("A"), newMRN("B")
		two := "INSERT INTO records (id, mrn, mrn_bidx, mrn_bidx_next) VALUES (1, $1, $2, $3), (2, $4, $5, $6)"
		insert := "INSERT INTO records (id, mrn, mrn_bidx, mrn_bidx_next) VALUES (@id, @mrn, @mrn_bidx, @mrn_bidx_next) ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx"
		row := Record{ID: 1, MRN: "C"}
		one := "INSERT INTO records (id, mrn, mrn_bidx, mrn_bidx_next) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx"
		for name, err := range map[string]error{
			"another's":            second(w.Exec(ctx, two, a, a.Index(), next{SecretIndex: b.Index()}, b, b.Index(), next{SecretIndex: b.Index()})),
			"one for two":          second(w.Exec(ctx, two, a, a.Index(), next{SecretIndex: a.Index()}, b, b.Index(), nil)),
			"an upsert of Args":    second(db.Exec(ctx, insert, pgxcrypt.Args(fc, row))),
			"an upsert of Secrets": second(w.Exec(ctx, one, a, MRNIndex{}, next{})),
		} {
			if !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		set := ", mrn_bidx_next = excluded.mrn_bidx_next"
		for _, err := range []error{
			second(w.Exec(ctx, two, a, a.Index(), next{SecretIndex: a.Index()}, b, b.Index(), next{SecretIndex: b.Index()})),
			second(db.Exec(ctx, insert+set, pgxcrypt.Args(fc, row))),
			second(w.Exec(ctx, one+set, a, MRNIndex{}, next{})),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}
