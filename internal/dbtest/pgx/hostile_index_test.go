package pgx_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestIndexesThatDoNotFit: an index is that of the Secret that is written with it,
// or the statement is refused: nothing would find the row.
func TestIndexesThatDoNotFit(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		a, b, null := newMRN("MRN-A"), newMRN("MRN-B"), MRN{}
		two := "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (1, $1, $2), (2, $3, $4)"
		lists := "INSERT INTO patients (id, mrn, mrn_bidx) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])"
		for name, err := range map[string]error{
			"another value's":      second(w.Exec(ctx, insertMRN, 1, a, b.Index(), nil)),
			"a value's for NULL":   second(w.Exec(ctx, insertMRN, 1, null, b.Index(), nil)),
			"NULL's for a value":   second(w.Exec(ctx, insertMRN, 1, a, null.Index(), nil)),
			"without its Secret":   second(w.Exec(ctx, "UPDATE patients SET mrn_bidx = $1", a.Index())),
			"one for two":          second(w.Exec(ctx, two, a, a.Index(), b, nil)),
			"one twice, for two":   second(w.Exec(ctx, two, a, a.Index(), b, a.Index())),
			"two for one":          second(w.Exec(ctx, two, a, a.Index(), nil, b.Index())),
			"in a list":            second(w.Exec(ctx, lists, []int64{1, 2}, []MRN{a, b}, []MRNIndex{b.Index(), a.Index()})),
			"by name":              second(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (1, @mrn, @bidx)", pgx.NamedArgs{"mrn": a, "bidx": b.Index()})),
			"by a name not used":   second(w.Exec(ctx, "INSERT INTO patients (id, mrn) VALUES (1, @mrn)", pgx.NamedArgs{"mrn": a, "bidx": MRNIndex{}})),
			"by a misspelt name":   second(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (1, @mrn, @bdx)", pgx.NamedArgs{"mrn": a, "bidx": MRNIndex{}})),
			"a misspelt Secret":    second(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (1, @nrm, @bidx)", pgx.NamedArgs{"mrn": a, "bidx": a.Index()})),
			"a misspelt note":      second(w.Exec(ctx, "INSERT INTO patients (id, notes) VALUES (1, @nots)", pgx.NamedArgs{"notes": newNotes("n")})),
			"by COPY":              second(w.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn", "mrn_bidx"}, pgx.CopyFromRows([][]any{{1, a, b.Index()}}))),
			"a StructArgs without": second(w.Exec(ctx, "INSERT INTO patients (id, mrn) VALUES (@ID, @Mrn)", pgx.StructArgs(sqlcRow{ID: 1, Mrn: a}))),
		} {
			if !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM patients"); n[0] != 0 {
			t.Fatalf("%d rows", n[0])
		}
		// What fits goes through, in whatever order.
		for _, err := range []error{
			second(w.Exec(ctx, two, a, a.Index(), b, b.Index())),
			second(w.Exec(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (3, @a, @ia), (4, @b, @ib)", pgx.NamedArgs{"a": newMRN("3"), "b": null, "ia": newMRN("3").Index(), "ib": null.Index(), "unused": newMRN("5")})),
			second(w.Exec(ctx, "UPDATE patients SET ward = @ward WHERE id = @id", pgx.NamedArgs{"ward": "A", "id": 1, "mrn": a, "bidx": MRNIndex{}})),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		for id, v := range map[int64]MRN{1: a, 2: b, 3: newMRN("3")} {
			terms, err := fc.SecretTerms(ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			if got := collect(t, db, pgx.RowTo[int64], "SELECT id FROM patients WHERE mrn_bidx = ANY($1)", terms); len(got) != 1 || got[0] != id {
				t.Errorf("the search for %d finds %v", id, got)
			}
		}
	})
}

// TestIndexIsRead: a variable that had an index is written with none of an earlier
// row.
func TestIndexIsRead(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, patient(1)))
		r := sqlcRow{MrnBidx: newMRN("stale").Index()}
		if err := w.QueryRow(ctx, "SELECT mrn, mrn_bidx FROM patients").Scan(&r.Mrn, &r.MrnBidx); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Exec(ctx, "UPDATE patients SET mrn = $1, mrn_bidx = $2", r.Mrn, r.MrnBidx); err != nil {
			t.Error(err)
		}
		terms, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", "MRN-1")
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, db, pgx.RowTo[int64], "SELECT id FROM patients WHERE mrn_bidx = ANY($1)", terms); len(got) != 1 {
			t.Errorf("the search finds %v", got)
		}
	})
}

// TestUpsertsThatForget: what DO UPDATE sets is checked as what INSERT writes is.
func TestUpsertsThatForget(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		p := patient(1)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
		insert := "INSERT INTO patients AS p (id, mrn, mrn_bidx) VALUES (@id, @mrn, @mrn_bidx) ON CONFLICT (id) DO "
		changed := patient(1)
		changed.MRN = "MRN-changed"
		mrn := newMRN(changed.MRN)
		named := pgx.NamedArgs{"id": 1, "mrn": mrn, "mrn_bidx": MRNIndex{}}
		for _, set := range []string{
			"UPDATE SET mrn = excluded.mrn",
			"UPDATE SET ward = 'mrn_bidx', mrn = excluded.mrn",
			`UPDATE SET "mrn"=excluded.mrn WHERE p.mrn_bidx IS NOT NULL RETURNING mrn_bidx`,
			"UPDATE SET mrn_bidx = excluded.mrn_bidx",
			"update\nset (ward, mrn) = ROW ('B', excluded.mrn)",
			"UPDATE SET (ward, mrn) = (SELECT 'B', excluded.mrn), born = now()",
		} {
			if _, err := db.Exec(ctx, insert+set, pgxcrypt.Args(fc, &changed)); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("Args, %s: %v", set, err)
			}
			if _, err := w.Exec(ctx, insert+set, named); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("Wrap, %s: %v", set, err)
			}
		}
		same(t, "the row", collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients")[0], p)
		for _, set := range []string{
			"NOTHING",
			"UPDATE SET ward = excluded.ward RETURNING id, mrn",
			"UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx WHERE p.mrn IS NOT NULL RETURNING mrn",
			`UPDATE SET (mrn, "mrn_bidx") = (excluded.mrn, excluded.mrn_bidx)`,
		} {
			for name, err := range map[string]error{"Args": second(db.Exec(ctx, insert+set, pgxcrypt.Args(fc, &changed))), "Wrap": second(w.Exec(ctx, insert+set, named))} {
				if err != nil {
					t.Errorf("%s, %s: %v", name, set, err)
				}
			}
		}
	})
}

// TestAdoptedUpsertForgets: nor does the plaintext column get stale.
func TestAdoptedUpsertForgets(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := newCrypter(t)
		exec(t, db, "CREATE TABLE leaving (id bigint PRIMARY KEY, code_plain text)")
		migrate(t, db, fc, leaving{})
		insert := "INSERT INTO leaving (id, code, code_plain) VALUES (@id, @code, @code_plain) ON CONFLICT (id) DO UPDATE SET "
		row := leaving{ID: 1, Code: "X"}
		for set, ok := range map[string]bool{
			"code = excluded.code": false, "code_plain = excluded.code_plain": false, "code = excluded.code, code_plain = excluded.code_plain": true,
		} {
			if _, err := db.Exec(ctx, insert+set, pgxcrypt.Args(fc, &row)); (err == nil) != ok || !ok && !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", set, err)
			}
		}
	})
}

// leaving is a row whose plaintext column is being adopted.
type leaving struct {
	ID   int64
	Code string `fieldcrypt:"medical,plain=code_plain" db:"code"`
}

// TableName names the table.
func (leaving) TableName() string { return "leaving" }
