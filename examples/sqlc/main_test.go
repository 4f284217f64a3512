package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/examples/sqlc/db"
	"github.com/fieldcrypt/go/examples/sqlc/fields"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

var generate = flag.Bool("generate", false, "write schema/002_fieldcrypt.sql anew")

func newCrypter(t *testing.T) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{})
}

// TestSchemaIsCurrent: the second migration is what DDL prints for the fields.
func TestSchemaIsCurrent(t *testing.T) {
	const name = "schema/002_fieldcrypt.sql"
	ddl, err := pgxcrypt.DDL(newCrypter(t), fields.Columns()...)
	if err != nil {
		t.Fatal(err)
	}
	if *generate {
		if err := os.WriteFile(name, []byte(ddl), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || string(text) != ddl {
		t.Errorf("%s is not what the fields make; run make generate (%v)", name, err)
	}
}

func TestProgram(t *testing.T) {
	t.Setenv(devkeys.KeyFileVariable, filepath.Join(t.TempDir(), "dev.key"))
	url := pgtest.DB(t)
	var out bytes.Buffer
	for range 2 { // nothing is left of the first run
		out.Reset()
		if err := run(t.Context(), url, &out); err != nil {
			t.Fatal(err)
		}
	}
	want := `created 1: allergic to penicillin
printed: <encrypted>
found 2 in ward A
MRN-1042 in ward A: cough
MRN-3001 in ward B: check-up
`
	if out.String() != want {
		t.Errorf("it prints\n%s", &out)
	}
}

// open makes the tables of the example.
func open(t *testing.T) (*pgxpool.Pool, *fieldcrypt.Crypter) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, name := range []string{"schema/001_tables.sql", "schema/002_fieldcrypt.sql"} {
		text, err := schema.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), string(text)); err != nil {
			t.Fatal(err)
		}
	}
	return pool, newCrypter(t)
}

// TestGeneratedCode: each kind of query, and what is stored.
func TestGeneratedCode(t *testing.T) {
	ctx := t.Context()
	pool, fc := open(t)
	q := db.New(pgxcrypt.Wrap(pool, fc))
	created, err := q.CreatePatient(ctx, db.CreatePatientParams{ID: 1, Ward: "A", Mrn: fields.NewMRN("MRN-1"), Notes: fields.NewNotes("first")})
	if err != nil {
		t.Fatal(err)
	}
	if created.Mrn.MustReveal() != "MRN-1" || created.Notes.MustReveal() != "first" {
		t.Errorf("RETURNING gives %q, %q", created.Mrn.MustReveal(), created.Notes.MustReveal())
	}
	if err := errors.Join(
		q.AppendNotes(ctx, db.AppendNotesParams{ID: 1}), // NULL: as it was
		q.AppendNotes(ctx, db.AppendNotesParams{ID: 1, Notes: fields.NewNotes("second")}),
	); err != nil {
		t.Fatal(err)
	}
	if n, err := q.CopyPatients(ctx, []db.CopyPatientsParams{{ID: 2, Mrn: fields.NewMRN("MRN-2")}, {ID: 3}}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	all, err := q.ListPatients(ctx)
	if err != nil || len(all) != 3 || all[0].Notes.MustReveal() != "second" || all[1].Mrn.MustReveal() != "MRN-2" || !all[2].Mrn.IsNull() {
		t.Errorf("%d patients, %v", len(all), err)
	}
	one, err := q.GetPatient(ctx, 2)
	if err != nil || one.Mrn.MustReveal() != "MRN-2" || !one.Notes.IsNull() {
		t.Errorf("GetPatient: %v", err)
	}
	// A row that was read is written back: the index is made anew.
	if n, err := q.ChangeMRN(ctx, db.ChangeMRNParams{ID: one.ID, Mrn: fields.NewMRN("MRN-X"), MrnBidx: one.MrnBidx}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for mrn, want := range map[string]int{"MRN-2": 0, "MRN-X": 1} {
		terms, err := fc.SecretTerms(ctx, fields.NewMRN(mrn))
		if err != nil {
			t.Fatal(err)
		}
		if found, err := q.FindPatients(ctx, terms); len(found) != want || err != nil {
			t.Errorf("%s is found %d times, %v", mrn, len(found), err)
		}
	}
	if _, err := q.CreatePatient(ctx, db.CreatePatientParams{ID: 4, Mrn: fields.NewMRN("MRN-X")}); err == nil {
		t.Error("two patients have one number")
	}
	rows, err := pool.Query(ctx, "SELECT p::text FROM patients p")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(stored) != 3 || strings.Contains(strings.Join(stored, ""), "MRN") {
		t.Errorf("stored: %q, %v", stored, err)
	}
}

// TestForgotten: generated code without Wrap stores nothing, and reveals nothing.
func TestForgotten(t *testing.T) {
	ctx := t.Context()
	pool, fc := open(t)
	plain := db.New(pool)
	params := db.CreatePatientParams{ID: 1, Ward: "A", Mrn: fields.NewMRN("MRN-1")}
	if _, err := plain.CreatePatient(ctx, params); !errors.Is(err, fieldcrypt.ErrUnsealed) {
		t.Errorf("without Wrap: %v", err)
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wrapped := db.New(pgxcrypt.Wrap(pool, fc))
	if _, err := wrapped.WithTx(tx).CreatePatient(ctx, params); !errors.Is(err, fieldcrypt.ErrUnsealed) {
		t.Errorf("in a transaction that is not wrapped: %v", err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := wrapped.CreatePatient(ctx, params); err != nil {
		t.Fatal(err)
	}
	p, err := plain.GetPatient(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := p.Mrn.Reveal(); !errors.Is(err, fieldcrypt.ErrSealed) {
		t.Errorf("without Wrap it reveals %q, %v", v, err)
	}
}
