package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/internal/pgtest"
)

func TestSQLiteAndKeyFiles(t *testing.T) {
	tmp := tempFolder(t)
	var files []byte
	out := newScreen()
	out.at["6. Read everything back"] = func() { files = readAll(t, tmp) }
	if err := run(t.Context(), nil, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkOutput(t, out)
	checkOnlyCiphertext(t, files)
	checkEmpty(t, tmp)
}

func TestPostgres(t *testing.T) {
	tempFolder(t)
	url := pgtest.DB(t)
	var dump []byte
	out := newScreen()
	out.at["6. Read everything back"] = func() { dump = dumpSchemas(t, url) }
	if err := run(t.Context(), []string{"-postgres", url}, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkOutput(t, out)
	checkOnlyCiphertext(t, dump)
	if left := schemas(t, url); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPostgresKeepsTheSchemaIfAsked(t *testing.T) {
	tempFolder(t)
	url := pgtest.DB(t)
	for range 2 { // the second run does not meet the first one's tables
		if err := run(t.Context(), []string{"-keep", "-postgres", url}, newScreen()); err != nil {
			t.Fatal(err)
		}
	}
	if left := schemas(t, url); len(left) != 2 {
		t.Errorf("schemas kept: %v, want two", left)
	}
}

func TestKeepLeavesDatabaseAndKeyFiles(t *testing.T) {
	tmp := tempFolder(t)
	out := newScreen()
	if err := run(t.Context(), []string{"-keep"}, out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"patients.db", "first.key", "second.key"} {
		found, _ := filepath.Glob(filepath.Join(tmp, "*", name))
		if len(found) != 1 {
			t.Errorf("%s was not kept", name)
		} else if !strings.Contains(out.String(), filepath.Dir(found[0])) {
			t.Errorf("the output does not say where %s is", name)
		}
	}
}

func TestCancelAtEveryStepLeavesNothing(t *testing.T) {
	for _, heading := range []string{"1. ", "2. ", "3. ", "4. ", "5. ", "6. "} {
		t.Run(heading, func(t *testing.T) {
			tmp := tempFolder(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := newScreen()
			out.at["\n"+heading] = cancel
			if err := run(ctx, nil, out); report(new(bytes.Buffer), err, ctx.Err() != nil) != 130 {
				t.Errorf("got %v, want to be interrupted", err)
			}
			checkEmpty(t, tmp)
		})
	}
}

func TestCancelLeavesNoSchema(t *testing.T) {
	tempFolder(t)
	url := pgtest.DB(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newScreen()
	out.at["\n4. "] = cancel
	if err := run(ctx, []string{"-postgres", url}, out); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if left := schemas(t, url); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestChangedRowsFailTheComparison(t *testing.T) {
	for name, change := range map[string]string{
		"value moved to another row": `UPDATE patients SET name = (SELECT name FROM patients WHERE id = 2) WHERE id = 1`,
		"value set to NULL":          `UPDATE patients SET notes = NULL WHERE mrn_bidx = (SELECT max(mrn_bidx) FROM patients WHERE notes IS NOT NULL)`,
		"row deleted":                `DELETE FROM patients WHERE id = 500`,
		"bit flipped":                `UPDATE patients SET card = CAST(substr(card, 1, 40) || X'FF' || substr(card, 42) AS BLOB) WHERE id IN (7, 8, 9, 10)`,
	} {
		t.Run(name, func(t *testing.T) {
			tmp := tempFolder(t)
			out := newScreen()
			out.at["6. Read everything back"] = func() { changeSQLite(t, tmp, change) }
			err := run(t.Context(), nil, out)
			var stderr bytes.Buffer
			if code := report(&stderr, err, false); code != 1 {
				t.Errorf("exit code %d, want 1 (%v)", code, err)
			}
			checkNoValues(t, stderr.String())
			checkEmpty(t, tmp)
		})
	}
}

func checkOutput(t *testing.T, out *screen) {
	t.Helper()
	for text, want := range map[string]int{
		"finds MRN-100042\n": 1,
		"finds MRN-100777\n": 3,
		"every field of all 1000 patients is what the CSV says": 1,
		"the old KMS key alone is refused":                      1,
		", KMS calls: 0\n":                                      2, // none for a row, written or read
		"FAILED":                                                0,
		"\x1b":                                                  0, // no bar where there is no terminal
		"\r":                                                    0,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("the output has %q %d times, want %d", text, got, want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// screen is a stdout that does something when a text appears.
type screen struct {
	bytes.Buffer
	at map[string]func()
}

func newScreen() *screen { return &screen{at: map[string]func(){}} }

func (s *screen) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	for text, do := range s.at {
		if bytes.Contains(p, []byte(text)) {
			do()
		}
	}
	return n, err
}

// tempFolder gives the run a folder of its own for temporary files.
func tempFolder(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
	return dir
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

// readAll returns the bytes of all files: the database, its log, the key files.
func readAll(t *testing.T, dir string) []byte {
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, data...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func changeSQLite(t *testing.T, tmp, change string) {
	found, err := filepath.Glob(filepath.Join(tmp, "*", "patients.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("database files %v, %v", found, err)
	}
	db, err := sql.Open("sqlite", found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done, err := db.Exec(change)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); n == 0 || err != nil {
		t.Fatalf("%d rows changed, %v", n, err)
	}
}
