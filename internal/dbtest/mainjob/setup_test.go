// Package mainjob_test runs the main job end to end: GORM models on real
// databases, keysets in their tables, data keys wrapped by a KMS, and everything
// that can fail on the way.
package mainjob_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

type patient struct {
	gormcrypt.Encrypted
	ID    uint64
	Name  string  `fieldcrypt:"medical"`
	MRN   string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Card  string  `fieldcrypt:"finance,index=digits"`
	Notes *string `fieldcrypt:"medical,pad=64"`
}

var domains = []string{"medical", "finance"}

// env is an application: a database that holds its rows and its keysets, a KMS
// that wraps them, and everything that it ever printed.
type env struct {
	kms    *awskmstest.Server
	client *kms.Client
	db     *gorm.DB // without the plugin: for looking at what is stored
	sql    *sql.DB
	clock  *keymgrtest.Clock
	log    *log
	sqlite string // file, or ""
}

// onEachDatabase runs a test on SQLite and on Postgres.
func onEachDatabase(t *testing.T, test func(t *testing.T, e *env)) {
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "app.db")
		e := newEnv(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}))
		e.sqlite = file
		test(t, e)
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, newEnv(t, postgres.Open(pgtest.DB(t))))
	})
}

func newEnv(t *testing.T, dialector gorm.Dialector) *env {
	t.Helper()
	e := &env{kms: awskmstest.Start(t), clock: keymgrtest.NewClock(time.Now()), log: &log{}}
	e.client = e.kms.Client()
	for _, d := range domains {
		e.kms.CreateKey("alias/" + d)
	}
	e.db = openGORM(t, dialector, e.log)
	var err error
	if e.sql, err = e.db.DB(); err != nil {
		t.Fatal(err)
	}
	if err := sqlstore.Migrate(t.Context(), e.sql); err != nil {
		t.Fatal(err)
	}
	cfg := e.config()
	cfg.Lazy = true
	m, err := keymgr.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, d := range domains {
		if err := m.Create(t.Context(), keymgr.Scope{Domain: d}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func openGORM(t *testing.T, dialector gorm.Dialector, log *log) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.New(log, logger.Config{LogLevel: logger.Info})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s, err := db.DB(); err == nil {
			s.Close()
		}
	})
	return db
}

func (e *env) config() keymgr.Config {
	cfg := keymgr.Config{Store: sqlstore.New(e.sql), Domains: map[string]keymgr.Domain{}, Now: e.clock.Now}
	for _, d := range domains {
		cfg.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{awskms.Key(e.client, "alias/"+d)}}
	}
	return cfg
}

// app is one running instance of the application, with a connection pool of its own.
func (e *env) app(t *testing.T, change ...func(*keymgr.Config)) (*gorm.DB, *keymgr.Manager) {
	t.Helper()
	cfg := e.config()
	for _, c := range change {
		c(&cfg)
	}
	keys, err := keymgr.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	db := e.pool(t)
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &patient{})); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&patient{}); err != nil {
		t.Fatal(err)
	}
	return db, keys
}

// pool opens another pool on the same database.
func (e *env) pool(t *testing.T) *gorm.DB {
	t.Helper()
	switch d := e.db.Dialector.(type) {
	case *postgres.Dialector:
		return openGORM(t, postgres.Open(d.DSN), e.log)
	case *sqlite.Dialector:
		return openGORM(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: d.DSN}), e.log)
	}
	t.Fatalf("dialector %T", e.db.Dialector)
	return nil
}

func lazy(c *keymgr.Config) { c.Lazy = true }

func (e *env) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := e.sql.ExecContext(context.Background(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// table is everything in a table, as bytes: each value raw, and once more as text.
func (e *env) table(t *testing.T, name string) []byte {
	t.Helper()
	rows, err := e.sql.Query("SELECT * FROM " + name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&dump, "%s\n%v\n", *v.(*any), *v.(*any))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return dump.Bytes()
}

// log keeps everything that is printed to it.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.buf, format+"\n", args...)
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// holds reports whether text holds a secret in any form in which it might be printed.
func holds(text, secret string) bool {
	b := []byte(secret)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	forms := []string{secret, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), decimal, strings.ReplaceAll(decimal, " ", ", "), strings.Trim(fmt.Sprintf("%q", secret), `"`)}
	for shift := range 3 { // base64 of the secret at each alignment, without the characters that its neighbours touch
		padded := append(make([]byte, shift), b...)
		s := base64.StdEncoding.EncodeToString(padded)
		forms = append(forms, s[shift*4/3+1:len(s)-4])
	}
	for _, f := range forms {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}
