package pgx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestArgsRefused: what would store something that is not found, not opened or
// not meant. Nothing comes to the database.
func TestArgsRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		p := patient(1)
		for _, c := range []struct {
			sql  string
			args []any
			want error
			say  string
		}{
			{"INSERT INTO patients (id, mrn, mrn_bidx) VALUES (@id, @mrm, @mrn_bidx)", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "mrm"},
			{"INSERT INTO patients (id, mrn) VALUES (@id, @mrn)", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "mrn_bidx"},
			{"UPDATE patients SET mrn = @mrn WHERE id = @id", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "mrn_bidx"},
			{"SELECT * FROM patients WHERE mrn_bidx = @mrn_bidx", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "Eq"},
			{"SELECT * FROM patients WHERE mrn = @mrn", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "Eq"},
			{"INSERT INTO patients (id) VALUES ($1)", []any{pgxcrypt.Args(fc, &p)}, fieldcrypt.ErrUnsupported, "names no column"},
			{"INSERT INTO patients (id, ward) VALUES (@id, $2)", []any{pgxcrypt.Args(fc, &p), "A"}, fieldcrypt.ErrUnsupported, "after Args"},
			{"INSERT INTO patients (id, ward) VALUES (@id, 'A')", []any{pgxcrypt.Args(fc, &p, pgx.NamedArgs{"unused": 1})}, fieldcrypt.ErrUnsupported, "0 of 1"},
			{"INSERT INTO patients (id, ward) VALUES (@id, @ward)", []any{pgxcrypt.Args(fc, &p, pgx.NamedArgs{"ward": "B"})}, fieldcrypt.ErrUnsupported, "ward"},
			{"INSERT INTO patients (id) VALUES (@id)", []any{pgxcrypt.Args(nil, &p)}, fieldcrypt.ErrNotRegistered, "fieldcrypt.New"},
			{"INSERT INTO patients (id) VALUES (@id)", []any{pgxcrypt.Args(fc, nil)}, fieldcrypt.ErrUnsupported, "struct"},
			{"INSERT INTO patients (id) VALUES (@id)", []any{pgxcrypt.Args(fc, (*Patient)(nil))}, fieldcrypt.ErrUnsupported, "struct"},
			{"INSERT INTO patients (id) VALUES (@id)", []any{pgxcrypt.Args(fc, []Patient{p})}, fieldcrypt.ErrUnsupported, "Unnest"},
			{"INSERT INTO patients (id) VALUES (@id)", []any{pgxcrypt.Args(fc, struct {
				ID int `fieldcrypt:"nowhere"`
			}{})}, fieldcrypt.ErrModel, "ID"},
			{"INSERT INTO patients (id) SELECT unnest(@id::bigint[])", []any{pgxcrypt.Unnest(fc, []*Patient{&p, nil})}, fieldcrypt.ErrUnsupported, "row 1"},
			{"INSERT INTO patients (id) SELECT unnest(@id::bigint[])", []any{pgxcrypt.Unnest(fc, []int{1})}, fieldcrypt.ErrModel, "int"},
			{"INSERT INTO patients (id) SELECT unnest(@id::bigint[])", []any{pgxcrypt.Unnest(fc, []Patient{p}), 1}, fieldcrypt.ErrUnsupported, "after Unnest"},
		} {
			_, err := db.Exec(ctx, c.sql, c.args...)
			if e := (*fieldcrypt.Error)(nil); !errors.Is(err, c.want) || !errors.As(err, &e) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%s: %v, want %v that says %q", c.sql, err, c.want, c.say)
			}
			b := &pgx.Batch{}
			b.Queue(c.sql, c.args...)
			if err := db.SendBatch(ctx, b).Close(); !errors.Is(err, c.want) {
				t.Errorf("%s in a batch: %v, want %v", c.sql, err, c.want)
			}
		}
		for _, columns := range [][]string{{"id", "nothing"}, {"id", "id"}, {"id", "mrn_bidx"}} {
			if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []Patient{p}, columns...); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("CopyInto of %v: %v", columns, err)
			}
		}
		var count int
		if err := db.QueryRow(ctx, "SELECT count(*) FROM patients").Scan(&count); err != nil || count != 0 {
			t.Errorf("%d rows, %v", count, err)
		}
	})
}

func TestEqRefused(t *testing.T) {
	fc := newCrypter(t)
	for _, c := range []struct {
		column string
		values []any
		want   error
	}{
		{"notes", []any{"x"}, fieldcrypt.ErrUnsearchable},
		{"ward", []any{"x"}, fieldcrypt.ErrUnsearchable},
		{"nothing", []any{"x"}, fieldcrypt.ErrUnsearchable},
		{"mrn", []any{nil}, fieldcrypt.ErrUnsearchable},
		{"mrn", nil, fieldcrypt.ErrUnsearchable},
		{"mrn", []any{"a", "b"}, fieldcrypt.ErrUnsearchable},
		{"card_no", []any{"n/a"}, fieldcrypt.ErrUnsearchable},
		{"mrn", []any{time.Now()}, fieldcrypt.ErrWrongType},
	} {
		terms, err := pgxcrypt.Eq[Patient](ctx, fc, c.column, c.values...)
		if !errors.Is(err, c.want) || terms != nil {
			t.Errorf("Eq of %s: %v, want %v", c.column, err, c.want)
		}
	}
	for _, name := range []string{"card_last4_bidx", "name_mrn_bidx"} {
		values := []any{drivertest.Canary, drivertest.Canary}[:2-strings.Count(name, "card")]
		if terms, err := pgxcrypt.Eq[drivertest.Person](ctx, fc, name, values...); err != nil || len(terms) != 1 {
			t.Errorf("Eq of %s: %d terms, %v", name, len(terms), err)
		}
	}
}

// TestPlaintextIsRefusedByTheDatabase: text and bytes that a statement of the
// application sends to an encrypted column as they are, by any way.
func TestPlaintextIsRefusedByTheDatabase(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		p := patient(1)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
		type text string
		canary := drivertest.Canary
		for _, v := range []any{"4242 4242", []byte("4242 4242"), "a plaintext that is longer than a sealed value at least", canary, &canary, []byte(canary), text(canary), strings.Repeat(canary, 9), []byte("\xfc\x01short"), "", []byte{}} {
			for _, sql := range []string{
				"INSERT INTO patients (id, mrn) VALUES (2, $1)",
				"INSERT INTO patients (id, mrn) SELECT 2, $1",
				"UPDATE patients SET mrn = $1 WHERE id = 1",
				"UPDATE patients SET mrn = coalesce($1, mrn) WHERE id = 1",
			} {
				_, err := db.Exec(ctx, sql, v)
				if err == nil {
					t.Errorf("%T by %s was stored", v, sql)
				}
				if form := drivertest.FindCanary(fmt.Appendf(nil, "%v %+v", err, err)); form != "" && errors.As(err, new(*pgconn.PgError)) {
					t.Errorf("%T by %s: the database's error holds it: %s: %v", v, sql, form, err)
				}
			}
			if _, err := db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn"}, pgx.CopyFromRows([][]any{{2, v}})); err == nil {
				t.Errorf("%T by COPY was stored", v)
			}
		}
		got := collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients")
		if len(got) != 1 {
			t.Fatalf("%d rows", len(got))
		}
		same(t, "the row", got[0], p)
	})
}
