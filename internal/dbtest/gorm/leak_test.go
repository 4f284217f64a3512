package gorm_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/drivertest"
)

// noCanary checks an error and all that the DB let out by its log and its tracer.
func noCanary(t testing.TB, what string, err error, l *log) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	if form := drivertest.FindCanary([]byte(text)); form != "" || strings.Contains(strings.ToLower(text), "zebra") {
		t.Errorf("%s: the canary is in the error: %s", what, form)
	}
	for where, said := range map[string]string{"log": l.sql.String(), "slog": l.slog.String(), "trace": l.spans.String()} {
		if form := drivertest.FindCanary([]byte(said)); form != "" {
			t.Errorf("%s: the canary is in the %s: %s\n%s", what, where, form, linesWith(said, "Zebra"))
		}
	}
}

// linesWith returns the lines that hold a word, or all if none does.
func linesWith(text, word string) string {
	found := ""
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found += line
		}
	}
	if found == "" {
		return text
	}
	return found
}

// everyTable returns every byte of every table, read past the plugin.
func everyTable(db *gorm.DB) ([]byte, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	query := "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
	if db.Dialector.Name() == "postgres" {
		query = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
	}
	names, err := column[string](pool, query)
	if err != nil {
		return nil, err
	}
	return dumpBy(context.Background(), pool, "1", names...)
}

// databaseFiles returns what a SQLite database has on disk, its log included.
func databaseFiles(db *gorm.DB) (data []byte, err error) {
	if db.Dialector.Name() != "sqlite" {
		return nil, nil
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	paths, err := column[string](pool, "SELECT file FROM pragma_database_list WHERE name = 'main'")
	if err != nil {
		return nil, err
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		b, err := os.ReadFile(paths[0] + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		data = append(data, b...)
	}
	_, err = pool.Exec("PRAGMA wal_checkpoint(TRUNCATE)") // so that there is less to read next time
	return data, err
}

// column returns the first column of a query past the plugin.
func column[T any](pool *sql.DB, query string) (values []T, err error) {
	rows, err := pool.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}
