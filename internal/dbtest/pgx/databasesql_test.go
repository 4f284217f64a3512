package pgx_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// onDatabaseSQL runs a test on database/sql: pgx's own driver in each mode, and
// SQLite.
func onDatabaseSQL(t *testing.T, test func(t *testing.T, db *sql.DB, fc *fieldcrypt.Crypter)) {
	url := pgtest.DB(t)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			cfg, err := pgx.ParseConfig(url)
			if err != nil {
				t.Fatal(err)
			}
			cfg.DefaultQueryExecMode = mode
			db := stdlib.OpenDB(*cfg)
			t.Cleanup(func() { db.Close() })
			fc := newCrypter(t)
			ddl, err := pgxcrypt.DDL(fc, &Patient{})
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{"DROP SCHEMA public CASCADE; CREATE SCHEMA public", practice, ddl} {
				if _, err := db.Exec(sql); err != nil {
					t.Fatal(err)
				}
			}
			test(t, db, fc)
		})
	}
	t.Run("SQLite", func(t *testing.T) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if _, err := db.Exec("CREATE TABLE patients (id integer PRIMARY KEY, ward text, mrn blob, mrn_bidx blob UNIQUE, notes blob)"); err != nil {
			t.Fatal(err)
		}
		test(t, db, newCrypter(t))
	})
}

func TestDatabaseSQL(t *testing.T) {
	onDatabaseSQL(t, func(t *testing.T, db *sql.DB, fc *fieldcrypt.Crypter) {
		insert := "INSERT INTO patients (id, mrn, mrn_bidx, notes) VALUES ($1, $2, $3, $4)"
		one, note, null := newMRN("MRN-1"), newNotes("a note"), MRN{}
		for _, args := range [][]any{{1, one, nil, nil}, {1, &one, nil, nil}, {1, nil, one.Index(), nil}, {1, nil, MRNIndex{}, nil}} {
			if _, err := db.ExecContext(ctx, insert, args...); !errors.Is(err, fieldcrypt.ErrUnsealed) {
				t.Errorf("a Secret that is not sealed: %v", err)
			}
		}
		if err := fc.SealSecrets(ctx, &one, &note, &null); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]any{{1, one, one.Index(), &note}, {2, null, null.Index(), (*Notes)(nil)}} {
			if _, err := db.ExecContext(ctx, insert, args...); err != nil {
				t.Fatal(err)
			}
		}
		terms, err := fc.SecretTerms(ctx, newMRN("MRN-1"))
		if err != nil {
			t.Fatal(err)
		}
		var mrn MRN
		var notes Notes
		var pointer *MRN
		read := func(where string, args ...any) {
			t.Helper()
			if err := db.QueryRowContext(ctx, "SELECT mrn, notes, mrn FROM patients WHERE "+where, args...).Scan(&mrn, &notes, &pointer); err != nil {
				t.Fatal(err)
			}
		}
		read("mrn_bidx = $1", terms[0])
		if v, err := mrn.Reveal(); !errors.Is(err, fieldcrypt.ErrSealed) || v != "" {
			t.Errorf("before it is opened it reveals %q, %v", v, err)
		}
		if err := fc.OpenSecrets(ctx, &mrn, &notes, pointer); err != nil {
			t.Fatal(err)
		}
		if mrn.MustReveal() != "MRN-1" || *notes.MustReveal() != "a note" || pointer.MustReveal() != "MRN-1" {
			t.Errorf("read %q, %q, %q", mrn.MustReveal(), *notes.MustReveal(), pointer.MustReveal())
		}
		read("id = 2")
		if err := fc.OpenSecrets(ctx, &mrn, &notes); err != nil || !mrn.IsNull() || !notes.IsNull() || pointer != nil {
			t.Errorf("NULL came back as a value, %v", err)
		}
		// What stands in the wrong column, or is no value.
		if err := db.QueryRowContext(ctx, "SELECT notes FROM patients WHERE id = 1").Scan(&mrn); err != nil {
			t.Fatal(err)
		}
		if err := fc.OpenSecrets(ctx, &mrn); !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("another column: %v", err)
		}
		if _, err := db.ExecContext(ctx, "UPDATE patients SET ward = $1", "plaintext"); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRowContext(ctx, "SELECT ward FROM patients WHERE id = 1").Scan(&mrn); !errors.Is(err, fieldcrypt.ErrNotSealed) {
			t.Errorf("text: %v", err)
		}
		bad := newMRN(canary + "\xff")
		err = fc.SealSecrets(ctx, &bad)
		_, err2 := db.ExecContext(ctx, insert, 3, bad, nil, nil)
		if !errors.Is(err, fieldcrypt.ErrWrongType) || !errors.Is(err2, fieldcrypt.ErrUnsealed) {
			t.Errorf("what cannot be sealed: %v, %v", err, err2)
		}
		tr := &tracer{}
		tr.err(err)
		tr.err(err2)
		noCanary(t, "the errors", tr.out.Bytes())
	})
}

// TestDatabaseSQLAndModels: a model reads what database/sql wrote.
func TestDatabaseSQLAndModels(t *testing.T) {
	url := pgtest.DB(t)
	p := pool(t, url)
	fc := openPractice(t, p)
	db := stdlib.OpenDBFromPool(p)
	t.Cleanup(func() { db.Close() })
	one := newMRN(drivertest.Canary)
	if err := fc.SealSecrets(ctx, &one); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (1, $1, $2)", one, one.Index()); err != nil {
		t.Fatal(err)
	}
	terms, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", drivertest.Canary)
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, p, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), "SELECT mrn FROM patients WHERE mrn_bidx = ANY($1)", terms); len(got) != 1 || got[0] != drivertest.Canary {
		t.Errorf("%d rows", len(got))
	}
	// Through the codec of a connection, Secrets are sealed and not opened: what
	// comes back goes through database/sql.
	with := pool(t, url)
	cfg := with.Config().ConnConfig
	coded := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(pgxcrypt.AfterConnect(fc)))
	t.Cleanup(func() { coded.Close() })
	two := newMRN("MRN-2")
	if _, err := coded.ExecContext(ctx, "INSERT INTO patients (id, mrn, mrn_bidx) VALUES (2, $1, $2)", two, two.Index()); err != nil {
		t.Fatal(err)
	}
	var back MRN
	if err := coded.QueryRowContext(ctx, "SELECT mrn FROM patients WHERE id = 2").Scan(&back); err != nil {
		t.Fatal(err)
	}
	if _, err := back.Reveal(); err != nil && !errors.Is(err, fieldcrypt.ErrSealed) {
		t.Error(err)
	}
	if err := fc.OpenSecrets(ctx, &back); err != nil || back.MustReveal() != "MRN-2" {
		t.Error(err)
	}
}
