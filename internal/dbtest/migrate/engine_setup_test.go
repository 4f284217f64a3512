// Package migrate_test runs package migrate on real databases.
package migrate_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/migrate"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// engine is a database with the state tables.
type engine struct {
	url  string
	pool *pgxpool.Pool
	db   *migrate.DB
}

func newEngine(t testing.TB) *engine { return engineAt(t, pgtest.DB(t)) }

func engineAt(t testing.TB, url string, change ...func(*pgxpool.Config)) *engine {
	t.Helper()
	e := &engine{url: url, pool: openPool(t, url, change...)}
	e.db = migrate.Postgres(e.pool)
	ok(t, migrate.Migrate(context.Background(), e.db))
	return e
}

// reset leaves a fresh schema with the state tables.
func (e *engine) reset(t testing.TB) {
	t.Helper()
	e.exec(t, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	ok(t, migrate.Migrate(context.Background(), e.db))
}

func openPool(t testing.TB, url string, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	ok(t, err)
	cfg.MaxConns = 8
	for _, c := range change {
		c(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	ok(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (e *engine) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	// Nothing is cached: tables come and go here.
	if _, err := e.pool.Exec(context.Background(), sql, append([]any{pgx.QueryExecModeExec}, args...)...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *engine) int(t testing.TB, sql string, args ...any) (n int64) {
	t.Helper()
	if err := e.pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// start starts a job of the toy.
func (e *engine) start(t testing.TB, table string, rw migrate.Rewriter, change ...func(*migrate.Spec)) *migrate.Job {
	t.Helper()
	spec := migrate.Spec{Kind: "toy", Table: table}
	for _, c := range change {
		c(&spec)
	}
	job, err := migrate.Start(context.Background(), e.db, spec, rw, migrate.Limits{}, "tester")
	ok(t, err)
	return job
}

func (e *engine) work(t testing.TB, job *migrate.Job, rw migrate.Rewriter) {
	t.Helper()
	ok(t, migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Actor: "tester"}))
}

// check reads the job's status after looking at its chain.
func (e *engine) check(t testing.TB, job *migrate.Job) *migrate.Status {
	t.Helper()
	_, err := migrate.Events(context.Background(), e.db, job.ID)
	ok(t, err)
	s, err := migrate.Read(context.Background(), e.db, job.ID)
	ok(t, err)
	return s
}

// Toy values are key id (4) | nonce (12) | AES-GCM.

func toyCipher(key uint32) cipher.AEAD {
	k := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("toy"), key))
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

var toyKeys = map[uint32]cipher.AEAD{1: toyCipher(1), 2: toyCipher(2), 3: toyCipher(3)}

func seal(key uint32, text string) []byte {
	return toyKeys[key].Seal(binary.BigEndian.AppendUint32(nil, key), nil, []byte(text), nil)
}

func open(value []byte) (key uint32, text string, err error) {
	if len(value) < 4 {
		return 0, "", fmt.Errorf("%d bytes", len(value))
	}
	key = binary.BigEndian.Uint32(value)
	gcm := toyKeys[key]
	if gcm == nil {
		return key, "", fmt.Errorf("no key %d", key)
	}
	b, err := gcm.Open(nil, nil, value[4:], nil)
	return key, string(b), err
}

// toy moves every value of some columns to a key.
type toy struct {
	columns []string
	to      uint32
	before  func(rows []migrate.Row) error // for tests to step in, one at a time
	mu      sync.Mutex
}

func newToy(columns ...string) *toy { return &toy{columns: columns, to: 2} }

func (r *toy) Reads() []string  { return r.columns }
func (r *toy) Writes() []string { return r.columns }

func (r *toy) Todo() string { return todo(r.columns, 1, r.to) }

// todo is the condition that a column's value names another key than this one.
func todo(columns []string, at int, key uint32) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = fmt.Sprintf(`substr(%q, %d, 4) <> '\x%08x'`, c, at, key)
	}
	return strings.Join(parts, " OR ")
}

func (r *toy) Bind(reads, writes []migrate.Column) error {
	for _, c := range append(reads, writes...) {
		if c.Type != "bytea" && c.Type != "BLOB" {
			return fmt.Errorf("%s is a %s", c.Name, c.Type)
		}
	}
	return nil
}

func (r *toy) Rewrite(_ context.Context, rows []migrate.Row) error {
	if r.before != nil {
		r.mu.Lock()
		err := r.before(rows)
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for i := range rows {
		row := &rows[i]
		fresh := make([][]byte, len(row.Old))
		changed := false
		for j, old := range row.Old {
			if old == nil {
				continue
			}
			key, text, err := open(old)
			if err != nil {
				row.Failed = "does not open"
				break
			}
			fresh[j] = old
			if key != r.to {
				fresh[j], changed = seal(r.to, text), true
			}
		}
		if changed && row.Failed == "" {
			row.New = fresh
		}
	}
	return nil
}

// people makes a table of n rows with two sealed columns.
func (e *engine) people(t testing.TB, n int) {
	t.Helper()
	e.exec(t, `CREATE TABLE people (id bigint PRIMARY KEY, plain text, a bytea, b bytea)`)
	ids, as, bs := make([]int64, n), make([][]byte, n), make([][]byte, n)
	for i := range n {
		ids[i], as[i], bs[i] = int64(i+1), seal(1, fmt.Sprint("a", i+1)), seal(1, fmt.Sprint("b", i+1))
	}
	e.exec(t, `INSERT INTO people SELECT i, 'plain', a, b FROM unnest($1::int8[], $2::bytea[], $3::bytea[]) u(i, a, b)`, ids, as, bs)
	e.exec(t, `ANALYZE people`)
}

// peopleAreMoved opens every value of the table of n rows.
func (e *engine) peopleAreMoved(t testing.TB, n int) {
	t.Helper()
	rows, err := e.pool.Query(context.Background(), `SELECT id, a, b FROM people`)
	ok(t, err)
	defer rows.Close()
	for ; rows.Next(); n-- {
		var id int64
		var a, b []byte
		ok(t, rows.Scan(&id, &a, &b))
		for name, v := range map[string][]byte{"a": a, "b": b} {
			if key, text, err := open(v); err != nil || key != 2 || text != fmt.Sprint(name, id) {
				t.Errorf("row %d: %s is under key %d: %v", id, name, key, err)
			}
		}
	}
	ok(t, rows.Err())
	if n != 0 {
		t.Errorf("%d rows are missing", n)
	}
}

// eventually polls until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
