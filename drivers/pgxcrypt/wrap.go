package pgxcrypt

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Conn is what [Wrap] wraps: a *pgxpool.Pool, a *pgx.Conn, a *pgxpool.Conn or a
// pgx.Tx.
type Conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// DB is a [Conn] for code that knows encrypted columns by the types of its
// arguments and variables, as code that sqlc generates does: see [Wrap].
type DB struct {
	hidden
	conn Conn
	fc   *fieldcrypt.Crypter
}

// Wrap returns a DBTX for sqlc:
//
//	queries := db.New(pgxcrypt.Wrap(pool, fc))
//
// It seals [fieldcrypt.Secret] arguments before a connection is taken, those of a
// statement, of an item of a batch, or of a row of COPY together, and opens what is
// scanned into Secrets, pointers to them and lists of them. Of the arguments it
// sees to more:
//
//   - A zero [fieldcrypt.SecretIndex] is filled from the Secret of its F. A Secret
//     with an index that is written without one, or with another's, is refused,
//     and so is an index without its Secret.
//   - A [fieldcrypt.Tenant] is filled with the context's tenant, or is that. Where
//     keys are per tenant it must be among the arguments, and the tenant column
//     among the columns that are read, which then rules.
//   - Arguments by name (pgx.NamedArgs) and those of [Args] and [Unnest] work too.
//     Where the SQL has a name that is not given, which pgx.NamedArgs make NULL,
//     it must use all Secrets that are: one of the two is misspelt.
//
// Transactions go through [DB.Begin], or are wrapped themselves: Wrap(tx, fc).
// What is given to a transaction that is not wrapped is an error, as a Secret never
// stores what was not sealed.
//
// Where keys have to be fetched while rows are read, the rows are taken off their
// connection first. Within a transaction that is no help if the keys come by the
// same pool and it has no other connection: fetch them before it by
// [fieldcrypt.Crypter.Warm].
func Wrap(conn Conn, fc *fieldcrypt.Crypter) *DB { return &DB{hidden{"pgxcrypt.DB"}, conn, fc} }

// Exec is that of pgx.
func (d *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	args, err := d.seal(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return d.conn.Exec(ctx, sql, args...)
}

// Query is that of pgx.
func (d *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	args, err := d.seal(ctx, sql, args)
	if err != nil {
		return failedRows(err), err
	}
	inner, err := d.conn.Query(ctx, sql, args...)
	return d.rows(ctx, inner), err
}

// QueryRow is that of pgx.
func (d *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := d.Query(ctx, sql, args...)
	return &row{rows, err}
}

// CopyFrom is that of pgx.
func (d *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	if _, ours := source.(*copySource); ours {
		return d.conn.CopyFrom(ctx, table, columns, source)
	}
	sealed := &sealedSource{CopyFromSource: source, ctx: ctx, db: d}
	n, err := d.conn.CopyFrom(ctx, table, columns, sealed)
	if sealed.err != nil { // what pgx returns is the server's echo of it
		return 0, sealed.err
	}
	return n, err
}

// sealedSource seals rows one by one.
type sealedSource struct {
	pgx.CopyFromSource
	ctx context.Context
	db  *DB
	err error
}

// Values implements pgx.CopyFromSource.
func (s *sealedSource) Values() ([]any, error) {
	values, err := s.CopyFromSource.Values()
	if err != nil {
		return nil, err
	}
	if values, err = sealArguments(s.ctx, s.db.fc, "", values); err != nil {
		s.err = err
	}
	return values, err
}

// Begin begins a transaction that does the same.
func (d *DB) Begin(ctx context.Context) (pgx.Tx, error) { return d.tx(d.conn.Begin(ctx)) }

// BeginTx is Begin with options, where the connection takes them: a transaction
// within one does not.
func (d *DB) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	conn, ok := d.conn.(interface {
		BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
	})
	if !ok {
		return nil, usageErr("begin", fieldcrypt.ErrUnsupported, "a transaction within a transaction takes no options; use Begin")
	}
	return d.tx(conn.BeginTx(ctx, options))
}

func (d *DB) tx(inner pgx.Tx, err error) (pgx.Tx, error) {
	if err != nil {
		return nil, err
	}
	return &tx{inner, Wrap(inner, d.fc)}, nil
}

// tx is a transaction of a DB.
type tx struct {
	pgx.Tx
	db *DB
}

// Begin implements pgx.Tx.
func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) { return t.db.Begin(ctx) }

// Exec implements pgx.Tx.
func (t *tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.db.Exec(ctx, sql, args...)
}

// Query implements pgx.Tx.
func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.db.Query(ctx, sql, args...)
}

// QueryRow implements pgx.Tx.
func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.db.QueryRow(ctx, sql, args...)
}

// CopyFrom implements pgx.Tx.
func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	return t.db.CopyFrom(ctx, table, columns, source)
}

// SendBatch implements pgx.Tx.
func (t *tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.db.SendBatch(ctx, b)
}
