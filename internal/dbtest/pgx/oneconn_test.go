package pgx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// oneConn is a pool of one connection that holds the keysets too.
type oneConn struct {
	db   *pgxpool.Pool
	fc   *fieldcrypt.Crypter
	keys *keymgr.Manager
	ctx  context.Context
}

const storeTimeout = 2 * time.Second

func openOneConn(t *testing.T, mode pgx.QueryExecMode) *oneConn {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	o := &oneConn{ctx: ctx}
	o.db = pool(t, pgtest.DB(t), func(cfg *pgxpool.Config) { cfg.MaxConns = 1; cfg.ConnConfig.DefaultQueryExecMode = mode })
	sqlDB := stdlib.OpenDBFromPool(o.db)
	t.Cleanup(func() { sqlDB.Close() })
	if err := sqlstore.Migrate(ctx, sqlDB); err != nil {
		t.Fatal(err)
	}
	var err error
	o.keys, err = keymgr.Open(ctx, keymgr.Config{Store: sqlstore.New(sqlDB), StoreTimeout: storeTimeout, Domains: map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("medical")}, AutoCreate: true},
		"finance": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("finance")}, AutoCreate: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.keys.Close() })
	o.fc = fieldcrypt.New(o.keys, fieldcrypt.Config{})
	exec(t, o.db, practice)
	migrate(t, o.db, o.fc, &Patient{}, &Visit{})
	return o
}

// cold drops all cached keys.
func (o *oneConn) cold() {
	for _, d := range []string{"medical", "finance"} {
		o.keys.Evict(keymgr.Scope{Domain: d})
	}
}

// TestOneConnection: keysets and rows come through one connection, and the keys
// are cold before each step. Nothing waits for the connection that it holds.
func TestOneConnection(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) { oneConnection(t, openOneConn(t, mode), mode == modes[0]) })
	}
}

func oneConnection(t *testing.T, o *oneConn, late bool) {
	w := pgxcrypt.Wrap(o.db, o.fc)
	for n := int64(1); n <= 3; n++ {
		o.cold()
		p := patient(n)
		if _, err := o.db.Exec(o.ctx, insertPatient, pgxcrypt.Args(o.fc, &p)); err != nil {
			t.Fatal("Args: ", err)
		}
	}
	step := func(name string, run func() error) {
		t.Helper()
		o.cold()
		if err := run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	three := func(list []Patient, err error) error {
		if err == nil && (len(list) != 3 || list[0].MRN != "MRN-1" || list[2].MRN != "MRN-3" || list[1].Ward != "A") {
			err = fmt.Errorf("read %+v", list)
		}
		return err
	}
	all := "SELECT * FROM patients WHERE id <= $1 ORDER BY id"
	step("CopyInto", func() error {
		return second(pgxcrypt.CopyInto(o.ctx, o.db, o.fc, pgx.Identifier{"patients"}, []Patient{patient(4), patient(5)}))
	})
	step("Unnest", func() error {
		return second(o.db.Exec(o.ctx, "INSERT INTO visits (id, reason, reason_bidx) SELECT * FROM unnest(@id::bigint[], @reason::bytea[], @reason_bidx::bytea[])", pgxcrypt.Unnest(o.fc, []Visit{{ID: 1, Reason: "x"}})))
	})
	step("Eq", func() error { return second(pgxcrypt.Eq[Patient](o.ctx, o.fc, "mrn", "x")) })
	step("RowTo made before the query", func() error {
		read := pgxcrypt.RowToStructByName[Patient](o.ctx, o.fc)
		return three(query(o.db, read, all, 3))
	})
	// The rows of Wrap are taken off the connection where keys are missing, in the
	// middle of them too.
	// One that is made only then waits for a store call that cannot be answered, for
	// as long as such a call may take, and works all the same.
	if late {
		step("RowTo made after Wrap's query", func() error {
			rows, err := w.Query(o.ctx, all, 3)
			if err != nil {
				return err
			}
			return three(pgx.CollectRows(rows, pgxcrypt.RowToStructByName[Patient](o.ctx, o.fc)))
		})
	}
	step("RowTo that goes cold between Wrap's rows", func() error {
		read := pgxcrypt.RowToStructByName[Patient](o.ctx, o.fc)
		rows, err := w.Query(o.ctx, all, 3)
		if err != nil {
			return err
		}
		return three(pgx.CollectRows(rows, func(row pgx.CollectableRow) (Patient, error) {
			o.cold()
			return read(row)
		}))
	})
	step("Secrets among Wrap's rows", func() error {
		rows, err := w.Query(o.ctx, "SELECT ward, mrn, mrn, id, born FROM patients ORDER BY id")
		if err != nil {
			return err
		}
		var got []string
		var ward string
		var a MRN
		var b *MRN
		var id int64
		var born time.Time
		if _, err = pgx.ForEachRow(rows, []any{&ward, &a, &b, &id, &born}, func() error {
			got = append(got, fmt.Sprint(ward, a.MustReveal(), b.MustReveal(), id, born.UTC().Year()))
			if id%2 == 0 {
				o.cold()
			}
			return nil
		}); err != nil {
			return err
		}
		var want []string
		for n := 1; n <= 5; n++ {
			want = append(want, fmt.Sprintf("AMRN-%dMRN-%d%d 1931", n, n, n))
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("read %q, want %q", got, want)
		}
		if rows.CommandTag().RowsAffected() != 5 {
			return fmt.Errorf("the command's tag is %q", rows.CommandTag())
		}
		return nil
	})
	step("one Secret", func() error {
		var m MRN
		return w.QueryRow(o.ctx, "SELECT mrn FROM patients WHERE id = 1").Scan(&m)
	})
	step("Values of Wrap's rows", func() error {
		rows, err := w.Query(o.ctx, "SELECT ward, mrn FROM patients ORDER BY id LIMIT 2")
		if err != nil {
			return err
		}
		maps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			var m MRN
			if err := row.Scan(nil, &m); err != nil {
				return "", err
			}
			values, err := row.Values()
			if err != nil {
				return "", err
			}
			return values[0].(string) + m.MustReveal(), nil
		})
		if err == nil && !slices.Equal(maps, []string{"AMRN-1", "AMRN-2"}) {
			err = fmt.Errorf("read %q", maps)
		}
		return err
	})
	for name, arg := range map[string][]any{
		"Wrap's positional arguments": {"UPDATE patients SET mrn = $1, mrn_bidx = $2 WHERE id = 1", newMRN("MRN-1"), MRNIndex{}},
		"Wrap's arguments by name":    {"UPDATE patients SET mrn = @a, mrn_bidx = @b WHERE id = 1", pgx.NamedArgs{"a": newMRN("MRN-1"), "b": MRNIndex{}}},
	} {
		step(name, func() error { return second(w.Exec(o.ctx, arg[0].(string), arg[1:]...)) })
	}
	step("Wrap's batch", func() error {
		b := &pgx.Batch{}
		b.Queue("UPDATE patients SET mrn = $1, mrn_bidx = $2 WHERE id = 1", newMRN("MRN-1"), MRNIndex{})
		return w.SendBatch(o.ctx, b).Close()
	})
	if o.ctx.Err() != nil {
		t.Fatal("deadlock")
	}
}

// TestOneConnectionHeld: where keys are missing while a transaction, or rows that
// nobody can take off it, hold the one connection, it is an error in time, and
// the keys are there afterwards.
func TestOneConnectionHeld(t *testing.T) {
	o := openOneConn(t, pgx.QueryExecModeCacheStatement)
	p := patient(1)
	if _, err := o.db.Exec(o.ctx, insertPatient, pgxcrypt.Args(o.fc, &p)); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"in a transaction": func() error {
			return pgx.BeginFunc(o.ctx, o.db, func(tx pgx.Tx) error {
				o.cold()
				return second(tx.Exec(o.ctx, "UPDATE patients SET notes = @notes WHERE id = @id", pgxcrypt.Args(o.fc, &p)))
			})
		},
		"while rows are open": func() error {
			rows, err := o.db.Query(o.ctx, "SELECT * FROM patients")
			if err != nil {
				return err
			}
			o.cold()
			return second(pgx.CollectRows(rows, pgxcrypt.RowToStructByName[Patient](o.ctx, o.fc)))
		},
	} {
		if err := run(); !errors.Is(err, fieldcrypt.ErrStoreUnavailable) {
			t.Errorf("%s: %v, want ErrStoreUnavailable", name, err)
		}
		var err error
		for range 50 { // a store that did not answer is left alone for a moment
			if _, err = query(o.db, pgxcrypt.RowToStructByName[Patient](o.ctx, o.fc), "SELECT * FROM patients"); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

// TestOneConnectionOfTenants: Wrap knows from the context whose keys are needed
// before it takes the connection.
func TestOneConnectionOfTenants(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db := pool(t, pgtest.DB(t), func(cfg *pgxpool.Config) { cfg.MaxConns = 1 })
	sqlDB := stdlib.OpenDBFromPool(db)
	t.Cleanup(func() { sqlDB.Close() })
	if err := sqlstore.Migrate(ctx, sqlDB); err != nil {
		t.Fatal(err)
	}
	keys, err := keymgr.Open(ctx, keymgr.Config{Store: sqlstore.New(sqlDB), StoreTimeout: storeTimeout, Domains: map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("medical")}, PerTenant: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	scope := keymgr.Scope{Domain: "medical", Tenant: "bern"}
	if err := keys.Create(ctx, scope); err != nil {
		t.Fatal(err)
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	exec(t, db, tenantedTable)
	migrate(t, db, fc, tenanted{})
	w, bern := pgxcrypt.Wrap(db, fc), fieldcrypt.WithTenant(ctx, "bern")
	for name, run := range map[string]func() error{
		"Args": func() error {
			return second(w.Exec(bern, insertTenanted, pgxcrypt.Args(fc, &tenanted{ID: rowID(1), MRN: "MRN-1"})))
		},
		"Unnest": func() error {
			return second(w.Exec(bern, `INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) SELECT * FROM unnest(@id::uuid[], @clinic::text[], @mrn::bytea[], @mrn_bidx::bytea[])`,
				pgxcrypt.Unnest(fc, []tenanted{{ID: rowID(2), MRN: "MRN-2"}})))
		},
		"the row's own tenant, without Wrap": func() error {
			return second(db.Exec(ctx, insertTenanted, pgxcrypt.Args(fc, &tenanted{ID: rowID(3), Clinic: "bern", MRN: "MRN-3"})))
		},
		"CopyInto": func() error {
			return second(pgxcrypt.CopyInto(bern, db, fc, pgx.Identifier{"tenanted"}, []tenanted{{ID: rowID(4), MRN: "MRN-4"}}))
		},
	} {
		keys.Evict(scope)
		if err := run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ctx.Err() != nil {
		t.Fatal("deadlock")
	}
}
