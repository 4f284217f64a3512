package drivertest

import (
	"context"
	"errors"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// ErrNoRow is what [Driver.Get] returns, wrapped or not, where there is no row of
// the id.
var ErrNoRow = errors.New("drivertest: no such row")

// Driver is a driver in front of one database. Rows are pointers to the suite's
// models ([Models]), whose ids the suite chooses.
type Driver interface {
	// Insert stores a row.
	Insert(ctx context.Context, row any) error
	// InsertMany stores rows, a pointer to a slice of a model, in as few
	// statements as the driver can.
	InsertMany(ctx context.Context, rows any) error
	// Update writes some fields, by their Go names, of the row with row's id, in
	// one statement.
	Update(ctx context.Context, row any, fields ...string) error
	// Get reads the row of an id into row, or gives ErrNoRow.
	Get(ctx context.Context, row any, id int64) error
	// Find reads the rows whose field is one of the values into rows, a pointer
	// to a slice, in order of their ids. The values are as an application would
	// give them.
	Find(ctx context.Context, rows any, field string, values ...any) error
	// Count counts the rows whose field is the value. The model is a pointer to
	// a zero one.
	Count(ctx context.Context, model any, field string, value any) (int64, error)
	// Delete deletes the rows whose field is the value and says how many.
	Delete(ctx context.Context, model any, field string, value any) (int64, error)

	// Stored returns a column's bytes as the database has them, past the driver;
	// nil for NULL.
	Stored(ctx context.Context, table, column string, id int64) ([]byte, error)
	// Overwrite replaces them, past the driver and past CHECKs: what somebody who
	// can write the database might do.
	Overwrite(ctx context.Context, table, column string, id int64, value []byte) error
	// Dump returns every byte that the tables of the models hold.
	Dump(ctx context.Context) ([]byte, error)
	// Log returns what the driver has logged so far, at its most talkative.
	Log() string
}

// Exercise runs the suite. Each call of open gives an empty database with the
// tables of Models.
func Exercise(t *testing.T, open func(t *testing.T, fc *fieldcrypt.Crypter) Driver) {
	for _, part := range []struct {
		name string
		run  func(*suite)
	}{
		{"Types", (*suite).types},
		{"NullEmptyZero", (*suite).nulls},
		{"BadText", (*suite).badText},
		{"StoredForm", (*suite).storedForm},
		{"Batch", (*suite).batch},
		{"Update", (*suite).update},
		{"Search", (*suite).search},
		{"SearchRefused", (*suite).searchRefused},
		{"Unique", (*suite).unique},
		{"Tampering", (*suite).tampering},
		{"Swapping", (*suite).swapping},
		{"ForeignKeys", (*suite).foreignKeys},
		{"KMSFailures", (*suite).kmsFailures},
		{"StoreGone", (*suite).storeGone},
		{"Rotation", (*suite).rotation},
		{"Leaks", (*suite).leaks},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(newSuite(t, open)) })
	}
}
