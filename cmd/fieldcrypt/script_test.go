package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// The scripts in testdata/script use the program as an operator's script would:
// each on SQLite and on Postgres, in a folder and on a database of its own.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no scripts")
	}
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			for _, file := range files {
				dsn := ""
				if database == "postgres" {
					dsn = pgtest.DB(t)
				}
				runScript(t, file, database, dsn)
			}
		})
	}
}

func runScript(t *testing.T, file, database, dsn string) {
	kms := cli{t}.kms()
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(env *testscript.Env) error {
			url := dsn
			if url == "" {
				url = "sqlite:" + filepath.Join(env.WorkDir, "app.db")
			}
			env.Vars = append(env.Vars, databaseVariable+"="+url, "DATABASE="+url, "KEK=local:"+filepath.Join(env.WorkDir, "test.key"),
				"AWS_ENDPOINT_URL_KMS="+kms.URL(), "AWS_ACCESS_KEY_ID="+awskmstest.DefaultAccessKeyID, "AWS_SECRET_ACCESS_KEY="+awskmstest.DefaultSecretAccessKey, "AWS_EC2_METADATA_DISABLED=true")
			return nil
		},
		Condition: func(cond string) (bool, error) { return cond == database, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "clinic": clinicCmd, "until": until, "capture": capture, "query": query,
		},
	})
}

// exits runs a command that must end with a code: exits 64 fieldcrypt keys
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// clinicCmd is the application: clinic make ROWS, clinic add FROM TO, and clinic
// check ROWS KEY, which opens every value and wants all to name the key.
func clinicCmd(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	numbers := func() (list []int) {
		for _, arg := range args[1:] {
			n, err := strconv.Atoi(arg)
			ts.Check(err)
			list = append(list, n)
		}
		return list
	}()
	if args[0] == "make" {
		ts.Check(makeClinic(ctx, ts.Getenv("DATABASE"), ts.Getenv("KEK"), ts.MkAbs("fieldcrypt.json"), numbers[0]))
		return
	}
	c, err := openClinic(ctx, ts.Getenv("DATABASE"), ts.Getenv("KEK"))
	ts.Check(err)
	defer c.Close()
	switch args[0] {
	case "add":
		ts.Check(c.insert(ctx, numbers[0], numbers[1]))
	case "check":
		rows, keys, err := c.check(ctx)
		ts.Check(err)
		if rows != numbers[0] || len(numbers) > 1 && (len(keys) != 1 || keys[uint32(numbers[1])] != 2*rows) {
			ts.Fatalf("%d rows, values by key: %v", rows, keys)
		}
	default:
		ts.Fatalf("clinic make, add or check")
	}
}

// query runs SQL and, if there is a second argument, wants that as the one value.
func query(ts *testscript.TestScript, _ bool, args []string) {
	got, err := queryText(ts, args[0], len(args) > 1)
	ts.Check(err)
	if len(args) > 1 && got != args[1] {
		ts.Fatalf("%s: %s, want %s", args[0], got, args[1])
	}
}

func queryText(ts *testscript.TestScript, text string, rows bool) (got string, err error) {
	db, err := openDatabase(ts.Getenv("DATABASE"), "", false)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if !rows {
		_, err = db.ExecContext(context.Background(), text)
		return "", err
	}
	err = db.QueryRowContext(context.Background(), text).Scan(&got)
	return got, err
}

// until polls SQL until it gives a value.
func until(ts *testscript.TestScript, _ bool, args []string) {
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got, err := queryText(ts, args[0], true)
		if last = got; err == nil && got == args[1] {
			return
		} else if err != nil {
			last = err.Error()
		}
	}
	ts.Fatalf("%s: still %s after a minute, want %s", args[0], last, args[1])
}

// capture puts the n-th word of the first line of the last output that has a text
// into a variable: capture JOB started 2
func capture(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	for line := range strings.SplitSeq(ts.ReadFile("stdout"), "\n") {
		if words := strings.Fields(line); strings.Contains(line, args[1]) && len(words) >= n {
			ts.Setenv(args[0], strings.TrimRight(words[n-1], ":,"))
			return
		}
	}
	ts.Fatalf("%s", fmt.Sprintf("no %q with %d words in the output", args[1], n))
}
