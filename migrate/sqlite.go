package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type sqliteQuerier struct {
	on interface {
		ExecContext(ctx context.Context, sql string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, sql string, args ...any) (*sql.Rows, error)
	}
}

// numbered parameters: to SQLite $2 is a name, ?2 the second.
var dollar = regexp.MustCompile(`\$(\d+)`)

func sqliteText(sql string) string { return dollar.ReplaceAllString(sqlite.words(sql), "?$1") }

func (s sqliteQuerier) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	result, err := s.on.ExecContext(ctx, sqliteText(sql), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s sqliteQuerier) query(ctx context.Context, sql string, args []any, each func(scan func(...any) error) error) error {
	rows, err := s.on.QueryContext(ctx, sqliteText(sql), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func sqliteTx(ctx context.Context, db *sql.DB, f func(q querier) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(sqliteQuerier{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

func sqliteRelations(ctx context.Context, db *sql.DB, table string) (string, []string, error) {
	name := strings.ReplaceAll(strings.Trim(table, `"`), `""`, `"`)
	found, err := one(ctx, sqliteQuerier{db}, `SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1`, []any{name}, &name)
	if err == nil && !found {
		err = fmt.Errorf("%s: no such table: %w: %w", table, ErrRefused, ErrTableGone)
	}
	if err != nil {
		return "", nil, err
	}
	return quote(name), []string{quote(name)}, nil
}

// sqliteRelation walks by the primary key, which in SQLite may hold NULLs unless
// it is declared NOT NULL or stands for the rowid.
func sqliteRelation(ctx context.Context, db *sql.DB, name string, spec *Spec) (*relation, error) {
	r := &relation{name: name, rows: 0, pages: 0}
	plain := strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
	found := map[string]Column{}
	var key []string
	var nullable string
	err := sqliteQuerier{db}.query(ctx, `SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo($1) ORDER BY pk`, []any{plain}, func(scan func(...any) error) error {
		var c Column
		var notNull, pk, hidden int
		if err := scan(&c.Name, &c.Type, &notNull, &pk, &hidden); err != nil {
			return err
		}
		if hidden > 1 && slices.Contains(spec.Writes, c.Name) {
			return fmt.Errorf("%s.%s is generated: %w", name, c.Name, ErrRefused)
		}
		found[c.Name] = c
		if pk > 0 {
			key = append(key, c.Name)
			if notNull == 0 && !strings.EqualFold(c.Type, "INTEGER") {
				nullable = c.Name
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(key) == 0:
		return nil, fmt.Errorf("%s has no primary key: %w", name, ErrRefused)
	case nullable != "":
		return nil, fmt.Errorf("%s.%s is in the primary key and may be NULL: %w", name, nullable, ErrRefused)
	}
	if r.keys, err = inOrder(name, key, found); err != nil {
		return nil, err
	}
	if r.reads, err = inOrder(name, spec.Reads, found); err != nil {
		return nil, err
	}
	if r.writes, err = inOrder(name, spec.Writes, found); err != nil {
		return nil, err
	}
	if _, err := one(ctx, sqliteQuerier{db}, `SELECT count(*) FROM `+name, nil, &r.rows); err != nil {
		return nil, err
	}
	return r, r.check(spec)
}

// A value is stored as a letter for its class and its text or bytes.

func pack(v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt([]byte{'i'}, v, 10)
	case float64:
		return strconv.AppendFloat([]byte{'r'}, v, 'g', -1, 64)
	case string:
		return append([]byte{'t'}, v...)
	case []byte:
		return append([]byte{'b'}, v...)
	}
	return nil
}

func unpack(b []byte) (any, error) {
	if len(b) > 0 {
		switch b[0] {
		case 'i':
			return strconv.ParseInt(string(b[1:]), 10, 64)
		case 'r':
			return strconv.ParseFloat(string(b[1:]), 64)
		case 't':
			return string(b[1:]), nil
		case 'b':
			return b[1:], nil
		}
	}
	return nil, errKey
}

// plain is a value as a Row shows it.
func plain(v any) []byte {
	if b, ok := v.([]byte); ok {
		return slices.Concat([]byte{}, b) // not nil: that is NULL
	}
	if v == nil {
		return nil
	}
	return pack(v)[1:]
}

// stored is a new value in the class that its column's type asks for.
func stored(typ string, b []byte) any {
	if b == nil {
		return nil
	}
	typ = strings.ToUpper(typ)
	contains := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(typ, p) })
	}
	switch {
	case contains("INT"):
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return n
		}
		return string(b)
	case typ == "" || contains("BLOB"):
		return b
	case contains("REAL", "FLOA", "DOUB"):
		if f, err := strconv.ParseFloat(string(b), 64); err == nil {
			return f
		}
	}
	return string(b)
}
