package pgxcrypt

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// SendBatch is that of pgx. Each item is sealed by itself, and the batch is left
// as it is.
func (d *DB) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	sealed := *b // with the options of BeginTx
	sealed.QueuedQueries = make([]*pgx.QueuedQuery, len(b.QueuedQueries))
	for i, q := range b.QueuedQueries {
		args, err := d.seal(ctx, q.SQL, q.Arguments)
		if err != nil {
			return failedBatch{err}
		}
		sealed.QueuedQueries[i] = &pgx.QueuedQuery{SQL: q.SQL, Arguments: args}
		if q.Fn != nil {
			sealed.QueuedQueries[i].Fn = func(inner pgx.BatchResults) error {
				return q.Fn(&batchResults{inner, ctx, d.fc})
			}
		}
	}
	return &batchResults{d.conn.SendBatch(ctx, &sealed), ctx, d.fc}
}

// batchResults opens what a batch returns. It implements pgx.BatchResults.
type batchResults struct {
	pgx.BatchResults
	ctx context.Context
	fc  *fieldcrypt.Crypter
}

// Query implements pgx.BatchResults.
func (b *batchResults) Query() (pgx.Rows, error) {
	inner, err := b.BatchResults.Query()
	// The connection is the batch's: taking rows off it gives nothing back.
	return &rows{Rows: inner, ctx: b.ctx, fc: b.fc, spooled: true}, err
}

// QueryRow implements pgx.BatchResults.
func (b *batchResults) QueryRow() pgx.Row {
	rows, err := b.Query()
	return &row{rows, err}
}

// Tx implements pgx.BatchResults.
func (b *batchResults) Tx() pgx.Tx {
	inner := b.BatchResults.Tx()
	if inner == nil {
		return nil
	}
	return &tx{inner, Wrap(inner, b.fc)}
}

// failedBatch is the results of a batch that was not sent.
type failedBatch struct{ err error }

// Exec implements pgx.BatchResults.
func (b failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }

// Query implements pgx.BatchResults.
func (b failedBatch) Query() (pgx.Rows, error) { return failedRows(b.err), b.err }

// QueryRow implements pgx.BatchResults.
func (b failedBatch) QueryRow() pgx.Row { return &row{err: b.err} }

// Close implements pgx.BatchResults.
func (b failedBatch) Close() error { return b.err }

// Tx implements pgx.BatchResults.
func (b failedBatch) Tx() pgx.Tx { return nil }
