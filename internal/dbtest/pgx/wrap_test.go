package pgx_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// sqlcRow is a row as sqlc declares one.
type sqlcRow struct {
	ID      int64
	Mrn     MRN
	MrnBidx MRNIndex
	Notes   Notes
}

func (r sqlcRow) text() string {
	notes := "NULL"
	if p := r.Notes.MustReveal(); p != nil {
		notes = *p
	}
	return r.Mrn.MustReveal() + " " + notes
}

const selectMRN = "SELECT id, mrn, mrn_bidx, notes FROM patients"

func newNotes(s string) Notes { return fieldcrypt.NewSecret[notesField](&s) }

func TestWrap(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		must := func(tag pgconn.CommandTag, err error) {
			t.Helper()
			if err != nil || tag.RowsAffected() == 0 {
				t.Fatal(tag, err)
			}
		}
		one := newMRN("MRN-1")
		must(w.Exec(ctx, insertMRN, 1, one, MRNIndex{}, newNotes("note 1"))) // the index is filled
		other := newMRN("MRN-other")
		must(w.Exec(ctx, insertMRN, pgx.QueryExecModeExec, 2, &other, other.Index(), Notes{}))
		must(w.Exec(ctx, "UPDATE patients SET mrn = @mrn, mrn_bidx = @bidx WHERE id = @id", pgx.NamedArgs{"id": 2, "mrn": newMRN("MRN-2"), "bidx": MRNIndex{}}))
		must(w.Exec(ctx, "UPDATE patients SET notes = @notes WHERE id = @id", pgx.StrictNamedArgs{"id": 2, "notes": newNotes("note 2")}))
		n, err := w.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn", "mrn_bidx", "notes"}, pgx.CopyFromRows([][]any{
			{3, newMRN("MRN-3"), MRNIndex{}, (*Notes)(nil)}, {4, newMRN("MRN-4"), &MRNIndex{}, newNotes("note 4")},
		}))
		if err != nil || n != 2 {
			t.Fatal(n, err)
		}
		five := patient(5)
		must(w.Exec(ctx, insertPatient, pgxcrypt.Args(fc, &five)))
		if _, err := pgxcrypt.CopyInto(ctx, w, fc, pgx.Identifier{"patients"}, []Patient{patient(6)}); err != nil {
			t.Fatal(err)
		}
		must(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) SELECT * FROM unnest(@id::bigint[], @mrn::bytea[], @mrn_bidx::bytea[])", pgxcrypt.Unnest(fc, []Patient{patient(7)})))
		must(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx, notes) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])",
			[]int64{8, 9}, []MRN{newMRN("MRN-8"), newMRN("MRN-9")}, []MRNIndex{{}, {}}, []*Notes{nil, nil}))

		want := []string{"MRN-1 note 1", "MRN-2 note 2", "MRN-3 NULL", "MRN-4 note 4", "MRN-5 note of 5", "MRN-6 NULL", "MRN-7 NULL", "MRN-8 NULL", "MRN-9 NULL"}
		scan := func(rows pgx.Rows, err error) (got []string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var r sqlcRow
				if err := rows.Scan(&r.ID, &r.Mrn, &r.MrnBidx, &r.Notes); err != nil {
					t.Fatal(err)
				}
				got = append(got, r.text())
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := scan(w.Query(ctx, selectMRN+" ORDER BY id")); !slices.Equal(got, want) {
			t.Errorf("rows %q, want %q", got, want)
		}
		if got := collect(t, w, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), selectMRN+" ORDER BY id"); got[8] != "MRN-9" {
			t.Errorf("the model reads %q", got)
		}
		structs := collect(t, w, pgx.RowToStructByName[sqlcRow], selectMRN+" ORDER BY id")
		if structs[3].text() != want[3] {
			t.Errorf("a struct has %q", structs[3].text())
		}
		for i, id := range []int64{3, 9} {
			terms, err := fc.SecretTerms(ctx, newMRN([]string{"MRN-3", "MRN-9"}[i]))
			if err != nil {
				t.Fatal(err)
			}
			var r sqlcRow
			var pointer *MRN
			if err := w.QueryRow(ctx, "SELECT id, mrn FROM patients WHERE mrn_bidx = ANY($1::bytea[])", terms).Scan(&r.ID, &pointer); err != nil || r.ID != id || pointer == nil {
				t.Errorf("QueryRow finds %d, %v", r.ID, err)
			}
		}
		if err := w.QueryRow(ctx, selectMRN+" WHERE id = 99").Scan(nil, nil, nil, nil); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
		var list []MRN
		if err := w.QueryRow(ctx, "SELECT array_agg(mrn::bytea ORDER BY id) FROM patients WHERE id < 3").Scan(&list); err != nil || len(list) != 2 || list[1].MustReveal() != "MRN-2" {
			t.Errorf("a list of %d, %v", len(list), err)
		}
		if err := w.QueryRow(ctx, "SELECT notes FROM patients WHERE id = 1").Scan(&one); !errors.Is(err, fieldcrypt.ErrAuthentication) || !one.IsNull() {
			t.Errorf("another column: %v", err)
		}
		// Arguments and rows that are none of ours pass through.
		var sum int
		if err := w.QueryRow(ctx, "SELECT $1::int + $2::int", 1, 2).Scan(&sum); err != nil || sum != 3 {
			t.Errorf("%d, %v", sum, err)
		}
		// One statement's values share a salt, two rows' do not.
		salts := collect(t, db, pgx.RowTo[string], "SELECT encode(substr(mrn, 8, 12), 'hex') FROM patients UNION ALL SELECT encode(substr(notes, 8, 12), 'hex') FROM patients WHERE id = 1")
		if slices.Sort(salts); len(slices.Compact(salts)) != 9 {
			t.Errorf("%d salts in 9 rows", len(slices.Compact(salts)))
		}
	})
}

func TestWrapBatch(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		var got []string
		b := &pgx.Batch{}
		b.Queue(insertMRN, 1, newMRN("MRN-1"), MRNIndex{}, Notes{})
		b.Queue(insertMRN, 2, newMRN("MRN-2"), MRNIndex{}, newNotes("x")).Exec(func(tag pgconn.CommandTag) error {
			got = append(got, tag.String())
			return nil
		})
		b.Queue("SELECT mrn FROM patients ORDER BY id").Query(func(rows pgx.Rows) error {
			var m MRN
			_, err := pgx.ForEachRow(rows, []any{&m}, func() error { got = append(got, m.MustReveal()); return nil })
			return err
		})
		b.Queue("SELECT mrn FROM patients WHERE id = $1", 2).QueryRow(func(row pgx.Row) error {
			var m MRN
			err := row.Scan(&m)
			got = append(got, m.MustReveal())
			return err
		})
		if err := w.SendBatch(ctx, b).Close(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"INSERT 0 1", "MRN-1", "MRN-2", "MRN-2"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		// Read by hand, and sent a second time: the batch is as it was.
		exec(t, db, "TRUNCATE patients, visits")
		results := w.SendBatch(ctx, b)
		for range 2 {
			if _, err := results.Exec(); err != nil {
				t.Fatal(err)
			}
		}
		read := pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn")
		rows, err := results.Query()
		if err != nil {
			t.Fatal(err)
		}
		if mrns, err := pgx.CollectRows(rows, read); err != nil || !slices.Equal(mrns, []string{"MRN-1", "MRN-2"}) {
			t.Errorf("%q, %v", mrns, err)
		}
		var m MRN
		if err := errors.Join(results.QueryRow().Scan(&m), results.Close()); err != nil || m.MustReveal() != "MRN-2" {
			t.Error(err)
		}
		bad := &pgx.Batch{}
		bad.Queue("INSERT INTO patients (id) VALUES (3)")
		bad.Queue("UPDATE patients SET mrn = $1", newMRN("MRN-1"))
		failed := w.SendBatch(ctx, bad)
		_, err1 := failed.Exec()
		_, err2 := failed.Query()
		for _, err := range []error{err1, err2, failed.QueryRow().Scan(&m), failed.Close()} {
			if !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("a batch with a statement that is refused: %v", err)
			}
		}
		if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM patients"); n[0] != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestWrapTransactions(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		insert := func(tx pgx.Tx, id int, mrn string) error {
			_, err := tx.Exec(ctx, insertMRN, id, newMRN(mrn), MRNIndex{}, Notes{})
			return err
		}
		rollback := errors.New("roll back")
		err := pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
			if err := insert(tx, 1, "MRN-1"); err != nil {
				return err
			}
			if err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return errors.Join(insert(tx, 2, "MRN-2"), rollback) }); !errors.Is(err, rollback) {
				return err
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn", "mrn_bidx"}, pgx.CopyFromRows([][]any{{3, newMRN("MRN-3"), MRNIndex{}}})); err != nil {
				return err
			}
			b := &pgx.Batch{}
			b.Queue(insertMRN, 4, newMRN("MRN-4"), MRNIndex{}, Notes{})
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return err
			}
			var m MRN
			if err := tx.QueryRow(ctx, "SELECT mrn FROM patients WHERE id = 3").Scan(&m); err != nil || m.MustReveal() != "MRN-3" {
				t.Errorf("in the transaction: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = pgx.BeginTxFunc(ctx, w, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			// What sqlc's WithTx gets.
			again := pgxcrypt.Wrap(tx, fc)
			if _, err := again.BeginTx(ctx, pgx.TxOptions{}); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("options within a transaction: %v", err)
			}
			_, err := again.Exec(ctx, insertMRN, 5, newMRN("MRN-5"), MRNIndex{}, Notes{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, w, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), "SELECT mrn FROM patients ORDER BY id"); !slices.Equal(got, []string{"MRN-1", "MRN-3", "MRN-4", "MRN-5"}) {
			t.Errorf("%q", got)
		}
		raw, err := db.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Rollback(ctx)
		if err := insert(raw, 6, "MRN-6"); !errors.Is(err, fieldcrypt.ErrUnsealed) {
			t.Errorf("a transaction that is not wrapped: %v", err)
		}
	})
}

func TestWrapRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		one, two := newMRN("MRN-1"), newMRN("MRN-2")
		var unopened MRN
		if err := unopened.Scan([]byte{0xFC, 1}); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			sql  string
			args []any
			want error
		}{
			"the index is left out":       {"UPDATE patients SET mrn = $1", []any{one}, fieldcrypt.ErrUnsupported},
			"the index as bytes":          {"UPDATE patients SET mrn = $1, mrn_bidx = $2", []any{one, []byte("x")}, fieldcrypt.ErrUnsupported},
			"an index of nothing":         {"UPDATE patients SET mrn_bidx = $1", []any{MRNIndex{}}, fieldcrypt.ErrUnsupported},
			"an index of two":             {"INSERT INTO patients (mrn, mrn_bidx) VALUES ($1, $2), ($3, $2)", []any{one, MRNIndex{}, two}, fieldcrypt.ErrUnsupported},
			"an index of what is sealed":  {"UPDATE patients SET mrn = $1, mrn_bidx = $2", []any{unopened, MRNIndex{}}, fieldcrypt.ErrSealed},
			"what does not fit":           {"UPDATE patients SET mrn = $1, mrn_bidx = $2", []any{newMRN("caf\xe9"), MRNIndex{}}, fieldcrypt.ErrWrongType},
			"lists of different lengths":  {"SELECT $1, $2", []any{[]MRN{one}, []MRNIndex{}}, fieldcrypt.ErrUnsupported},
			"a list without an index":     {"SELECT $1", []any{[]MRN{one}}, fieldcrypt.ErrUnsupported},
			"a tenant that nobody names":  {"SELECT $1", []any{fieldcrypt.Tenant("")}, fieldcrypt.ErrNoTenant},
			"a Secret declared wrong":     {"SELECT $1", []any{fieldcrypt.NewSecret[mrnField](7)}, fieldcrypt.ErrModel},
			"by name":                     {"UPDATE patients SET mrn = @mrn", []any{pgx.NamedArgs{"mrn": one}}, fieldcrypt.ErrUnsupported},
			"by a rewriter of the caller": {"UPDATE patients SET mrn = @mrn", []any{rewriter{one}}, fieldcrypt.ErrUnsupported},
		} {
			_, err := w.Exec(ctx, c.sql, c.args...)
			_, err2 := w.Query(ctx, c.sql, c.args...)
			err3 := w.QueryRow(ctx, c.sql, c.args...).Scan()
			b := &pgx.Batch{}
			b.Queue(c.sql, c.args...)
			for how, err := range map[string]error{"Exec": err, "Query": err2, "QueryRow": err3, "SendBatch": w.SendBatch(ctx, b).Close()} {
				if e := (*fieldcrypt.Error)(nil); !errors.Is(err, c.want) || !errors.As(err, &e) {
					t.Errorf("%s, %s: %v, want %v", name, how, err, c.want)
				}
			}
		}
		if _, err := pgxcrypt.Wrap(db, nil).Exec(ctx, "SELECT $1", one); !errors.Is(err, fieldcrypt.ErrNotRegistered) {
			t.Errorf("no Crypter: %v", err)
		}
		if _, err := w.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"mrn"}, pgx.CopyFromRows([][]any{{one}})); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("CopyFrom: %v", err)
		}
		if _, err := w.Exec(ctx, insertMRN, rewriter{1, one, MRNIndex{}, Notes{}}); err != nil {
			t.Errorf("a rewriter of the caller: %v", err)
		}
		if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM patients"); n[0] != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

// rewriter is a pgx.QueryRewriter of a caller's own.
type rewriter []any

// RewriteQuery implements pgx.QueryRewriter.
func (r rewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, _ []any) (string, []any, error) {
	return sql, r, nil
}
