package migrate

import "context"

// Column is a column as the database has it.
type Column struct {
	Name string
	Type string // the database's name for it, of a domain that of its base: "bytea", "bigint"
	OID  uint32 // of that type, on Postgres

	cast string // its full name: "character" alone would be one character
}

// Row is one row that may need work.
//
// Values are in the binary representation of their column's type on Postgres
// (pgtype's Map.Scan reads it), where those of a bytea are the bytes themselves. On
// SQLite, texts are their bytes and numbers their decimal text. nil is NULL.
type Row struct {
	Key [][]byte // in the order of the key's columns
	Old [][]byte // in the order of Rewriter.Reads
	New [][]byte // to be set, in the order of Rewriter.Writes; nil: the row stays as it is
	// Failed, to be set in place of New, is the class of what is wrong with the
	// row: a few fixed words, never a value.
	Failed string
	// Count, which may be nil, is added to the sums of the pass, element by element;
	// see [Counts]. A Rewriter may put those of all rows of a call into one.
	Count []int64

	key, origin []any // Key and Old as SQLite gave them
}

// Rewriter makes new values. It is used by several goroutines at once.
type Rewriter interface {
	// Reads are the columns that Rewrite needs. A row is written only if all of
	// them still have the value that was read.
	Reads() []string
	// Writes are the columns that are replaced; none: the job only looks.
	Writes() []string
	// Todo is an SQL condition that all rows which may need work meet, "" for
	// every row. It is part of the job's frozen spec, so the same for the same job.
	Todo() string
	// Bind says what type the columns of Reads and Writes have, before the first
	// Rewrite and again for each partition; an error stops the job.
	Bind(reads, writes []Column) error
	// Rewrite sets New or Failed of each row. An error is one that is not about
	// a row: it stops the worker, or makes it wait if it matches ErrRetry.
	Rewrite(ctx context.Context, rows []Row) error
}
