package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// asMain makes the test binary run main, for what only a process can show.
const asMain = "FIELDCRYPT_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"fieldcrypt": main})
}

// cli runs commands in a folder of the test's own.
type cli struct{ t *testing.T }

// newCLI starts without a database, without AWS, and apart from the settings of
// who runs the test.
func newCLI(t *testing.T) cli {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv(databaseVariable, "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, file := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(file, filepath.Join(t.TempDir(), "none"))
	}
	for _, v := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_KMS"} {
		t.Setenv(v, "")
	}
	return cli{t}
}

// newSQLite is newCLI with the tables on SQLite.
func newSQLite(t *testing.T) cli {
	t.Helper()
	c := newCLI(t)
	t.Setenv(databaseVariable, "sqlite:test.db")
	c.ok("keys", "migrate")
	return c
}

const (
	region  = "eu-west-1"
	medical = "aws-kms:///alias/medical-key?region=" + region
	newer   = "aws-kms:///alias/medical-key-2?region=" + region
)

// kms points the SDK at a KMS of the test's own.
func (c cli) kms() *awskmstest.Server {
	c.t.Helper()
	s, err := awskmstest.New(awskmstest.Config{Region: region})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(s.Close)
	for _, name := range []string{"medical-key", "medical-key-2", "finance-key", "recovery-key"} {
		s.CreateKey("alias/" + name)
	}
	c.t.Setenv("AWS_ENDPOINT_URL_KMS", s.URL())
	c.t.Setenv("AWS_ACCESS_KEY_ID", awskmstest.DefaultAccessKeyID)
	c.t.Setenv("AWS_SECRET_ACCESS_KEY", awskmstest.DefaultSecretAccessKey)
	c.t.Setenv("AWS_MAX_ATTEMPTS", "1") // no waiting
	return s
}

// result is what a command has printed, and its exit code.
type result struct {
	code     int
	out, err string
}

func (c cli) run(args ...string) result {
	var out, err bytes.Buffer
	code := run(c.t.Context(), args, &out, &err)
	return result{code, out.String(), err.String()}
}

func (c cli) ok(args ...string) result {
	c.t.Helper()
	return c.code(exitDone, args...)
}

// code runs a command that must end with the given exit code.
func (c cli) code(want int, args ...string) result {
	c.t.Helper()
	r := c.run(args...)
	if r.code != want {
		c.t.Fatalf("%q: exit code %d, want %d\n%s%s", args, r.code, want, r.out, r.err)
	}
	return r
}

// list is what "keys list --json" tells.
func (c cli) list(args ...string) []scopeView {
	c.t.Helper()
	var views []scopeView
	out := c.ok(append([]string{"keys", "list", "--json"}, args...)...).out
	if err := json.Unmarshal([]byte(out), &views); err != nil {
		c.t.Fatalf("%v in %s", err, out)
	}
	return views
}

// show is what "keys show --json" tells of one scope.
func (c cli) show(scope string, args ...string) scopeView {
	c.t.Helper()
	var v scopeView
	out := c.ok(append([]string{"keys", "show", "--json", scope}, args...)...).out
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		c.t.Fatalf("%v in %s", err, out)
	}
	return v
}

// kekURI is the one KEK of a scope.
func (c cli) kekURI(scope string) string {
	c.t.Helper()
	v := c.show(scope)
	if len(v.KEKs) != 1 {
		c.t.Fatalf("%s: %d KEKs, want 1", scope, len(v.KEKs))
	}
	return v.KEKs[0].URI
}

// exec changes rows of the SQLite database behind the program's back.
func (c cli) exec(query string, args ...any) {
	c.t.Helper()
	if n := c.sql(query, args...); n == 0 {
		c.t.Fatalf("%s: no rows", query)
	}
}

// sql runs a statement on the SQLite database.
func (c cli) sql(query string, args ...any) (affected int64) {
	c.t.Helper()
	db, err := sql.Open("sqlite", "test.db")
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	res, err := db.ExecContext(c.t.Context(), query, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	affected, err = res.RowsAffected()
	if err != nil {
		c.t.Fatal(err)
	}
	return affected
}

func (r result) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("no %q in:\n%s%s", text, r.out, r.err)
		}
	}
}
