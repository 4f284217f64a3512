package main

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"modernc.org/sqlite"
)

// What a store refuses.
var (
	errNotFound  = errors.New("no such patient")
	errDuplicate = errors.New("another patient has this MRN")
	errChanged   = errors.New("the patient has another MRN by now")
)

// store keeps patients. Apart from the column names it knows nothing of
// encryption.
type store struct{ db *gorm.DB }

func (s store) create(ctx context.Context, p *Patient) error {
	return writeError(s.db.WithContext(ctx).Create(p).Error)
}

func (s store) get(ctx context.Context, id uint64) (p Patient, err error) {
	err = s.db.WithContext(ctx).First(&p, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = errNotFound
	}
	return p, err
}

// list returns the patients that follow after an id, in the order of ids: that is
// never encrypted, and fast on any page. With a column, it is those that have the
// value in it: found through its blind index if it is encrypted. A column without
// one is an error, not an empty result.
func (s store) list(ctx context.Context, column, value string, after uint64, limit int) (found []Patient, err error) {
	tx := s.db.WithContext(ctx).Where("id > ?", after)
	if column != "" {
		tx = tx.Where(map[string]any{column: value})
	}
	err = tx.Order("id").Limit(limit).Find(&found).Error
	return found, err
}

// update changes columns of a patient and returns it as it is then. With an
// oldMRN it is a compare-and-set: of two who change the same patient at once,
// one gets errChanged.
func (s store) update(ctx context.Context, id uint64, changes map[string]any, oldMRN *string) (p Patient, err error) {
	tx := s.db.WithContext(ctx).Model(&p).Clauses(clause.Returning{}).Where("id = ?", id)
	if oldMRN != nil {
		tx = tx.Where("mrn = ?", *oldMRN) // becomes mrn_bidx IN (...)
	}
	tx = tx.Updates(changes)
	switch {
	case tx.Error != nil:
		return Patient{}, writeError(tx.Error)
	case tx.RowsAffected > 0:
		return p, nil
	}
	if _, err := s.get(ctx, id); err != nil {
		return Patient{}, err
	}
	return Patient{}, errChanged
}

func (s store) delete(ctx context.Context, id uint64) error {
	tx := s.db.WithContext(ctx).Delete(&Patient{}, id)
	if tx.Error == nil && tx.RowsAffected == 0 {
		return errNotFound
	}
	return tx.Error
}

// sqliteUnique is SQLITE_CONSTRAINT_UNIQUE.
const sqliteUnique = 2067

// writeError knows the violation of a unique index: the table has one, that of
// the MRN's blind index. GORM's TranslateError does so for Postgres, and for
// another SQLite driver than this one.
func writeError(err error) error {
	lite := (*sqlite.Error)(nil)
	if errors.Is(err, gorm.ErrDuplicatedKey) || errors.As(err, &lite) && lite.Code() == sqliteUnique {
		return fmt.Errorf("%w: %w", errDuplicate, err)
	}
	return err
}
