package pgx_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// same compares patients; times by their instant.
func same(t testing.TB, what string, got, want Patient) {
	t.Helper()
	if !got.Born.Equal(want.Born) {
		t.Errorf("%s: born %v, want %v", what, got.Born, want.Born)
	}
	got.Born, want.Born = time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func TestRowsOfOneTable(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		for n := range int64(2) {
			p := patient(n + 1)
			exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
			same(t, "the caller's struct", p, patient(n+1))
		}
		all := "SELECT * FROM patients ORDER BY id"
		for i, p := range collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), all) {
			same(t, "by name", p, patient(int64(i)+1))
		}
		for i, p := range collect(t, db, pgxcrypt.RowToAddrOfStructByName[Patient](ctx, fc), all) {
			same(t, "by name, pointers", *p, patient(int64(i)+1))
		}
		ordered := "SELECT id, ward, born, name, mrn, card_no, notes, vitals, contact_phone, contact_city, doctor_id FROM patients ORDER BY id"
		for i, p := range collect(t, db, pgxcrypt.RowToStructByPos[Patient](ctx, fc), ordered) {
			same(t, "by position", p, patient(int64(i)+1))
		}
		for i, p := range collect(t, db, pgxcrypt.RowToAddrOfStructByPos[Patient](ctx, fc), ordered) {
			same(t, "by position, pointers", *p, patient(int64(i)+1))
		}
		for i, p := range collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), "SELECT Mrn, id FROM patients ORDER BY id") {
			same(t, "a part", p, Patient{ID: int64(i) + 1, MRN: patient(int64(i) + 1).MRN})
		}
		for i, p := range collect(t, db, pgxcrypt.RowToAddrOfStructByNameLax[Patient](ctx, fc), "SELECT contact_phone FROM patients ORDER BY id") {
			same(t, "a part, pointers", *p, Patient{Contact: Contact{Phone: patient(int64(i) + 1).Contact.Phone}})
		}
		if got := collect(t, db, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), all); !slices.Equal(got, []string{"MRN-1", "MRN-2"}) {
			t.Errorf("RowTo gives %v", got)
		}
		notes := collect(t, db, pgxcrypt.RowTo[Patient, *string](ctx, fc, "notes"), "SELECT notes FROM patients ORDER BY id")
		if *notes[0] != "note of 1" || notes[1] != nil {
			t.Errorf("RowTo gives %v", notes)
		}
		vitals := collect(t, db, pgxcrypt.RowTo[Patient, Vitals](ctx, fc, "vitals"), "SELECT vitals FROM patients")
		if vitals[0] != (Vitals{60, 120}) {
			t.Errorf("RowTo gives %v", vitals)
		}
		one := collect(t, db, pgxcrypt.RowTo[Patient, int64](ctx, fc, "id"), "SELECT id FROM patients ORDER BY id")
		if !slices.Equal(one, []int64{1, 2}) {
			t.Errorf("RowTo gives %v", one)
		}
	})
}

// flat is a struct that pgx itself can read.
type flat struct {
	ID    int64
	MRN   string  `fieldcrypt:"medical,id=patients.mrn" db:"mrn"`
	Notes *string `fieldcrypt:"medical,id=patients.notes" db:"notes"`
}

// TestRowsOfPgx: pgx's own functions, and a caller's, open what they scan.
func TestRowsOfPgx(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []Patient{patient(1), patient(2)}); err != nil {
			t.Fatal(err)
		}
		check := func(how string, list []*flat) {
			t.Helper()
			if len(list) != 2 || list[0].MRN != "MRN-1" || *list[0].Notes != "note of 1" || list[1].MRN != "MRN-2" || list[1].Notes != nil {
				t.Errorf("%s: %+v", how, list)
			}
		}
		some := "SELECT mrn, id, notes FROM patients ORDER BY id"
		check("by name", collect(t, db, pgxcrypt.Rows(ctx, fc, pgx.RowToAddrOfStructByName[flat]), some))
		check("lax", collect(t, db, pgxcrypt.Rows(ctx, fc, pgx.RowToAddrOfStructByNameLax[flat]), "SELECT mrn, notes FROM patients ORDER BY id"))
		check("by position", collect(t, db, pgxcrypt.Rows(ctx, fc, pgx.RowToAddrOfStructByPos[flat]), "SELECT id, mrn, notes FROM patients ORDER BY id"))
		check("the caller's", collect(t, db, pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (*flat, error) {
			f, extra := &flat{}, 0
			return f, row.Scan(&f.MRN, nil, &f.Notes, &extra)
		}), "SELECT mrn, id, notes, 7 AS extra FROM patients ORDER BY id"))
		check("values", collect(t, db, pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (*flat, error) {
			values, err := row.Values()
			if err != nil {
				return nil, err
			}
			notes, _ := values[2].(*string)
			return &flat{MRN: values[0].(string), Notes: notes}, nil
		}), some))
		check("a map", collect(t, db, pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (*flat, error) {
			m, err := pgx.RowToMap(row)
			if err != nil {
				return nil, err
			}
			notes, _ := m["notes"].(*string)
			return &flat{MRN: m["mrn"].(string), Notes: notes}, nil
		}), some))
		for name, scan := range map[string]func(row pgx.CollectableRow) (flat, error){
			"an encrypted column into bytes":  func(row pgx.CollectableRow) (f flat, err error) { var b []byte; return f, row.Scan(&b, nil, nil) },
			"an encrypted column into an any": func(row pgx.CollectableRow) (f flat, err error) { var v any; return f, row.Scan(&v, nil, nil) },
			"one of another type":             func(row pgx.CollectableRow) (f flat, err error) { return f, row.Scan(&f.MRN, nil, &f.MRN) },
		} {
			if _, err := query(db, pgxcrypt.Rows(ctx, fc, scan), some); !errors.Is(err, fieldcrypt.ErrWrongType) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := query(db, pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (f flat, err error) {
			return f, row.Scan(&f.MRN)
		}), "SELECT mrn AS number FROM patients"); err == nil {
			t.Error("an encrypted column under another name came back as text")
		}
	})
}

func TestReturning(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		p := patient(1)
		got := collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), insertPatient+" RETURNING *", pgxcrypt.Args(fc, p))
		same(t, "RETURNING", got[0], p)
		p.MRN = "MRN-X"
		mrns := collect(t, db, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"),
			"UPDATE patients SET mrn = @mrn, mrn_bidx = @mrn_bidx WHERE id = @id AND ward = ANY(@wards) RETURNING mrn",
			pgxcrypt.Args(fc, &p, pgx.NamedArgs{"wards": []string{"A", "B"}}))
		if !slices.Equal(mrns, []string{"MRN-X"}) {
			t.Errorf("UPDATE RETURNING gives %v", mrns)
		}
		terms, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", "MRN-X")
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, db, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), "DELETE FROM patients WHERE mrn_bidx = ANY($1) RETURNING mrn", terms); len(got) != 1 {
			t.Errorf("DELETE RETURNING gives %v", got)
		}
	})
}

func TestBatch(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		terms, err := pgxcrypt.Eq[Patient](ctx, fc, "name", "ÜNAL 2")
		if err != nil {
			t.Fatal(err)
		}
		read := pgxcrypt.RowToStructByName[Patient](ctx, fc)
		b := &pgx.Batch{}
		for n := int64(1); n <= 3; n++ {
			p := patient(n)
			b.Queue(insertPatient, pgxcrypt.Args(fc, &p)).Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() != 1 {
					t.Errorf("inserted %d", tag.RowsAffected())
				}
				return nil
			})
		}
		var found []Patient
		b.Queue("SELECT * FROM patients WHERE name_bidx = ANY($1)", terms).Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, read)
			return err
		})
		if err := db.SendBatch(ctx, b).Close(); err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 {
			t.Fatalf("found %d", len(found))
		}
		same(t, "the row of a batch", found[0], patient(2))
	})
}

func TestUnnest(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		rows := []Patient{patient(1), patient(2), patient(3)}
		sql := `INSERT INTO patients (id, ward, doctor_id, notes, mrn, mrn_bidx)
			SELECT * FROM unnest(@id::bigint[], @ward::text[], @doctor_id::bigint[], @notes::bytea[], @mrn::bytea[], @mrn_bidx::bytea[])
			WHERE @really ON CONFLICT (mrn_bidx) DO NOTHING RETURNING id, doctor_id, notes, mrn`
		got := collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), sql, pgxcrypt.Unnest(fc, rows, pgx.NamedArgs{"really": true}))
		for i, p := range got {
			want := patient(int64(i) + 1)
			same(t, "unnest", p, Patient{ID: want.ID, DoctorID: want.DoctorID, MRN: want.MRN, Notes: want.Notes})
		}
		if again := collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), sql, pgxcrypt.Unnest(fc, []*Patient{&rows[0]}, pgx.NamedArgs{"really": true})); len(got) != 3 || len(again) != 0 {
			t.Errorf("wrote %d rows, and %d again", len(got), len(again))
		}
		if none := collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), sql, pgxcrypt.Unnest(fc, []Patient{}, pgx.NamedArgs{"really": true})); len(none) != 0 {
			t.Errorf("wrote %d rows of none", len(none))
		}
	})
}

func TestCopyInto(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		var list []*Patient
		for n := int64(1); n <= 500; n++ {
			p := patient(n)
			list = append(list, &p)
		}
		n, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, list)
		if err != nil || n != 500 {
			t.Fatal(n, err)
		}
		for i, p := range collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients ORDER BY id") {
			same(t, "copied", p, patient(int64(i)+1))
		}
		visits := []Visit{{ID: 1, PatientID: 1, Reason: "cough"}}
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"public", "visits"}, visits, "id", "reason"); err != nil {
			t.Fatal(err)
		}
		terms, err := pgxcrypt.Eq[Visit](ctx, fc, "reason", "cough")
		if err != nil {
			t.Fatal(err)
		}
		var patient *int64
		if err := db.QueryRow(ctx, "SELECT patient_id FROM visits WHERE reason_bidx = ANY($1)", terms).Scan(&patient); err != nil || patient != nil {
			t.Errorf("a column that was not named holds %v, %v", patient, err)
		}
		// All or nothing, also where a value cannot be sealed.
		bad := []Visit{{ID: 2, Reason: "fine"}, {ID: 3, Reason: "caf\xe9"}}
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"visits"}, bad, "id", "reason"); !errors.Is(err, fieldcrypt.ErrWrongType) {
			t.Errorf("CopyInto of invalid text: %v", err)
		}
		var count int
		if err := db.QueryRow(ctx, "SELECT count(*) FROM visits").Scan(&count); err != nil || count != 1 {
			t.Errorf("%d visits, %v", count, err)
		}
	})
}

// TestTruncatedIndex: the database finds more than is meant, and Only tells.
func TestTruncatedIndex(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := newCrypter(t)
		exec(t, db, "CREATE TABLE coarses (id bigint)")
		migrate(t, db, fc, coarse{})
		var list []coarse
		for n := range int64(64) {
			list = append(list, coarse{ID: n, Card: fmt.Sprintf("4242 4242 %04d", n)})
		}
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"coarses"}, list); err != nil {
			t.Fatal(err)
		}
		last4, err := pgxcrypt.Match[coarse](ctx, fc, "last4_bidx", "0007")
		if err != nil {
			t.Fatal(err)
		}
		found := collect(t, db, pgxcrypt.RowToStructByName[coarse](ctx, fc), "SELECT * FROM coarses WHERE last4_bidx = ANY($1)", last4.Terms())
		only, err := last4.Only(found)
		if err != nil || len(only) != 1 || only[0].ID != 7 {
			t.Errorf("%+v, %v", only, err)
		}
		if len(found) < 2 || len(found) == 64 {
			t.Errorf("the database finds %d of 64 rows by one bit", len(found))
		}
		if s := fmt.Sprintf("%v %+v %#v", last4, last4, last4); strings.Contains(s, "0007") {
			t.Errorf("it prints %s", s)
		}
		if _, err := pgxcrypt.Match[coarse](ctx, fc, "card", "x"); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
			t.Errorf("a column without an index: %v", err)
		}
	})
}

// coarse has an index of one bit.
type coarse struct {
	ID   int64
	Card string `fieldcrypt:"finance"`
}

// FieldcryptIndexes declares it.
func (coarse) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "last4_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits|last(4)"}}, Bits: 1}}
}
