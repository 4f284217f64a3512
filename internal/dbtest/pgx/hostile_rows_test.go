package pgx_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// TestReadersAreShared: one RowToFunc reads queries of several shapes at once.
func TestReadersAreShared(t *testing.T) {
	fc := newCrypter(t)
	url := pgtest.DB(t)
	setup := pool(t, url)
	exec(t, setup, practice)
	migrate(t, setup, fc, &Patient{}, &Visit{})
	var list []Patient
	for n := range int64(50) {
		list = append(list, patient(n))
	}
	if _, err := pgxcrypt.CopyInto(ctx, setup, fc, pgx.Identifier{"patients"}, list); err != nil {
		t.Fatal(err)
	}
	lax, one := pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn")
	theirs := pgxcrypt.Rows(ctx, fc, pgx.RowToAddrOfStructByNameLax[sqlPatient])
	var wait sync.WaitGroup
	for _, mode := range modes {
		db := pgxcrypt.Wrap(pool(t, url, func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode; cfg.MaxConns = 2 }), fc)
		for _, columns := range []string{"id, mrn, name", "name, mrn, id", "mrn, notes, id, vitals", "mrn, id"} {
			wait.Go(func() {
				for range 5 {
					sql := "SELECT " + columns + " FROM patients ORDER BY id"
					got, err := query(db, lax, sql)
					if err != nil || len(got) != len(list) {
						t.Error(len(got), err)
						return
					}
					for n, p := range got {
						if p.ID != int64(n) || p.MRN != list[n].MRN || p.Name != "" && p.Name != list[n].Name {
							t.Errorf("%s: row %d is %+v", columns, n, p)
						}
					}
					if got, err := query(db, one, sql); err != nil || len(got) != len(list) || got[7] != "MRN-7" {
						t.Error(len(got), err)
					}
					if got, err := query(db, theirs, "SELECT mrn, id FROM patients ORDER BY id"); err != nil || len(got) != len(list) || got[9].MRN != "MRN-9" {
						t.Error(len(got), err)
					}
				}
			})
		}
	}
	wait.Wait()
}

type sqlPatient struct {
	ID  int64  `db:"id"`
	MRN string `db:"mrn" fieldcrypt:"medical,index,id=patients.mrn"`
}

// TestRowsAreLeft: by a break, an error or a cancelled context, on a pool of one
// connection. The next statement has it.
func TestRowsAreLeft(t *testing.T) {
	inEachMode(t, func(t *testing.T, setup *pgxpool.Pool) {
		fc := openPractice(t, setup)
		db := pool(t, setup.Config().ConnString(), func(cfg *pgxpool.Config) {
			cfg.MaxConns = 1
			cfg.ConnConfig.DefaultQueryExecMode = setup.Config().ConnConfig.DefaultQueryExecMode
		})
		w := pgxcrypt.Wrap(db, fc)
		for n := range int64(3) {
			exec(t, db, insertPatient, pgxcrypt.Args(fc, patient(n)))
		}
		var mrn MRN
		wrong := "SELECT CASE id WHEN 1 THEN notes ELSE mrn END FROM patients ORDER BY id"
		for name, run := range map[string]func() error{
			"a break": func() error {
				rows, err := w.Query(ctx, "SELECT mrn FROM patients")
				if err != nil {
					return err
				}
				rows.Next()
				err = rows.Scan(&mrn)
				rows.Close()
				return err
			},
			"an error that is looked at in the end": func() error {
				rows, err := w.Query(ctx, wrong)
				if err != nil {
					return err
				}
				n := 0
				for rows.Next() {
					rows.Scan(&mrn) // pgx's own rows remember the error
					n++
				}
				if err := rows.Err(); !errors.Is(err, fieldcrypt.ErrAuthentication) || n != 2 {
					return fmt.Errorf("%d rows, %w", n, err)
				}
				return nil
			},
			"an error of ForEachRow": func() error {
				rows, err := w.Query(ctx, wrong)
				if err != nil {
					return err
				}
				if _, err := pgx.ForEachRow(rows, []any{&mrn}, func() error { return nil }); !errors.Is(err, fieldcrypt.ErrAuthentication) {
					return err
				}
				return nil
			},
			"an error in a batch": func() error {
				b := &pgx.Batch{}
				b.Queue("SELECT mrn FROM patients ORDER BY id")
				b.Queue(wrong).Query(func(rows pgx.Rows) error {
					_, err := pgx.CollectRows(rows, pgx.RowTo[MRN])
					return err
				})
				b.Queue("SELECT mrn FROM patients ORDER BY id")
				if err := w.SendBatch(ctx, b).Close(); !errors.Is(err, fieldcrypt.ErrAuthentication) {
					return fmt.Errorf("the batch: %w", err)
				}
				return nil
			},
			"a statement that fails in a batch": func() error {
				b := &pgx.Batch{}
				b.Queue(insertPatient, pgxcrypt.Args(fc, patient(7)))
				b.Queue("SELECT 1/0")
				b.Queue(insertMRN, 8, newMRN("8"), MRNIndex{}, nil)
				if err := w.SendBatch(ctx, b).Close(); err == nil {
					return errors.New("no error")
				}
				return nil
			},
			"a batch that is not sent": func() error {
				b := &pgx.Batch{}
				b.Queue(insertMRN, 9, newMRN("9"), MRNIndex{}, nil)
				b.Queue(insertMRN, 10, newMRN("10"), nil, nil)
				if err := w.SendBatch(ctx, b).Close(); !errors.Is(err, fieldcrypt.ErrUnsupported) {
					return fmt.Errorf("the batch: %w", err)
				}
				return nil
			},
			"a context that is cancelled": func() error {
				c, cancel := context.WithCancel(ctx)
				defer cancel()
				rows, err := w.Query(c, "SELECT mrn FROM patients, generate_series(1, 100000)")
				if err != nil {
					return err
				}
				defer rows.Close()
				for n := 0; rows.Next(); n++ {
					if n == 10 {
						cancel()
					}
					if err := rows.Scan(&mrn); err != nil {
						return nil
					}
				}
				if rows.Err() == nil {
					return errors.New("the rows ended without an error")
				}
				return nil
			},
			"rows that CollectRows was not given": func() error {
				_, err := query(w, func(row pgx.CollectableRow) (int, error) { return 0, errors.New("mine") }, "SELECT mrn FROM patients")
				if err == nil || err.Error() != "mine" {
					return fmt.Errorf("%w", err)
				}
				return nil
			},
			"a COPY that fails": func() error {
				bad := patient(11)
				bad.MRN = "caf\xe9"
				if _, err := pgxcrypt.CopyInto(ctx, w, fc, pgx.Identifier{"patients"}, []Patient{patient(12), bad, patient(13)}); !errors.Is(err, fieldcrypt.ErrWrongType) {
					return err
				}
				return nil
			},
		} {
			if err := run(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM patients"); n[0] != 3 {
				t.Fatalf("%s: %d rows", name, n[0])
			}
			if got := collect(t, w, pgxcrypt.RowTo[Patient, string](ctx, fc, "mrn"), "SELECT mrn FROM patients ORDER BY id"); fmt.Sprint(got) != "[MRN-0 MRN-1 MRN-2]" {
				t.Fatalf("%s: %v", name, got)
			}
		}
	})
}

// TestQueriesOfManyForms: views, UNION, self joins, RETURNING and arrays give each
// row its own values, in every mode.
func TestQueriesOfManyForms(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		w := pgxcrypt.Wrap(db, fc)
		for n := range int64(4) {
			exec(t, db, insertPatient, pgxcrypt.Args(fc, patient(n)))
		}
		exec(t, db, "CREATE VIEW seen AS SELECT id, mrn, notes FROM patients; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen")
		for _, sql := range []string{
			"SELECT id, mrn, notes FROM seen ORDER BY id",
			"SELECT notes, id, mrn FROM kept ORDER BY id",
			"SELECT id, mrn, notes FROM patients WHERE id < 2 UNION ALL SELECT id, mrn, notes FROM patients WHERE id >= 2 ORDER BY id",
			"WITH RECURSIVE r AS (SELECT id, mrn, notes FROM patients WHERE id = 0 UNION ALL SELECT p.id, p.mrn, p.notes FROM patients p JOIN r ON p.id = r.id + 1) SELECT * FROM r ORDER BY id",
			"SELECT a.id, a.mrn, b.notes FROM patients a JOIN patients b USING (id) ORDER BY id",
			"SELECT id, coalesce(mrn, mrn) AS mrn, notes FROM patients ORDER BY id",
			"SELECT DISTINCT ON (id) id, mrn, notes FROM patients ORDER BY id",
			"SELECT (p).id, (p).mrn, (p).notes FROM (SELECT p FROM patients p) x ORDER BY 1",
			"UPDATE patients SET ward = 'B' RETURNING id, mrn, notes",
		} {
			for name, rows := range map[string][]Patient{
				"pgx": collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), sql), "Wrap": collect(t, w, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), sql),
			} {
				seen := map[int64]bool{}
				for _, p := range rows {
					want := patient(p.ID)
					if p.MRN != want.MRN || (p.Notes == nil) != (want.Notes == nil) || p.Notes != nil && *p.Notes != *want.Notes || seen[p.ID] {
						t.Errorf("%s, %s: %+v", name, sql, p)
					}
					seen[p.ID] = true
				}
				if len(seen) != 4 {
					t.Errorf("%s, %s: %d rows", name, sql, len(seen))
				}
			}
		}
		// Two patients in one row.
		var x, y MRN
		if err := w.QueryRow(ctx, "SELECT x.mrn, y.mrn FROM patients x JOIN patients y ON y.id = x.id + 1 WHERE x.id = 2").Scan(&x, &y); err != nil {
			t.Fatal(err)
		}
		if x.MustReveal() != "MRN-2" || y.MustReveal() != "MRN-3" {
			t.Errorf("a self join: %q, %q", x.MustReveal(), y.MustReveal())
		}
		// Arrays keep their order and their NULLs.
		var notes []Notes
		if err := w.QueryRow(ctx, "SELECT array_agg(notes::bytea ORDER BY id) FROM patients").Scan(&notes); err != nil {
			t.Fatal(err)
		}
		if len(notes) != 4 || !notes[0].IsNull() || *notes[1].MustReveal() != "note of 1" || *notes[3].MustReveal() != "note of 3" {
			t.Errorf("%d notes", len(notes))
		}
		// Ciphertext of the domain in an array, in a row or JSON is opened, or an error.
		var mrns []MRN
		if err := w.QueryRow(ctx, "SELECT array_agg(mrn ORDER BY id) FROM patients").Scan(&mrns); err == nil && (len(mrns) != 4 || mrns[3].MustReveal() != "MRN-3") {
			t.Errorf("a list of the domain: %d", len(mrns))
		}
		var one MRN
		for _, sql := range []string{"SELECT json_agg(mrn) FROM patients", "SELECT row(mrn) FROM patients", "SELECT mrn::text FROM patients", "SELECT encode(mrn, 'base64') FROM patients", "SELECT hex FROM (SELECT mrn || mrn AS hex FROM patients) x"} {
			if err := w.QueryRow(ctx, sql).Scan(&one); err == nil || !one.IsNull() {
				t.Errorf("%s was opened: %v", sql, err)
			}
		}
	})
}

// TestMergeOfTenants: MERGE is an upsert, and what it compares must hold the
// tenant and what values are bound to.
func TestMergeOfTenants(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		if collect(t, db, pgx.RowTo[int], "SELECT current_setting('server_version_num')::int")[0] < 150000 {
			t.Skip("Postgres has MERGE since version 15")
		}
		fc := openTenanted(t, db)
		exec(t, db, insertTenanted, pgxcrypt.Args(fc, tenanted{ID: rowID(1), Clinic: "bern", MRN: "MRN-1"}))
		row := tenanted{ID: rowID(1), Clinic: "basel", MRN: "MRN-2"}
		merge := `MERGE INTO tenanted t USING (VALUES (@id::uuid, @clinic::text, @mrn::bytea, @mrn_bidx::bytea)) s (id, clinic, mrn, bidx) ON `
		set := " WHEN MATCHED THEN UPDATE SET mrn = s.mrn, mrn_bidx = s.bidx WHEN NOT MATCHED THEN INSERT (id, clinic, mrn, mrn_bidx) VALUES (s.id, s.clinic, s.mrn, s.bidx)"
		for _, sql := range []string{
			merge + "t.id = s.id" + set,
			merge + "t.clinic = s.clinic" + set,
			merge + "t.id = s.id AND t.clinic = s.clinic WHEN MATCHED THEN UPDATE SET mrn = s.mrn",
		} {
			if _, err := db.Exec(ctx, sql, pgxcrypt.Args(fc, &row)); !errors.Is(err, fieldcrypt.ErrUnsupported) {
				t.Errorf("%s: %v", sql, err)
			}
		}
		mrn := newTenantMRN("MRN-2")
		if _, err := pgxcrypt.Wrap(db, fc).Exec(ctx, merge+"t.id = s.id"+set, pgx.NamedArgs{"id": rowID(1), "clinic": fieldcrypt.Tenant("basel"), "mrn": mrn, "mrn_bidx": mrn.Index()}); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("Wrap: %v", err)
		}
		changed := tenanted{ID: rowID(1), Clinic: "bern", MRN: "MRN-3"}
		exec(t, db, merge+"t.id = s.id AND t.clinic = s.clinic"+set, pgxcrypt.Args(fc, &changed))
		if got := collect(t, db, pgxcrypt.RowToStructByNameLax[tenanted](ctx, fc), "SELECT * FROM tenanted"); len(got) != 1 || got[0].MRN != "MRN-3" {
			t.Errorf("read %+v", got)
		}
	})
}
