package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/internal/pgtest"
)

func TestRotation(t *testing.T) {
	url := pgtest.DB(t)
	tmp := tempFolder(t)
	out := &screen{}
	if err := run(t.Context(), []string{"-database", url, "-rows", "400"}, noEnv, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for pattern, want := range map[string]int{
		`in all: \d{2,} writes, \d{2,} reads ok, \d{2,} searches ok, 0 failed`:              1,
		`every one of \d+ rows is found .* none has the old key, which is disabled`:         1,
		`proof +key \d+: patients\.(name|mrn|notes) has [1-9]\d* values, .* 0 need the key`: 3,
		` s  wait `:                       1,
		` s  sweep `:                      1,
		`\d{1,2} calls of the KMS in all`: 1,
	} {
		if got := len(regexp.MustCompile(pattern).FindAllString(out.String(), -1)); got < want {
			t.Errorf("%s is there %d times, want %d", pattern, got, want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	checkGone(t, url, tmp)
}

// TestOnAPostgresOfItsOwn is what somebody sees who only types the command.
func TestOnAPostgresOfItsOwn(t *testing.T) {
	pgtest.DB(t) // skips where there is no Postgres
	out := &screen{}
	if err := run(t.Context(), []string{"-rows", "50"}, noEnv, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out.String(), "which is disabled") {
		t.Errorf("%s", out)
	}
}

func TestInterruptedItLeavesNothing(t *testing.T) {
	for _, at := range []string{"two instances write", "sweep"} {
		t.Run(at, func(t *testing.T) {
			url := pgtest.DB(t)
			tmp := tempFolder(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := &screen{at: at, do: cancel}
			err := run(ctx, []string{"-database", url, "-rows", "400"}, noEnv, out)
			if code := report(new(bytes.Buffer), err, ctx.Err() != nil); code != 130 {
				t.Errorf("code %d: %v\n%s", code, err, out)
			}
			checkGone(t, url, tmp)
		})
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-rows", "0"}, {"-rows", "many"}, {"-database", "mysql://x"}, {"more"}, {"-x"}} {
		err := run(t.Context(), args, noEnv, new(bytes.Buffer))
		var stderr bytes.Buffer
		if code := report(&stderr, err, false); code != 2 || !strings.Contains(stderr.String(), "Usage:") {
			t.Errorf("%q: code %d, %s", args, code, stderr.String())
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, noEnv, &out); err != nil || out.String() != usage {
		t.Errorf("-h: %v", err)
	}
	const secret = "CANARY"
	env := func(string) string { return "postgres://me:" + secret + "@%zz/" }
	if err := run(t.Context(), nil, env, &out); !errors.Is(err, errUsage) || strings.Contains(err.Error(), secret) {
		t.Errorf("a URL from the environment: %v", err)
	}
}

func noEnv(string) string { return "" }

// screen is a stdout that does something when a text appears.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
	at  string
	do  func()
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.do != nil && bytes.Contains(p, []byte(s.at)) {
		s.do()
	}
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// tempFolder gives the run a folder of its own for temporary files.
func tempFolder(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
	return dir
}

// checkGone looks for what the run has left behind.
func checkGone(t *testing.T, url, tmp string) {
	t.Helper()
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var left int
	if err := conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'fieldcrypt_rotation_%'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d schemas are left behind, %v", left, err)
	}
}
