package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

// rotation is the program once it has a database: a service of two instances, and
// an operator who rotates its key.
func rotation(ctx context.Context, out *account, d *database, dir string, rows int) error {
	kek, err := localkms.OpenOrCreate(filepath.Join(dir, "kms.key")) // in production, a KMS
	if err != nil {
		return err
	}
	var calls kmsCalls
	op, err := setUp(ctx, out, d, kek, &calls)
	if err != nil {
		return err
	}
	defer op.close()

	one, err := start(ctx, d, kek, &calls, false)
	if err != nil {
		return err
	}
	defer one.close()
	two, err := start(ctx, d, kek, &calls, false)
	if err != nil {
		return err
	}
	defer two.close()
	db, err := one.gorm()
	if err != nil {
		return err
	}
	if err := db.WithContext(ctx).AutoMigrate(&Patient{}); err != nil {
		return err
	}
	native := pgxStore{two.pool, two.fc}
	patients, err := fill(ctx, native, rows)
	if err != nil {
		return err
	}
	out.line("%d patients in %s, under key %d", rows, d.name, op.old)

	traffic := newTraffic(patients, gormStore{db}, native)
	traffic.begin(ctx)
	out.line("two instances write, read and search: one through GORM, one through pgx")
	err = traffic.more(ctx, 20)
	if err == nil {
		err = op.rotate(ctx, traffic)
	}
	if err == nil {
		err = traffic.more(ctx, 20) // the service does not notice that the old key is gone
	}
	want := traffic.end()
	if err != nil {
		return err
	}
	out.line("in all: %s", traffic)
	if err := traffic.err(); err != nil {
		return err
	}
	if err := verdict(ctx, out, op, native, want); err != nil {
		return err
	}
	out.line("%d calls of the KMS in all, none of them for a row", calls.Load())
	return nil
}

// setUp is what an operator does once: the tables of keys and jobs, and the keys.
func setUp(ctx context.Context, out *account, d *database, kek keymgr.KEK, calls *kmsCalls) (*operator, error) {
	p, err := start(ctx, d, kek, calls, true)
	if err != nil {
		return nil, err
	}
	o := &operator{process: p, out: out}
	err = sqlstore.Migrate(ctx, p.sql)
	if err == nil {
		err = migrate.Migrate(ctx, migrate.Postgres(p.pool))
	}
	if err == nil {
		err = p.keys.Create(ctx, medical)
	}
	var keys *keymgr.Keys
	if err == nil {
		keys, err = p.keys.Keys(ctx, medical)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	o.old = keys.Primary().ID()
	return o, nil
}

// fill writes the first patients, by COPY.
func fill(ctx context.Context, s pgxStore, rows int) ([]Patient, error) {
	patients := make([]Patient, rows)
	for i := range patients {
		patients[i] = newPatient(int64(i+1), 0)
	}
	if _, err := pgxcrypt.CopyInto(ctx, s.pool, s.fc, pgx.Identifier{"patients"}, patients); err != nil {
		return nil, err
	}
	_, err := s.pool.Exec(ctx, "ANALYZE patients")
	return patients, err
}

// verdict opens and finds every row, and looks for the old key.
func verdict(ctx context.Context, out *account, o *operator, s pgxStore, want map[int64]Patient) error {
	rows, left, err := o.count(ctx)
	if err != nil {
		return err
	}
	if rows != int64(len(want)) || left != 0 {
		return fmt.Errorf("%d rows where %d were committed; %d with the old key", rows, len(want), left)
	}
	var mrns []string
	found := 0
	look := func() error {
		patients, err := s.searchAll(ctx, mrns)
		if err != nil {
			return err
		}
		for _, p := range patients {
			if !same(p, want[p.ID]) {
				return fmt.Errorf("row %d: %w", p.ID, errWrong)
			}
		}
		found, mrns = found+len(patients), mrns[:0]
		return nil
	}
	for _, p := range want {
		if mrns = append(mrns, p.MRN); len(mrns) == 500 {
			if err := look(); err != nil {
				return err
			}
		}
	}
	if err := look(); err != nil {
		return err
	}
	if found != len(want) {
		return fmt.Errorf("%d of %d rows are found", found, len(want))
	}
	state, err := o.stateOf(ctx, o.old)
	if err != nil {
		return err
	}
	if state != keymgr.StateDisabled {
		return fmt.Errorf("the old key is %s", state)
	}
	out.line("every one of %d rows is found and is what was committed last; none has the old key, which is %s", found, state)
	return nil
}
