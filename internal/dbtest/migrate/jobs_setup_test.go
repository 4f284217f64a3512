package migrate_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

var jobsMedical = keymgr.Scope{Domain: "medical"}

// jobsPatient has a value of every kind.
type jobsPatient struct {
	gormcrypt.Encrypted
	ID     int64          `gorm:"autoIncrement:false"`
	Ward   string         `gorm:"not null"`
	Name   string         `fieldcrypt:"medical"`
	MRN    string         `fieldcrypt:"medical,index"`
	Notes  *string        `fieldcrypt:"medical,pad=64"`
	Vitals map[string]int `fieldcrypt:"medical"`
	Room   string         `fieldcrypt:"medical,bind=ID"`
	Card   string         `fieldcrypt:"finance,index"`
}

func (jobsPatient) TableName() string { return "patients" }

type jobsUUID [16]byte

func (u jobsUUID) Value() (driver.Value, error) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *jobsUUID) Scan(src any) error {
	_, err := hex.Decode(u[:], []byte(strings.ReplaceAll(fmt.Sprint(src), "-", "")))
	return err
}

// jobsVisit has a composite key with a UUID, which a value is bound to.
type jobsVisit struct {
	gormcrypt.Encrypted
	Key  jobsUUID `gorm:"primaryKey;type:uuid"`
	Day  int      `gorm:"primaryKey;autoIncrement:false"`
	Text string   `fieldcrypt:"medical,bind=Key"`
}

func (jobsVisit) TableName() string { return "visits" }

// jobsClient has keys per tenant.
type jobsClient struct {
	gormcrypt.Encrypted
	ID   int64  `gorm:"autoIncrement:false"`
	Firm string `fieldcrypt:",tenant"`
	Name string `fieldcrypt:"tenants,index"`
}

func (jobsClient) TableName() string { return "clients" }

// jobsApp is an application's process: its keys, and its ORM.
type jobsApp struct {
	keys *keymgr.Manager
	fc   *fieldcrypt.Crypter
	orm  *gorm.DB
}

// jobs is an application's database with a project on it.
type jobs struct {
	*engine      // on Postgres
	url, keyFile string
	sqlite       bool
	models       []any
	app          *jobsApp
	project      *migrate.Project
}

func jobsConfig(db *sql.DB, keyFile string) (keymgr.Config, error) {
	kek, err := localkms.OpenOrCreate(keyFile)
	domain := keymgr.Domain{KEKs: []keymgr.KEK{kek}, AutoCreate: true}
	tenants := domain
	tenants.PerTenant, tenants.AutoCreate = true, false
	return keymgr.Config{Store: sqlstore.New(db), KMSRate: math.MaxInt32, Heartbeat: 50 * time.Millisecond,
		Domains: map[string]keymgr.Domain{"medical": domain, "finance": domain, "tenants": tenants}}, err
}

// newJobs is an application with its tables on Postgres.
func newJobs(t testing.TB, models ...any) *jobs { return newJobsOver(t, nil, models...) }

// newJobsOver is newJobs after some statements.
func newJobsOver(t testing.TB, before []string, models ...any) *jobs {
	t.Helper()
	return jobsAt(t, pgtest.DB(t), before, models...)
}

func jobsAt(t testing.TB, url string, before []string, models ...any) *jobs {
	t.Helper()
	j := &jobs{engine: engineAt(t, url), url: url, keyFile: filepath.Join(t.TempDir(), "kek"), models: models}
	j.begin(t, "pgx", j.engine.db, before...)
	return j
}

// sqliteJobs is an application with its tables on SQLite.
func sqliteJobs(t testing.TB, models ...any) *jobs {
	t.Helper()
	dir := t.TempDir()
	j := &jobs{url: "file:" + filepath.Join(dir, "app.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)", keyFile: filepath.Join(dir, "kek"), models: models, sqlite: true}
	db := migrate.SQLite(j.open(t, "sqlite"))
	ok(t, migrate.Migrate(context.Background(), db))
	j.begin(t, "sqlite", db)
	return j
}

func (j *jobs) open(t testing.TB, driver string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, j.url)
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func (j *jobs) begin(t testing.TB, driver string, db *migrate.DB, before ...string) {
	t.Helper()
	for _, statement := range before {
		j.exec(t, statement)
	}
	ctx := context.Background()
	store := j.open(t, driver)
	ok(t, sqlstore.Migrate(ctx, store))
	j.app = j.newApp(t, driver)
	if len(j.models) > 0 {
		ok(t, j.app.orm.AutoMigrate(j.models...))
	}
	cfg, err := jobsConfig(store, j.keyFile)
	ok(t, err)
	cfg.Lazy = true // an operator's tool
	keys, err := keymgr.Open(ctx, cfg)
	ok(t, err)
	t.Cleanup(func() { keys.Close() })
	j.project = j.newProject(t, db, keys)
}

func (j *jobs) newProject(t testing.TB, db *migrate.DB, keys *keymgr.Manager) *migrate.Project {
	t.Helper()
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	b, err := fc.Manifest(j.models...)
	ok(t, err)
	manifest, err := fieldcrypt.ParseManifest(b)
	ok(t, err)
	return &migrate.Project{DB: db, Crypter: fc, Keys: keys, Manifest: manifest, Actor: "operator"}
}

func (j *jobs) newApp(t testing.TB, driver string) *jobsApp {
	t.Helper()
	cfg, err := jobsConfig(j.open(t, driver), j.keyFile)
	ok(t, err)
	keys, err := keymgr.Open(context.Background(), cfg)
	ok(t, err)
	t.Cleanup(func() { keys.Close() })
	for _, tenant := range []string{"acme", "globex"} {
		if err := keys.Create(context.Background(), keymgr.Scope{Domain: "tenants", Tenant: tenant}); !errors.Is(err, keymgr.ErrScopeExists) {
			ok(t, err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	dialector := postgres.Open(j.url)
	if j.sqlite {
		dialector = sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: j.url})
	}
	orm, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	ok(t, err)
	if db, err := orm.DB(); err == nil {
		t.Cleanup(func() { db.Close() })
	}
	ok(t, orm.Use(gormcrypt.New(fc, j.models...)))
	return &jobsApp{keys, fc, orm}
}

// patient is what the patient of an id first is.
func patient(id int64, version int) jobsPatient {
	p := jobsPatient{ID: id, Ward: fmt.Sprint("W", id%7), Name: fmt.Sprint("name ", id, " ", version), MRN: fmt.Sprint("mrn-", id),
		Room: fmt.Sprint("room ", version), Card: fmt.Sprint("card-", id), Vitals: map[string]int{"pulse": version}}
	if id%3 > 0 {
		notes := fmt.Sprint("notes ", version)
		p.Notes = &notes
	}
	return p
}

func (j *jobs) patients(t testing.TB, n int) {
	t.Helper()
	list := make([]jobsPatient, n)
	for i := range list {
		list[i] = patient(int64(i+1), 0)
	}
	ok(t, j.app.orm.CreateInBatches(list, 500).Error)
	j.analyze(t)
}

func (j *jobs) analyze(t testing.TB) {
	t.Helper()
	if !j.sqlite {
		j.exec(t, `ANALYZE`)
	}
}

// seal is the id of the primary seal key of a scope.
func (j *jobs) primary(t testing.TB, s keymgr.Scope) uint32 {
	t.Helper()
	j.project.Keys.Evict(s)
	keys, err := j.project.Keys.Keys(context.Background(), s)
	ok(t, err)
	return keys.Primary().ID()
}

func (j *jobs) state(t testing.TB, s keymgr.Scope, id uint32) keymgr.KeyState {
	t.Helper()
	j.project.Keys.Evict(s)
	keys, err := j.project.Keys.Keys(context.Background(), s)
	ok(t, err)
	for _, k := range keys.Info(keymgr.Seal) {
		if k.ID == id {
			return k.State
		}
	}
	return ""
}

// promoted adds a key, waits for the application to have it, and promotes it.
func (j *jobs) promoted(t testing.TB, s keymgr.Scope) (old, fresh uint32) {
	t.Helper()
	old = j.primary(t, s)
	state, err := j.project.Rotate(context.Background(), s, migrate.RotateOptions{Until: migrate.StepPromote})
	ok(t, err)
	return old, state.Key
}

// named counts the values of the manifest's tables that name a key.
func (j *jobs) named(t testing.TB, key uint32) (n int64) {
	t.Helper()
	c, err := j.project.Census(context.Background(), migrate.CensusOptions{Exact: true})
	ok(t, err)
	for _, table := range c.Tables {
		for _, l := range table.Counts {
			if l.Purpose == keymgr.Seal && l.KeyID == key {
				n += l.Values
			}
		}
	}
	return n
}

// raw runs SQL past the application.
func (j *jobs) raw(t testing.TB, statement string) {
	t.Helper()
	if !j.sqlite {
		j.exec(t, statement)
		return
	}
	_, err := j.open(t, "sqlite").Exec(statement)
	ok(t, err)
}
