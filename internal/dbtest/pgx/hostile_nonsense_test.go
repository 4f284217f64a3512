package pgx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// cycle is a struct around itself.
type cycle struct {
	ID   int64
	Next *cycle
	Code string `fieldcrypt:"medical,id=cycles.code"`
}

// Loop is embedded in itself.
type Loop struct {
	*Loop
	Code string `fieldcrypt:"medical,id=loops.code"`
}

// TestNonsense: errors, and no panics.
func TestNonsense(t *testing.T) {
	fc := newCrypter(t)
	db := pool(t, pgtest.DB(t))
	exec(t, db, practice)
	migrate(t, db, fc, &Patient{})
	exec(t, db, insertPatient, pgxcrypt.Args(fc, patient(1)))
	const all = "SELECT * FROM patients"
	var nobody *Patient
	for name, f := range map[string]func() error{
		"RowToStructByName of int":       func() error { return second(query(db, pgxcrypt.RowToStructByName[int](ctx, fc), all)) },
		"RowToStructByName of a pointer": func() error { return second(query(db, pgxcrypt.RowToStructByName[*Patient](ctx, fc), all)) },
		"RowToStructByName of any":       func() error { return second(query(db, pgxcrypt.RowToStructByName[any](ctx, fc), all)) },
		"RowToStructByName of a list":    func() error { return second(query(db, pgxcrypt.RowToStructByName[[]Patient](ctx, fc), all)) },
		"RowToStructByPos of a map":      func() error { return second(query(db, pgxcrypt.RowToStructByPos[map[string]any](ctx, fc), all)) },
		"no Crypter":                     func() error { return second(query(db, pgxcrypt.RowToStructByName[Patient](ctx, nil), all)) },
		"RowTo of int":                   func() error { return second(query(db, pgxcrypt.RowTo[int, int](ctx, fc, "id"), all)) },
		"RowTo of another type":          func() error { return second(query(db, pgxcrypt.RowTo[Patient, *string](ctx, fc, "mrn"), all)) },
		"RowTo of any":                   func() error { return second(query(db, pgxcrypt.RowTo[Patient, any](ctx, fc, "mrn"), all)) },
		"RowTo of no column":             func() error { return second(query(db, pgxcrypt.RowTo[Patient, string](ctx, fc, ""), all)) },
		"Rows of a map":                  func() error { return second(query(db, pgxcrypt.Rows(ctx, fc, pgx.RowToMap), all)) },
		"Rows of another struct":         func() error { return second(query(db, pgxcrypt.Rows(ctx, fc, pgx.RowToStructByName[stay]), all)) },
		"Eq of any":                      func() error { return second(pgxcrypt.Eq[any](ctx, fc, "mrn", "x")) },
		"Eq of int":                      func() error { return second(pgxcrypt.Eq[int](ctx, fc, "mrn", "x")) },
		"Match of a list":                func() error { return second(pgxcrypt.Match[[]Patient](ctx, fc, "mrn", "x")) },
		"Match of any":                   func() error { return second(pgxcrypt.Match[any](ctx, fc, "mrn", "x")) },
		"Eq of a func":                   func() error { return second(pgxcrypt.Eq[Patient](ctx, fc, "mrn", func() {})) },
		"Args of nil":                    func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Args(fc, nil))) },
		"Args of a typed nil":            func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Args(fc, nobody))) },
		"Args of a pointer to that":      func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Args(fc, &nobody))) },
		"Args of a map":                  func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Args(fc, map[string]any{"id": 1}))) },
		"Args of a cycle":                func() error { return second(db.Exec(ctx, "SELECT @nothing", pgxcrypt.Args(fc, cycle{}))) },
		"Args of a loop":                 func() error { return second(db.Exec(ctx, "SELECT @nothing", pgxcrypt.Args(fc, Loop{}))) },
		"Unnest of any":                  func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Unnest(fc, []any{patient(1)}))) },
		"Unnest of nil":                  func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Unnest(fc, []*Patient{nil}))) },
		"Unnest without a Crypter":       func() error { return second(db.Exec(ctx, "SELECT @id", pgxcrypt.Unnest(nil, []Patient{}))) },
		"CopyInto of any":                func() error { return second(pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []any{1})) },
		"CopyInto of nil": func() error {
			return second(pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []*Patient{nil}))
		},
		"CopyInto of nil, later": func() error {
			p := patient(2)
			return second(pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []*Patient{&p, nil}))
		},
		"CopyInto to no table":  func() error { return second(pgxcrypt.CopyInto(ctx, db, fc, nil, []Patient{patient(2)})) },
		"DDL of nil":            func() error { return second(pgxcrypt.DDL(fc, nil)) },
		"DDL without a Crypter": func() error { return second(pgxcrypt.DDL(nil, Patient{})) },
		"Wrap without a Crypter": func() error {
			return second(pgxcrypt.Wrap(db, nil).Exec(ctx, insertMRN, 5, newMRN("x"), MRNIndex{}, nil))
		},
		"Wrap without one, reading": func() error {
			var mrn MRN
			return pgxcrypt.Wrap(db, nil).QueryRow(ctx, "SELECT mrn FROM patients").Scan(&mrn)
		},
		"too few variables": func() error {
			var mrn MRN
			return pgxcrypt.Wrap(db, fc).QueryRow(ctx, "SELECT mrn, id FROM patients").Scan(&mrn)
		},
		"too many variables": func() error {
			var mrn MRN
			return pgxcrypt.Wrap(db, fc).QueryRow(ctx, "SELECT mrn FROM patients").Scan(&mrn, &mrn)
		},
		"a Scan that no row stands at": func() error {
			var mrn MRN
			rows, err := pgxcrypt.Wrap(db, fc).Query(ctx, "SELECT mrn FROM patients")
			if err != nil {
				return nil
			}
			rows.Close()
			return rows.Scan(&mrn)
		},
		"a list of lists": func() error {
			return second(pgxcrypt.Wrap(db, fc).Exec(ctx, insertMRN, 5, [][]MRN{{newMRN("x")}}, nil, nil))
		},
		"lists of two lengths": func() error {
			return second(pgxcrypt.Wrap(db, fc).Exec(ctx, "SELECT $1::bytea[], $2::bytea[]", []MRN{newMRN("x")}, []MRNIndex{}))
		},
	} {
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: panic: %v", name, r)
				}
			}()
			if err := f(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}()
	}
	if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM patients"); n[0] != 1 {
		t.Errorf("%d rows", n[0])
	}
}
