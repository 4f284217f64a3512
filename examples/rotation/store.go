package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// store is what the service does with patients. No line of it knows of keys.
type store interface {
	insert(ctx context.Context, p Patient) error
	update(ctx context.Context, p Patient) error
	note(ctx context.Context, p Patient) error // changes the notes alone
	read(ctx context.Context, id int64) (Patient, error)
	search(ctx context.Context, mrn string) ([]Patient, error)
}

// gormStore is the store of the instance that uses GORM.
type gormStore struct{ db *gorm.DB }

func (s gormStore) insert(ctx context.Context, p Patient) error {
	return s.db.WithContext(ctx).Create(&p).Error
}

func (s gormStore) update(ctx context.Context, p Patient) error {
	return s.db.WithContext(ctx).Save(&p).Error
}

func (s gormStore) note(ctx context.Context, p Patient) error {
	return s.db.WithContext(ctx).Model(&Patient{ID: p.ID}).Update("notes", p.Notes).Error
}

func (s gormStore) read(ctx context.Context, id int64) (p Patient, err error) {
	return p, s.db.WithContext(ctx).First(&p, id).Error
}

func (s gormStore) search(ctx context.Context, mrn string) (found []Patient, err error) {
	return found, s.db.WithContext(ctx).Where("mrn = ?", mrn).Find(&found).Error
}

// pgxStore is the store of the instance that writes its own SQL.
type pgxStore struct {
	pool *pgxpool.Pool
	fc   *fieldcrypt.Crypter
}

const columns = `id, name, mrn, notes`

func (s pgxStore) insert(ctx context.Context, p Patient) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO patients (id, name, mrn, mrn_bidx, notes) VALUES (@id, @name, @mrn, @mrn_bidx, @notes)`, pgxcrypt.Args(s.fc, &p))
	return err
}

func (s pgxStore) update(ctx context.Context, p Patient) error {
	_, err := s.pool.Exec(ctx, `UPDATE patients SET name = @name, mrn = @mrn, mrn_bidx = @mrn_bidx, notes = @notes WHERE id = @id`, pgxcrypt.Args(s.fc, &p))
	return err
}

func (s pgxStore) note(ctx context.Context, p Patient) error {
	_, err := s.pool.Exec(ctx, `UPDATE patients SET notes = @notes WHERE id = @id`, pgxcrypt.Args(s.fc, &p))
	return err
}

func (s pgxStore) read(ctx context.Context, id int64) (Patient, error) {
	patient := pgxcrypt.RowToStructByNameLax[Patient](ctx, s.fc)
	rows, err := s.pool.Query(ctx, `SELECT `+columns+` FROM patients WHERE id = $1`, id)
	if err != nil {
		return Patient{}, err
	}
	return pgx.CollectExactlyOneRow(rows, patient)
}

func (s pgxStore) search(ctx context.Context, mrn string) ([]Patient, error) {
	return s.searchAll(ctx, []string{mrn})
}

func (s pgxStore) searchAll(ctx context.Context, mrns []string) ([]Patient, error) {
	var terms [][]byte
	for _, mrn := range mrns {
		t, err := pgxcrypt.Eq[Patient](ctx, s.fc, "mrn", mrn)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t...)
	}
	patient := pgxcrypt.RowToStructByNameLax[Patient](ctx, s.fc)
	rows, err := s.pool.Query(ctx, `SELECT `+columns+` FROM patients WHERE mrn_bidx = ANY($1)`, terms)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, patient)
}
