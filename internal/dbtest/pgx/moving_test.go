package pgx_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// TestIndexIsMoved: while an index goes over to another key both columns are
// written, by every way, and a statement that leaves out the second is refused.
func TestIndexIsMoved(t *testing.T) {
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
		exec(t, db, "CREATE TABLE visits (id bigint PRIMARY KEY, patient_id bigint)")
		migrate(t, db, fc, &Visit{})
		exec(t, db, "ALTER TABLE visits ADD COLUMN reason_bidx_next bytea")
		insert := "INSERT INTO visits (id, reason, reason_bidx) VALUES (@id, @reason, @reason_bidx)"
		both := "INSERT INTO visits (id, reason, reason_bidx, reason_bidx_next) VALUES (@id, @reason, @reason_bidx, @reason_bidx_next)"

		exec(t, db, insert, pgxcrypt.Args(fc, &Visit{ID: 1, Reason: "cough"}))
		exec(t, db, both, pgxcrypt.Args(fc, &Visit{ID: 2, Reason: "cough"})) // NULL
		scope := keymgr.Scope{Domain: "medical"}
		next, err := keys.AddKey(ctx, scope, keymgr.Index)
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(24 * time.Hour)
		if err := keys.BeginReindex(ctx, scope, "visits.reason_bidx", next); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"Args":   second(db.Exec(ctx, insert, pgxcrypt.Args(fc, &Visit{ID: 3, Reason: "cough"}))),
			"Unnest": second(db.Exec(ctx, "INSERT INTO visits (reason, reason_bidx) SELECT * FROM unnest(@reason::bytea[], @reason_bidx::bytea[])", pgxcrypt.Unnest(fc, []Visit{{ID: 3}}))),
		} {
			if !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s without the second column: %v", name, err)
			}
		}
		exec(t, db, both, pgxcrypt.Args(fc, &Visit{ID: 3, Reason: "cough"}))
		exec(t, db, `INSERT INTO visits (id, reason, reason_bidx, reason_bidx_next)
			SELECT * FROM unnest(@id::bigint[], @reason::bytea[], @reason_bidx::bytea[], @reason_bidx_next::bytea[])`, pgxcrypt.Unnest(fc, []Visit{{ID: 4, Reason: "cough"}}))
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"visits"}, []Visit{{ID: 5, Reason: "cough"}}); err != nil {
			t.Fatal(err)
		}
		if n := collect(t, db, pgx.RowTo[int64], "SELECT count(DISTINCT reason_bidx_next) + 10 * count(reason_bidx_next) + 100 * count(*) FROM visits"); n[0] != 100*5+10*3+1 {
			t.Errorf("the second column has %d (rows, set, distinct)", n)
		}
		// The second column does not get into the way of reading and searching.
		terms, err := pgxcrypt.Eq[Visit](ctx, fc, "reason", "cough")
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, db, pgxcrypt.RowToStructByNameLax[flatVisit](ctx, fc), "SELECT * FROM visits WHERE reason_bidx = ANY($1) OR reason_bidx_next = ANY($1)", terms); len(got) != 5 {
			t.Errorf("%d visits are found", len(got))
		}
		if err := keys.EndReindex(ctx, scope, "visits.reason_bidx"); err != nil {
			t.Fatal(err)
		}
		exec(t, db, insert, pgxcrypt.Args(fc, &Visit{ID: 6, Reason: "cough"}))
	})
}

// flatVisit is a Visit without a NOT NULL patient.
type flatVisit struct {
	ID        int64
	PatientID *int64
	Reason    string `fieldcrypt:"medical,index,id=visits.reason"`
}

func second[T any](_ T, err error) error { return err }

// adopted is a row whose plaintext column is being adopted.
type adopted struct {
	ID   int64
	Code string  `fieldcrypt:"medical,index,plain=code_plain" db:"code"`
	Note *string `fieldcrypt:"medical,plain=note_plain,fallback" db:"note"`
}

// TableName names the table.
func (adopted) TableName() string { return "adopted" }

// reads counts the plaintext that was read.
type reads struct{ atomic.Int64 }

// Observe implements fieldcrypt.Observer.
func (r *reads) Observe(context.Context, fieldcrypt.Event) { r.Add(1) }

// TestPlaintextIsAdopted: both columns are written, ciphertext is read, and
// plaintext where that is allowed, which somebody is told.
func TestPlaintextIsAdopted(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		told := &reads{}
		fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: told})
		exec(t, db, "CREATE TABLE adopted (id bigint PRIMARY KEY, code_plain text, note_plain text)")
		migrate(t, db, fc, adopted{})
		note := "a note"
		want := adopted{1, "X1", &note}
		insert := "INSERT INTO adopted (id, code, code_bidx, code_plain, note, note_plain) VALUES (@id, @code, @code_bidx, @code_plain, @note, @note_plain)"
		exec(t, db, insert, pgxcrypt.Args(fc, &want))
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"adopted"}, []adopted{{2, "X2", nil}}); err != nil {
			t.Fatal(err)
		}
		exec(t, db, `INSERT INTO adopted (id, code, code_bidx, code_plain) SELECT * FROM unnest(@id::bigint[], @code::bytea[], @code_bidx::bytea[], @code_plain::text[])`,
			pgxcrypt.Unnest(fc, []adopted{{3, "X3", nil}}))
		if got := collect(t, db, pgx.RowTo[string], "SELECT code_plain FROM adopted ORDER BY id"); !slices.Equal(got, []string{"X1", "X2", "X3"}) {
			t.Errorf("the plaintext column holds %v", got)
		}
		for _, sql := range []string{
			"INSERT INTO adopted (id, code, code_bidx) VALUES (@id, @code, @code_bidx)",
			"UPDATE adopted SET code_plain = @code_plain WHERE id = @id",
		} {
			if _, err := db.Exec(ctx, sql, pgxcrypt.Args(fc, &want)); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", sql, err)
			}
		}
		read := pgxcrypt.RowToStructByName[adopted](ctx, fc)
		// What stands in the plaintext column beside a sealed value does not count.
		exec(t, db, "UPDATE adopted SET code_plain = 'planted', note_plain = 'planted' WHERE id = 1")
		got := collect(t, db, read, "SELECT * FROM adopted WHERE id < 3 ORDER BY id")
		if got[0].Code != "X1" || *got[0].Note != note || got[1].Note != nil || told.Load() != 0 {
			t.Errorf("%+v, told %d times", got, told.Load())
		}
		// A row that is not sealed yet: the one field has a fallback, the other none.
		exec(t, db, "INSERT INTO adopted (id, note_plain) VALUES (4, 'old')")
		got = collect(t, db, read, "SELECT * FROM adopted WHERE id = 4")
		if *got[0].Note != "old" || got[0].Code != "" || told.Load() != 1 {
			t.Errorf("%+v, told %d times", got[0], told.Load())
		}
		exec(t, db, "UPDATE adopted SET code_plain = 'old' WHERE id = 4")
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"no fallback":                  {second(query(db, read, "SELECT * FROM adopted")), fieldcrypt.ErrNotSealed},
			"no fallback, one column":      {second(query(db, pgxcrypt.RowTo[adopted, string](ctx, fc, "code"), "SELECT code, code_plain FROM adopted")), fieldcrypt.ErrNotSealed},
			"without the plaintext column": {second(query(db, pgxcrypt.RowToStructByNameLax[adopted](ctx, fc), "SELECT id, note FROM adopted")), fieldcrypt.ErrUnsupported},
			"by position":                  {second(query(db, pgxcrypt.RowToStructByPos[adopted](ctx, fc), "SELECT id, code, note FROM adopted")), fieldcrypt.ErrUnsupported},
			"pgx's own": {second(query(db, pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (a adopted, err error) {
				return a, row.Scan(nil, &a.Code)
			}), "SELECT code, code_plain FROM adopted")), fieldcrypt.ErrUnsupported},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
	})
}

// TestAdoptedPlaintextIsNotLogged: it goes to the database, and nowhere else.
func TestAdoptedPlaintextIsNotLogged(t *testing.T) {
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: &reads{}})
	l := &log{}
	db := pool(t, pgtest.DB(t), l.trace)
	exec(t, db, "CREATE TABLE adopted (id bigint PRIMARY KEY, code_plain text, note_plain text)")
	migrate(t, db, fc, adopted{})
	b := &pgx.Batch{} // a batch is traced with the arguments that are sent
	b.Queue("INSERT INTO adopted (id, code, code_bidx, code_plain) VALUES (@id, @code, @code_bidx, @code_plain)", pgxcrypt.Args(fc, adopted{ID: 1, Code: canary}))
	if err := db.SendBatch(ctx, b).Close(); err != nil {
		t.Fatal(err)
	}
	noCanary(t, "the log", []byte(l.String()))
}
