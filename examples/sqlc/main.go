// Command sqlc shows encrypted columns in code that sqlc generates:
//
//	go run . postgres://localhost/test
//
// It makes its tables in a schema of its own, which it drops at the end, and its
// key in a file that devkeys makes.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/examples/sqlc/db"
	"github.com/fieldcrypt/go/examples/sqlc/fields"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
)

//go:embed schema/*.sql
var schema embed.FS

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sqlc POSTGRES-URL")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const schemaName = "fieldcrypt_sqlc_example"

// run makes the tables, does what the example shows, and drops them.
func run(ctx context.Context, url string, out io.Writer) (err error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	cfg.ConnConfig.RuntimeParams["search_path"] = schemaName
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CREATE SCHEMA "+schemaName); err != nil {
		return err
	}
	defer func() {
		_, dropErr := pool.Exec(context.WithoutCancel(ctx), "DROP SCHEMA "+schemaName+" CASCADE")
		err = errors.Join(err, dropErr)
	}()
	for _, name := range []string{"schema/001_tables.sql", "schema/002_fieldcrypt.sql"} {
		text, err := schema.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	keysDB := stdlib.OpenDBFromPool(pool)
	defer keysDB.Close()
	fc, err := devkeys.Open(ctx, keysDB, "medical")
	if err != nil {
		return err
	}
	defer fc.Keys().Close()
	return show(ctx, pgxcrypt.Wrap(pool, fc), fc, out)
}

// show writes, finds and reads. All that differs from plain sqlc is that db.New is
// given a DBTX of pgxcrypt, and the types of the columns.
func show(ctx context.Context, conn *pgxcrypt.DB, fc *fieldcrypt.Crypter, out io.Writer) error {
	q := db.New(conn)

	ada, err := q.CreatePatient(ctx, db.CreatePatientParams{ // the index fills itself
		ID: 1, Ward: "A", Mrn: fields.NewMRN("MRN-1042"), Notes: fields.NewNotes("allergic to penicillin"),
	})
	if err != nil {
		return err
	}
	notes, err := ada.Notes.Reveal()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "created %v: %s\n", ada.ID, notes)
	fmt.Fprintf(out, "printed: %v\n", ada.Mrn)

	if _, err := q.CopyPatients(ctx, []db.CopyPatientsParams{
		{ID: 2, Ward: "A", Mrn: fields.NewMRN("MRN-2000")},
		{ID: 3, Ward: "B", Mrn: fields.NewMRN("MRN-3000"), Notes: fields.NewNotes("none")},
	}); err != nil {
		return err
	}

	// Search: the terms of a value under every live index key.
	terms, err := fc.SecretTerms(ctx, fields.NewMRN("MRN-2000"))
	if err != nil {
		return err
	}
	found, err := q.FindPatients(ctx, terms)
	if err != nil {
		return err
	}
	for _, p := range found {
		fmt.Fprintf(out, "found %d in ward %s\n", p.ID, p.Ward)
	}

	// A transaction: what pgx.BeginFunc gives is wrapped as well.
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).ChangeMRN(ctx, db.ChangeMRNParams{ID: 3, Mrn: fields.NewMRN("MRN-3001")})
		return err
	}); err != nil {
		return err
	}

	// A batch.
	var batchErr error
	q.AddVisits(ctx, []db.AddVisitsParams{
		{PatientID: 1, Reason: fields.NewReason("cough")}, {PatientID: 3, Reason: fields.NewReason("check-up")},
	}).QueryRow(func(_ int, _ db.Visit, err error) { batchErr = errors.Join(batchErr, err) })
	if batchErr != nil {
		return batchErr
	}
	visits, err := q.ListVisits(ctx)
	if err != nil {
		return err
	}
	for _, v := range visits {
		fmt.Fprintf(out, "%s in ward %s: %s\n", v.Number.MustReveal(), v.Ward, v.Reason.MustReveal())
	}
	return nil
}
