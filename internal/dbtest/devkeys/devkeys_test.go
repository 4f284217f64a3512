// Package devkeys_test runs the one-call set-up on real databases.
package devkeys_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
	"github.com/fieldcrypt/go/internal/pgtest"
)

type patient struct {
	MRN string `fieldcrypt:"medical"`
}

func open(t *testing.T, driver, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLite(t *testing.T) {
	exercise(t, open(t, "sqlite", filepath.Join(t.TempDir(), "app.db")))
}
func TestPostgres(t *testing.T) { exercise(t, open(t, "pgx", pgtest.DB(t))) }

func TestOneConnection(t *testing.T) {
	db := open(t, "sqlite", ":memory:")
	db.SetMaxOpenConns(1)
	exercise(t, db)
}

// exercise opens twice, as two runs of a program do: what the first sealed, the
// second opens.
func exercise(t *testing.T, db *sql.DB) {
	t.Chdir(t.TempDir())
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })

	var stored []byte
	for run := range 2 {
		fc, err := devkeys.Open(t.Context(), db, "medical", "finance")
		if err != nil {
			t.Fatal(err)
		}
		m, err := fc.Model(patient{})
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			if stored, err = fc.Sealer(t.Context(), fieldcrypt.Row{}).Seal(m.Fields[0], reflect.ValueOf("MRN-1")); err != nil {
				t.Fatal(err)
			}
		}
		var p patient
		if err := fc.Open(t.Context(), m.Fields[0], stored, reflect.ValueOf(&p.MRN).Elem(), fieldcrypt.Row{}); err != nil || p.MRN != "MRN-1" {
			t.Errorf("run %d: %q, %v", run, p.MRN, err)
		}
		fc.Keys().Close()
	}
	if info, err := os.Stat(devkeys.DefaultKeyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), devkeys.DefaultKeyFile) {
		t.Errorf("no warning was logged: %s", log.String())
	}
	if err := os.Chmod(devkeys.DefaultKeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := devkeys.Open(t.Context(), db, "medical"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key file that others can read was taken: %v", err)
	}
}
