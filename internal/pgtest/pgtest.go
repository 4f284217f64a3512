package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Environment variables.
const (
	// EnvURL is the postgres:// URL of a server to use in place of local binaries.
	EnvURL = "FIELDCRYPT_TEST_POSTGRES_URL"
	// EnvBin is the folder with initdb and postgres.
	EnvBin = "FIELDCRYPT_TEST_POSTGRES_BIN"
	// EnvSkipped is a file to which the name of each skipped test is added.
	EnvSkipped = "FIELDCRYPT_TEST_SKIPPED"
)

// ErrMissing says that there is no Postgres on this machine.
var ErrMissing = errors.New("no Postgres found: install it (apt-get install postgresql, brew install postgresql) or set " + EnvURL)

// Options are for a server of a test's own. The zero value is the shared server's.
type Options struct {
	// Settings are lines of postgresql.conf, for example "log_statement": "all".
	Settings map[string]string
	// InMemory keeps the data in memory, where the machine offers that: what
	// makes and drops databases all the time is several times as fast there.
	InMemory bool
}

// Server is a running Postgres.
type Server struct {
	admin string // URL of the database from which others are made
	local *local // nil for a server that was there before
}

// shared is the one server of this test process.
var shared = sync.OnceValues(func() (*Server, error) {
	if admin := os.Getenv(EnvURL); admin != "" {
		return &Server{admin: admin}, nil
	}
	return start(Options{})
})

// DB returns the URL of an empty database, made for this test on the server that
// all tests of the process share and dropped when the test ends.
func DB(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	return s.DB(t)
}

// Start starts a server for this test alone, always from local binaries, and
// stops it when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := start(o)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Open starts a server from local binaries that lives until it is stopped or the
// process ends, however that ends. It returns [ErrMissing] where there are none.
func Open(o Options) (*Server, error) { return start(o) }

// Available reports whether there are local binaries.
func Available() bool {
	_, err := findBinaries()
	return err == nil
}

// URL is that of the database from which the server's administrator makes others.
func (s *Server) URL() string { return s.admin }

func start(o Options) (*Server, error) {
	l, err := launch(o)
	if err != nil {
		return nil, err
	}
	return &Server{admin: l.url(), local: l}, nil
}

// unavailable ends a test that has no server.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, ErrMissing) || os.Getenv("CI") == "true" {
		t.Fatalf("pgtest: %v", err)
	}
	if name := os.Getenv(EnvSkipped); name != "" {
		noteSkipped(t, name)
	}
	t.Skipf("pgtest: %v", err)
}

func noteSkipped(t testing.TB, name string) {
	line := t.Name() + "\n"
	if info, ok := debug.ReadBuildInfo(); ok {
		line = strings.TrimSuffix(info.Path, ".test") + " " + line
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatalf("pgtest: %s: %v", EnvSkipped, err)
	}
	defer f.Close()
	if _, err := f.WriteString(line); err != nil {
		t.Fatalf("pgtest: %s: %v", EnvSkipped, err)
	}
}

// DB returns the URL of an empty database on this server, made for this test and
// dropped when the test ends.
func (s *Server) DB(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(s.admin)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		t.Fatalf("pgtest: %s is not a postgres:// URL", EnvURL) // without the URL: it may hold a password
	}
	name := "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12])
	s.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if s.local == nil || s.local.running() {
			s.exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		}
	})
	u.Path = "/" + name
	return u.String()
}

// exec runs one statement as the server's administrator. It must not use the
// test's context: that is over when cleanups run.
func (s *Server) exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("pgtest: %s: %v", sql, err)
	}
}

// Stop stops a server that [Start] started, as if it had crashed, and removes
// its data. Connections break. Stopping it again does nothing.
func (s *Server) Stop() {
	if s.local != nil {
		s.local.stop()
	}
}

// Log returns what a server that [Start] started has logged so far.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	if s.local == nil {
		t.Fatalf("pgtest: the log of the server in %s is not ours to read", EnvURL)
	}
	text, err := s.ReadLog(0)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return string(text)
}

// ReadLog is Log from a byte on, of a server that Open started.
func (s *Server) ReadLog(from int) ([]byte, error) { return s.local.log(from) }

// Version is what a server that Start or Open started calls itself.
func (s *Server) Version() string { return s.local.version }
