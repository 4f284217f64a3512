package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// relation is a table with rows of its own, as the catalogue has it.
type relation struct {
	name                string // full and quoted
	keys, reads, writes []Column
	rows                float64 // estimates
	pages               int64
	random              bool // keys do not come in the order of the pages
	indexed             bool // a written column has an index
}

// perPage is how many rows of a page can be spread over as many transactions.
func (r *relation) perPage() int {
	if r.pages == 0 {
		return 8
	}
	return min(max(int(r.rows/float64(r.pages)), 8), 64)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// relations finds a table, and those that have its rows: itself, or all that
// inherit from it.
func (db *DB) relations(ctx context.Context, table string) (target string, leaves []string, err error) {
	if db.dialect == sqlite {
		return sqliteRelations(ctx, db.sqlite, table)
	}
	err = db.q().query(ctx, `WITH RECURSIVE tree AS (
			SELECT to_regclass($1)::oid AS oid, 0 AS depth UNION ALL
			SELECT i.inhrelid, depth + 1 FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
		SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text, depth, row_security_active(c.oid), pg_relation_is_updatable(c.oid, false) & 4 = 4
		FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY depth, c.oid`, []any{table},
		func(scan func(...any) error) error {
			var name, kind string
			var depth int
			var secured, updatable bool
			if err := scan(&name, &kind, &depth, &secured, &updatable); err != nil {
				return err
			}
			switch {
			case secured:
				return fmt.Errorf("%s: row security hides rows from this role: give it BYPASSRLS: %w", name, ErrRefused)
			case kind == "r":
				leaves = append(leaves, name)
			case kind != "p":
				return fmt.Errorf("%s: neither a table nor a partitioned one: %w", name, ErrRefused)
			}
			if depth == 0 {
				target = name
			}
			return nil
		})
	if err == nil && target == "" {
		err = fmt.Errorf("%s: no such table: %w: %w", table, ErrRefused, ErrTableGone)
	}
	return target, leaves, err
}

// columnsOf reads columns by name; $1 is the table, $2 their names. Domains give
// way to what they are over.
const columnsOf = `WITH RECURSIVE base AS (
		SELECT a.attname, a.attnum, a.attnotnull, a.attgenerated <> '' AS generated, a.atttypid AS typ
		FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attname = ANY ($2::text[]) AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT attname, attnum, attnotnull, generated, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype = 'd')
	SELECT base.attname::text, format_type(base.typ, NULL), base.typ, format('%I.%I', n.nspname, t.typname), base.generated
	FROM base JOIN pg_type t ON t.oid = base.typ JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype <> 'd'`

func (db *DB) columns(ctx context.Context, table string, names []string, written bool) ([]Column, error) {
	found := map[string]Column{}
	err := db.q().query(ctx, columnsOf, []any{table, names}, func(scan func(...any) error) error {
		var c Column
		var generated bool
		if err := scan(&c.Name, &c.Type, &c.OID, &c.cast, &generated); err != nil {
			return err
		}
		if generated && written {
			return fmt.Errorf("%s.%s is generated: %w", table, c.Name, ErrRefused)
		}
		found[c.Name] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inOrder(table, names, found)
}

func inOrder(table string, names []string, found map[string]Column) ([]Column, error) {
	list := make([]Column, len(names))
	for i, n := range names {
		c, ok := found[n]
		if !ok {
			return nil, fmt.Errorf("%s has no column %s: %w: %w", table, n, ErrRefused, ErrTableGone)
		}
		list[i] = c
	}
	return list, nil
}

// keyOf names the columns of the primary key, or else of the narrowest unique
// index over columns that are NOT NULL, whole and compared as the columns are.
const keyOf = `SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)
	FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
	AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) WITH ORDINALITY k(attnum, coll, at)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE k.at <= i.indnkeyatts AND (NOT a.attnotnull OR a.attcollation <> k.coll))
	ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1`

// shapeOf: is a column of $2 in an index, and is the first key column ($3) in
// the order of the pages? Without statistics: only if it is a number or a time.
const shapeOf = `SELECT c.reltuples::float8, pg_relation_size(c.oid) / current_setting('block_size')::int8,
	EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY ($2::text[])
		WHERE i.indrelid = c.oid AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))),
	coalesce((SELECT abs(s.correlation) < 0.5 FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = $3 AND NOT s.inherited),
		(SELECT t.typcategory NOT IN ('N', 'D') FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attname = $3)),
	current_setting('server_version_num')::int
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::regclass`

// relation reads what a table is like, and refuses one that cannot be walked.
func (db *DB) relation(ctx context.Context, name string, spec *Spec) (*relation, error) {
	if db.dialect == sqlite {
		return sqliteRelation(ctx, db.sqlite, name, spec)
	}
	r := &relation{name: name}
	var key []string
	found, err := one(ctx, db.q(), keyOf, []any{name}, &key)
	if err != nil {
		return nil, gone(name, err)
	}
	if !found {
		return nil, fmt.Errorf("%s has no primary key and no other unique index over columns that are NOT NULL: %w", name, ErrRefused)
	}
	if r.keys, err = db.columns(ctx, name, key, false); err != nil {
		return nil, err
	}
	if r.reads, err = db.columns(ctx, name, spec.Reads, false); err != nil {
		return nil, err
	}
	if r.writes, err = db.columns(ctx, name, spec.Writes, true); err != nil {
		return nil, err
	}
	if err := r.check(spec); err != nil {
		return nil, err
	}
	var version int
	if _, err := one(ctx, db.q(), shapeOf, []any{name, append([]string{}, spec.Writes...), key[0]}, &r.rows, &r.pages, &r.indexed, &r.random, &version); err != nil {
		return nil, err
	}
	r.rows = max(r.rows, 0) // -1: never analyzed
	r.random = (r.random || spec.Scan == "heap") && spec.Scan != "key" && version >= 140000
	return r, nil
}

// check refuses to write a key, which would make cursors meaningless.
func (r *relation) check(spec *Spec) error {
	for _, k := range r.keys {
		if slices.Contains(spec.Writes, k.Name) {
			return fmt.Errorf("%s.%s is part of the key by which rows are found: %w", r.name, k.Name, ErrRefused)
		}
	}
	return nil
}

// gone turns what Postgres says of a missing table or column into ErrTableGone.
func gone(name string, err error) error {
	switch sqlState(err) {
	case "42P01", "42703", "3F000":
		return fmt.Errorf("%s: %w: %w", name, ErrTableGone, err)
	}
	return err
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// cut makes a table's shards, of as many rows each as a sample can tell.
func (db *DB) cut(ctx context.Context, r *relation, spec *Spec) ([]shard, error) {
	n := spec.shards(r.rows)
	if n == 1 || db.dialect == sqlite {
		return ranges(r.name, nil, r.pages, r.random), nil
	}
	const sample = 20_000
	percent := 100.0
	if r.rows > sample {
		percent = 100 * sample / r.rows
	}
	keys := list(r.keys, func(i int, c Column) string { return "t." + quote(c.Name) })
	send := list(r.keys, func(i int, c Column) string { return "b" + fmt.Sprint(i) })
	as := list(r.keys, func(i int, c Column) string { return "t." + quote(c.Name) + " AS b" + fmt.Sprint(i) })
	sql := fmt.Sprintf(`SELECT %s FROM (SELECT %s, row_number() OVER w AS at, count(*) OVER () AS n
		FROM ONLY %s t TABLESAMPLE SYSTEM (%f) WINDOW w AS (ORDER BY %s)) s
		WHERE at * %d / n > (at - 1) * %d / n AND at < n ORDER BY at`, send, as, r.name, percent, keys, n, n)
	var bounds [][]byte
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	rr := conn.Conn().PgConn().ExecParams(ctx, sql, nil, nil, nil, []int16{1})
	for rr.NextRow() {
		bounds = append(bounds, packKey(rr.Values()))
	}
	if _, err := rr.Close(); err != nil {
		return nil, gone(r.name, err)
	}
	return ranges(r.name, bounds, r.pages, r.random), nil
}

// list joins what f makes of each column.
func list(columns []Column, f func(i int, c Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = f(i, c)
	}
	return strings.Join(parts, ", ")
}
