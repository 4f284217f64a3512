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
//
// What not every driver can do is in interfaces of its own, which a Driver may
// implement as well: [Upserter], [PartReader], [Reindexer], [UpdateGuard]. The parts of the suite
// that need one are skipped without it.
//
// The suite calls a Driver from several goroutines at once.
type Driver interface {
	// Insert stores a row. It sets the row's tenant where that is zero, as
	// InsertMany does, and changes nothing else of it.
	Insert(ctx context.Context, row any) error
	// InsertMany stores rows, a pointer to a slice of a model, in as few
	// statements as the driver can: all of them or, with an error, none.
	InsertMany(ctx context.Context, rows any) error
	// Update writes some fields, by their Go names, of the row with row's id, in
	// one statement. Where fields are sealed for a tenant or a bound value that
	// is not written as well, the row with row's id is meant if it has that
	// tenant and that bound value. It may be an error if no row is written.
	Update(ctx context.Context, row any, fields ...string) error
	// Get reads the row of an id into row, or gives ErrNoRow.
	Get(ctx context.Context, row any, id int64) error
	// Find reads the rows whose field is one of the values into rows, a pointer
	// to a slice, in order of their ids. The values are as an application would
	// give them. Where the field's keys are per tenant, it finds, as Count and
	// Delete do, rows of the context's tenant.
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
	// can write the database might do. A plain column of text takes the bytes as
	// its text; nil is NULL.
	Overwrite(ctx context.Context, table, column string, id int64, value []byte) error
	// Dump returns every byte that the tables of the models hold, the same for
	// the same.
	Dump(ctx context.Context) ([]byte, error)
	// Log returns what the driver has logged so far, at its most talkative.
	Log() string
}

// Upserter is what a [Driver] may implement: it writes over rows.
type Upserter interface {
	// Upsert inserts a row. Where there is one with row's value in the field on,
	// which is unique, it updates some fields of that one instead: in one
	// statement.
	Upsert(ctx context.Context, row any, on string, fields ...string) error
}

// PartReader is what a [Driver] may implement: it reads a part of a row.
type PartReader interface {
	// GetFields reads some fields, by their Go names, of the row of an id into
	// row. It may fill in others.
	GetFields(ctx context.Context, row any, id int64, fields ...string) error
}

// Reindexer is what a [Driver] may implement: it writes the second column of an
// index that moves to another key ([keymgr.Manager.BeginReindex]).
type Reindexer interface {
	// AddUnique adds a column for index terms to a table, with a unique index.
	AddUnique(ctx context.Context, table, column string) error
}

// UpdateGuard is what a [Driver] may implement, by a method that does nothing: its
// driver understands what is updated, and refuses to change a row's tenant, or a
// column that values are bound to, while values that are sealed for it stay. Where
// the SQL is the application's it cannot.
type UpdateGuard interface{ GuardsUpdates() }

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
		{"BadInput", (*suite).badInput},
		{"BadInputRefused", (*suite).badInputRefused},
		{"BadRows", (*suite).badRows},
		{"StoredForm", (*suite).storedForm},
		{"Batch", (*suite).batch},
		{"Bulk", (*suite).bulk},
		{"Update", (*suite).update},
		{"Upsert", (*suite).upsert},
		{"Search", (*suite).search},
		{"SearchRefused", (*suite).searchRefused},
		{"Unique", (*suite).unique},
		{"Tampering", (*suite).tampering},
		{"Swapping", (*suite).swapping},
		{"ForeignKeys", (*suite).foreignKeys},
		{"KMSFailures", (*suite).kmsFailures},
		{"StoreGone", (*suite).storeGone},
		{"Rotation", (*suite).rotation},
		{"SearchRotation", (*suite).searchRotation},
		{"Reindex", (*suite).reindex},
		{"Tenants", (*suite).tenants},
		{"TenantSearch", (*suite).tenantSearch},
		{"TenantUpdate", (*suite).tenantUpdate},
		{"TenantThief", (*suite).tenantThief},
		{"TenantRotation", (*suite).tenantRotation},
		{"Bound", (*suite).bound},
		{"BoundUpdate", (*suite).boundUpdate},
		{"BoundThief", (*suite).boundThief},
		{"PartRead", (*suite).partRead},
		{"Concurrency", (*suite).concurrency},
		{"Leaks", (*suite).leaks},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(newSuite(t, open)) })
	}
}
