package pgx_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// stay is a row of a JOIN, with names of its own.
type stay struct {
	Number string  `db:"number" fieldcrypt:"medical,id=patients.mrn"`
	Reason *string `db:"visit_reason" fieldcrypt:"medical,id=visits.reason"`
	Nights int     `db:"nights"`
}

func twoVisits(t *testing.T, db *pgxpool.Pool) *fieldcrypt.Crypter {
	t.Helper()
	fc := openPractice(t, db)
	p, q := patient(1), patient(2)
	exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
	exec(t, db, insertPatient, pgxcrypt.Args(fc, &q))
	exec(t, db, "INSERT INTO visits (id, patient_id, reason, reason_bidx) VALUES (@id, @patient_id, @reason, @reason_bidx)",
		pgxcrypt.Args(fc, &Visit{ID: 1, PatientID: 1, Reason: "cough"}))
	return fc
}

func TestJoin(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := twoVisits(t, db)
		for name, read := range map[string]func() []stay{
			"by name": func() []stay {
				return collect(t, db, pgxcrypt.RowToStructByName[stay](ctx, fc),
					"SELECT 2 AS nights, v.reason AS visit_reason, p.mrn AS number FROM patients p LEFT JOIN visits v ON v.patient_id = p.id ORDER BY p.id")
			},
			"by position": func() []stay {
				return collect(t, db, pgxcrypt.RowToStructByPos[stay](ctx, fc),
					"WITH x AS (SELECT p.mrn, v.reason, p.id FROM patients p LEFT JOIN visits v ON v.patient_id = p.id) SELECT mrn, reason, 2 FROM x ORDER BY id")
			},
		} {
			got := read()
			if len(got) != 2 || got[0].Number != "MRN-1" || *got[0].Reason != "cough" || got[0].Nights != 2 || got[1].Number != "MRN-2" || got[1].Reason != nil {
				t.Errorf("%s: %+v", name, got)
			}
		}
		terms, err := pgxcrypt.Eq[Visit](ctx, fc, "reason", "cough")
		if err != nil {
			t.Fatal(err)
		}
		found := collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc),
			"SELECT p.* FROM patients p JOIN visits v ON v.patient_id = p.id WHERE v.reason_bidx = ANY($1)", terms)
		if len(found) != 1 || found[0].MRN != "MRN-1" {
			t.Errorf("the JOIN finds %+v", found)
		}
	})
}

// TestColumnsMixedUp: what stands under the wrong name does not open.
func TestColumnsMixedUp(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := twoVisits(t, db)
		stays, patients := pgxcrypt.RowToStructByNameLax[stay](ctx, fc), pgxcrypt.RowToStructByNameLax[Patient](ctx, fc)
		ofStays := func(sql string) error { _, err := query(db, stays, sql); return err }
		ofPatients := func(sql string) error { _, err := query(db, patients, sql); return err }
		byPos := func(sql string) error {
			_, err := query(db, pgxcrypt.RowToStructByPos[stay](ctx, fc), sql)
			return err
		}
		one := func(sql string) error {
			_, err := query(db, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), sql)
			return err
		}
		from := " FROM patients p JOIN visits v ON v.patient_id = p.id"
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"names exchanged":             {ofStays("SELECT p.mrn AS visit_reason, v.reason AS number" + from), fieldcrypt.ErrAuthentication},
			"positions exchanged":         {byPos("SELECT v.reason, p.mrn, 1" + from), fieldcrypt.ErrAuthentication},
			"one table's for the other's": {ofPatients("SELECT v.reason AS mrn" + from), fieldcrypt.ErrAuthentication},
			"two columns of one name":     {ofPatients("SELECT p.mrn, v.reason AS mrn" + from), fieldcrypt.ErrUnsupported},
			"p.*, v.*":                    {ofPatients("SELECT p.*, v.*" + from), fieldcrypt.ErrUnsupported},
			"a column of no field":        {ofPatients("SELECT mrn AS m FROM patients p"), fieldcrypt.ErrUnsupported},
			"too many columns":            {byPos("SELECT p.mrn, v.reason, 1, 2" + from), fieldcrypt.ErrUnsupported},
			"plain for encrypted":         {ofPatients("SELECT ward AS mrn FROM patients"), fieldcrypt.ErrNotSealed},
			"encrypted for plain":         {ofPatients("SELECT mrn AS ward FROM patients"), fieldcrypt.ErrUnsupported},
			"text of ciphertext":          {ofPatients("SELECT mrn::text AS mrn FROM patients"), fieldcrypt.ErrNotSealed},
			"JSON of ciphertext":          {ofPatients("SELECT to_json(mrn) AS mrn FROM patients"), fieldcrypt.ErrNotSealed},
			"json_agg of ciphertext":      {ofPatients("SELECT json_agg(mrn) AS mrn FROM patients"), fieldcrypt.ErrNotSealed},
			"a part of it":                {ofPatients("SELECT substr(mrn, 1, 50) AS mrn FROM patients"), fieldcrypt.ErrAuthentication},
			"its header":                  {ofPatients("SELECT substr(mrn, 1, 9) AS mrn FROM patients"), fieldcrypt.ErrNotSealed},
			"no such column":              {one("SELECT id FROM patients"), fieldcrypt.ErrUnsupported},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
			if e := (*fieldcrypt.Error)(nil); !errors.As(c.err, &e) {
				t.Errorf("%s: %v is no *fieldcrypt.Error", name, c.err)
			}
		}
	})
}

// TestByteaOutputEscape: text of a form that pgx does not read is an error, or the
// protocol is binary and it does not matter.
func TestByteaOutputEscape(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		p := patient(1)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
		tx, err := db.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		if _, err := tx.Exec(ctx, "SET LOCAL bytea_output = escape"); err != nil {
			t.Fatal(err)
		}
		got, err := query(tx, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), "SELECT mrn FROM patients")
		if err == nil && (len(got) != 1 || got[0] != "MRN-1") || err != nil && !errors.Is(err, fieldcrypt.ErrNotSealed) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
