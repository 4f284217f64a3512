//go:build unix

// Package instances_test runs instances of an application on Postgres, in this
// process and in others that are stopped and killed.
package instances_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

var medical = keymgr.Scope{Domain: "medical"}

const asInstance = "FIELDCRYPT_TEST_AS_INSTANCE" // a database URL, a space, a key file and MaxStale

func TestMain(m *testing.M) {
	if args := os.Getenv(asInstance); args != "" {
		if err := instance(strings.Fields(args)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// instance tells its id, and for each key id on its input whether it searches with
// that key, until the input ends.
func instance(args []string) error {
	maxStale, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	cfg, err := config(db, args[1])
	if err != nil {
		return err
	}
	cfg.MaxStale, cfg.CacheTTL = maxStale, maxStale/2
	m, err := keymgr.Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Println(m.InstanceID())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		k, err := m.Keys(context.Background(), medical)
		if err != nil {
			return err
		}
		fmt.Println(searches(k, in.Text()))
	}
	return nil
}

func config(db *sql.DB, keyFile string) (keymgr.Config, error) {
	kek, err := localkms.OpenOrCreate(keyFile)
	return keymgr.Config{
		Store: sqlstore.New(db), Heartbeat: 50 * time.Millisecond,
		Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}},
	}, err
}

func searches(k *keymgr.Keys, id string) bool {
	for _, key := range k.IndexKeys() {
		if fmt.Sprint(key.ID()) == id {
			return true
		}
	}
	return false
}

// env is a database with the tables, and a key file.
type env struct {
	t            *testing.T
	dsn, keyFile string
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{t: t, dsn: pgtest.DB(t), keyFile: filepath.Join(t.TempDir(), "test.key")}
	e.ok(sqlstore.Migrate(t.Context(), e.pool(e.dsn)))
	return e
}

func (e *env) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) pool(dsn string) *sql.DB {
	e.t.Helper()
	db, err := sql.Open("pgx", dsn)
	e.ok(err)
	e.t.Cleanup(func() { db.Close() })
	return db
}

func (e *env) open(change ...func(*keymgr.Config)) *keymgr.Manager {
	e.t.Helper()
	cfg, err := config(e.pool(e.dsn), e.keyFile)
	e.ok(err)
	for _, c := range change {
		c(&cfg)
	}
	m, err := keymgr.Open(e.t.Context(), cfg)
	e.ok(err)
	e.t.Cleanup(func() { m.Close() })
	return m
}

// process is an instance in a process of its own.
type process struct {
	e   *env
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	id  string
}

func (e *env) start(maxStale time.Duration) *process {
	e.t.Helper()
	p := &process{e: e, cmd: exec.CommandContext(e.t.Context(), os.Args[0])}
	p.cmd.Env = append(os.Environ(), asInstance+"="+e.dsn+" "+e.keyFile+" "+maxStale.String())
	p.cmd.Stderr = os.Stderr
	var err error
	p.in, err = p.cmd.StdinPipe()
	e.ok(err)
	out, err := p.cmd.StdoutPipe()
	e.ok(err)
	p.out = bufio.NewScanner(out)
	e.ok(p.cmd.Start())
	e.t.Cleanup(func() {
		p.in.Close()
		p.signal(syscall.SIGCONT)
		_ = p.cmd.Wait()
	})
	p.id = p.line()
	return p
}

func (p *process) line() string {
	p.e.t.Helper()
	if !p.out.Scan() {
		p.e.t.Fatalf("the instance is gone: %v", p.out.Err())
	}
	return p.out.Text()
}

func (p *process) searches(id uint32) bool {
	p.e.t.Helper()
	fmt.Fprintln(p.in, id)
	yes, err := strconv.ParseBool(p.line())
	p.e.ok(err)
	return yes
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

func TestPromotionByAcknowledgement(t *testing.T) {
	e := newEnv(t)
	a, b := e.open(), e.open(oneConnection(e))
	operator := e.open(func(cfg *keymgr.Config) { cfg.Lazy = true })
	for range 3 {
		id, err := operator.AddKey(t.Context(), medical, keymgr.Index)
		e.ok(err)
		e.ok(operator.WaitPromotable(t.Context(), medical, keymgr.Index, id, nil))
		e.ok(operator.PromoteKey(t.Context(), medical, keymgr.Index, id))
		for _, m := range []*keymgr.Manager{a, b} {
			k, err := m.Keys(t.Context(), medical)
			e.ok(err)
			if !searches(k, fmt.Sprint(id)) {
				t.Errorf("%v lacks the key that was promoted", k)
			}
		}
	}
	e.ok(a.Close())
	f, err := operator.Instances(t.Context(), medical)
	e.ok(err)
	if len(f.Instances) != 1 || f.Instances[0].ID != b.InstanceID() {
		t.Errorf("after Close: %+v", f.Instances)
	}
}

// oneConnection is for an application whose pool has one connection.
func oneConnection(e *env) func(*keymgr.Config) {
	return func(cfg *keymgr.Config) {
		db := e.pool(e.dsn)
		db.SetMaxOpenConns(1)
		cfg.Store = sqlstore.New(db)
	}
}

// While a transaction holds the only connection, heartbeats fail and nothing
// hangs; afterwards they go on.
func TestHeartbeatsWaitForTheOnlyConnection(t *testing.T) {
	e := newEnv(t)
	db := e.pool(e.dsn)
	db.SetMaxOpenConns(1)
	m := e.open(func(cfg *keymgr.Config) { cfg.Store, cfg.StoreTimeout = sqlstore.New(db), 100*time.Millisecond })
	other := e.open(func(cfg *keymgr.Config) { cfg.Lazy = true })
	seen := func() time.Time {
		f, err := other.Instances(t.Context(), medical)
		e.ok(err)
		return f.Instances[0].LastSeen
	}
	tx, err := db.BeginTx(t.Context(), nil)
	e.ok(err)
	last := seen()
	for range 100 { // the keys serve within the transaction
		_, err := m.Keys(t.Context(), medical)
		e.ok(err)
	}
	e.ok(tx.Rollback())
	for !seen().After(last) {
		time.Sleep(10 * time.Millisecond)
	}
}

func TestStoppedProcess(t *testing.T) {
	e := newEnv(t)
	operator, live := e.open(func(cfg *keymgr.Config) { cfg.Lazy = true }), e.open()
	p := e.start(time.Hour)
	p.signal(syscall.SIGSTOP)
	id, err := operator.AddKey(t.Context(), medical, keymgr.Index)
	e.ok(err)
	for { // until the live one has it
		err := operator.PromoteKey(t.Context(), medical, keymgr.Index, id)
		if !errors.Is(err, keymgr.ErrInstancesBehind) || !strings.Contains(err.Error(), p.id) {
			t.Fatalf("PromoteKey beside a stopped process: %v", err)
		}
		if !strings.Contains(err.Error(), live.InstanceID()) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.signal(syscall.SIGCONT)
	e.ok(operator.WaitPromotable(t.Context(), medical, keymgr.Index, id, nil))
	e.ok(operator.PromoteKey(t.Context(), medical, keymgr.Index, id))
	if !p.searches(id) {
		t.Error("the process searches with the old key alone")
	}
}

// It wakes up when it is gone to all others, with keys in its cache.
func TestProcessThatIsStoppedForLongerThanItsMaxAge(t *testing.T) {
	e := newEnv(t)
	short := func(cfg *keymgr.Config) { cfg.MaxStale, cfg.CacheTTL = 2*time.Second, time.Second }
	operator, live := e.open(short, func(cfg *keymgr.Config) { cfg.Lazy = true }), e.open(short)
	p := e.start(2 * time.Second)
	p.searches(1)
	p.signal(syscall.SIGSTOP)
	id, err := operator.AddKey(t.Context(), medical, keymgr.Index)
	e.ok(err)
	e.ok(operator.WaitPromotable(t.Context(), medical, keymgr.Index, id, nil))
	e.ok(operator.PromoteKey(t.Context(), medical, keymgr.Index, id))
	p.signal(syscall.SIGCONT)
	if !p.searches(id) {
		t.Error("the process searches with the old key alone")
	}
	k, err := live.Keys(t.Context(), medical)
	e.ok(err)
	if !searches(k, fmt.Sprint(id)) {
		t.Error("the live instance searches with the old key alone")
	}
}

// A killed process leaves its row, and promotion waits until it is forgotten.
func TestKilledProcess(t *testing.T) {
	e := newEnv(t)
	operator := e.open(func(cfg *keymgr.Config) { cfg.Lazy = true })
	e.open()
	p := e.start(time.Hour)
	p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
	id, err := operator.AddKey(t.Context(), medical, keymgr.Index)
	e.ok(err)
	if err := operator.PromoteKey(t.Context(), medical, keymgr.Index, id); !errors.Is(err, keymgr.ErrInstancesBehind) || !strings.Contains(err.Error(), p.id) {
		t.Errorf("PromoteKey: %v", err)
	}
	e.ok(operator.ForgetInstance(t.Context(), p.id))
	e.ok(operator.WaitPromotable(t.Context(), medical, keymgr.Index, id, nil))
	e.ok(operator.PromoteKey(t.Context(), medical, keymgr.Index, id))
}

// An application after an upgrade: the table is missing, then the GRANT.
func TestWhatOpenAsksFor(t *testing.T) {
	e := newEnv(t)
	admin := e.pool(e.dsn)
	e.ok(e.open().Close())
	exec := func(statement string) {
		t.Helper()
		_, err := admin.ExecContext(t.Context(), statement)
		e.ok(err)
	}
	open := func(dsn string) error {
		cfg, err := config(e.pool(dsn), e.keyFile)
		e.ok(err)
		m, err := keymgr.Open(t.Context(), cfg)
		if err == nil {
			err = m.Close()
		}
		return err
	}
	exec(`DROP TABLE fieldcrypt_instances`)
	if err := open(e.dsn); !errors.Is(err, keymgr.ErrStoreUnavailable) || !strings.Contains(err.Error(), "fieldcrypt keys migrate") {
		t.Errorf("Open without the table: %v", err)
	}
	e.ok(sqlstore.Migrate(t.Context(), admin))
	e.ok(open(e.dsn))

	role := "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12]) // of the whole server
	exec(`CREATE ROLE ` + role)
	t.Cleanup(func() {
		for _, statement := range []string{`DROP OWNED BY ` + role, `DROP ROLE ` + role} {
			if _, err := admin.Exec(statement); err != nil {
				t.Error(err)
			}
		}
	})
	u, err := url.Parse(e.dsn)
	e.ok(err)
	q := u.Query()
	q.Set("role", role)
	u.RawQuery = q.Encode()
	exec(`GRANT SELECT ON fieldcrypt_keysets, fieldcrypt_keyset_wraps, fieldcrypt_key_events TO ` + role)
	if err := open(u.String()); !errors.Is(err, keymgr.ErrStoreUnavailable) || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE, DELETE") {
		t.Errorf("Open without the GRANT: %v", err)
	}
	exec(`GRANT SELECT, INSERT, UPDATE, DELETE ON fieldcrypt_instances TO ` + role)
	e.ok(open(u.String()))
}

// Rows of instances that died long ago go when another starts.
func TestOldRowsAreSwept(t *testing.T) {
	e := newEnv(t)
	admin := e.pool(e.dsn)
	for id, age := range map[string]string{"old": "26 hours", "young": "2 hours"} {
		_, err := admin.ExecContext(t.Context(), `
			INSERT INTO fieldcrypt_instances (instance, domain, tenant, seen_at, checked_at, started_at, max_age_ms, interval_ms, version)
			SELECT $1::text, d, '', now() - $2::text::interval, now(), now(), 3600000, 15000, 1 FROM unnest(ARRAY['', 'medical']) d`, id, age)
		e.ok(err)
	}
	m := e.open()
	var left string
	e.ok(admin.QueryRowContext(t.Context(), `SELECT string_agg(DISTINCT instance, ' ') FROM fieldcrypt_instances WHERE instance <> $1`, m.InstanceID()).Scan(&left))
	if left != "young" {
		t.Errorf("left: %s", left)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	e := newEnv(t)
	db := e.pool(e.dsn)
	open := func() {
		cfg, err := config(db, e.keyFile)
		e.ok(err)
		cfg.Heartbeat = time.Millisecond
		m, err := keymgr.Open(t.Context(), cfg)
		e.ok(err)
		_, err = m.AddKey(t.Context(), medical, keymgr.Seal)
		e.ok(err)
		e.ok(m.Close())
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if strings.Contains(string(stacks), "(*Manager).beat") || strings.Contains(string(stacks), "startHeartbeats") {
			t.Fatalf("a heartbeat has outlived Close:\n%s", stacks)
		}
	}
	for range 20 {
		open()
	}
	var rows int
	e.ok(db.QueryRowContext(t.Context(), `SELECT count(*) FROM fieldcrypt_instances`).Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
}
