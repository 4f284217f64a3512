package fieldcrypttest_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

func takeAll(t testing.TB, pool *pgxpool.Pool) (held []*pgxpool.Conn) {
	t.Helper()
	for range pool.Config().MaxConns {
		c, err := pool.Acquire(ctx)
		ok(t, err)
		held = append(held, c)
	}
	return held
}

// TestConnectionsThatAreNotGivenBackAreNamed: Reset and the end of the test do not
// wait for them for ever.
func TestConnectionsThatAreNotGivenBackAreNamed(t *testing.T) {
	t.Parallel()
	var held []*pgxpool.Conn
	rec := &recorder{TB: t}
	t.Run("", func(t *testing.T) {
		rec.TB = t // its cleanups run with this test
		env := fieldcrypttest.Start(rec, fieldcrypttest.Options{Models: []any{&Patient{}}})
		held = takeAll(t, env.Pool)
		tx, err := held[0].Begin(ctx)
		ok(t, err)
		_, err = tx.Exec(ctx, "LOCK TABLE fieldcrypt_keysets")
		ok(t, err)
		if got := failures(t, func(t testing.TB) { env.Reset(t) }); !strings.Contains(got, "Reset") {
			t.Errorf("Reset without a connection: %q", got)
		}
		held[0].Release()
		env.Reset(t)
		held = held[1:]
	})
	if got := strings.Join(rec.failed, "\n"); got != "fieldcrypttest: %v (%d)" {
		t.Errorf("the end: %q", got)
	}
	for _, c := range held {
		c.Release()
	}
}

// TestNothingRunsOnAfterTheTest: no goroutine of database/sql, for one.
func TestNothingRunsOnAfterTheTest(t *testing.T) {
	running := func() int {
		buf := make([]byte, 1<<22)
		return bytes.Count(buf[:runtime.Stack(buf, true)], []byte("database/sql.(*DB).connectionOpener("))
	}
	before := running()
	t.Run("", func(t *testing.T) {
		env := start(t)
		_, err := env.Pool.Exec(ctx, "DELETE FROM fieldcrypt_keysets")
		ok(t, err)
		env.Reset(t)
		env.Reset(t)
	})
	for deadline := time.Now().Add(10 * time.Second); running() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines of database/sql, %d before", running(), before)
		}
	}
}

// TestResetWithAnInstanceOfTheApplication: one that reports by heartbeats, as an
// application under test has it, loses its rows with a Reset and registers again;
// that of the environment does not report.
func TestResetWithAnInstanceOfTheApplication(t *testing.T) {
	var cfg keymgr.Config
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Patient{}}, Keys: func(c *keymgr.Config) { cfg = *c }})
	const rows = "fieldcrypt_instances"
	if n := count(t, env, rows); n != 0 {
		t.Fatalf("%d rows of instances", n)
	}
	db, err := env.GORM.DB()
	ok(t, err)
	cfg.Store, cfg.Lazy, cfg.Heartbeat = sqlstore.New(db), false, 10*time.Millisecond
	app, err := keymgr.Open(ctx, cfg)
	ok(t, err)
	defer app.Close()
	for range 10 {
		for count(t, env, rows) == 0 {
			time.Sleep(time.Millisecond)
		}
		env.AssertNoPlaintext(t, card)
		env.Reset(t)
	}
	_, err = app.Keys(ctx, keymgr.Scope{Domain: "medical"})
	ok(t, err)
	ok(t, app.Close())
	if n := count(t, env, rows); n != 0 {
		t.Errorf("%d rows of instances after Close", n)
	}
}
