//go:build unix

package migrate_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

var soakDomains = []string{"medical", "finance"}

// soakColumns are the encrypted columns of each domain.
var soakColumns = map[string][]string{"medical": {"name", "mrn", "notes"}, "finance": {"card"}}

type soakPerson struct {
	gormcrypt.Encrypted
	ID    int64 `gorm:"primaryKey;autoIncrement:false"`
	Ward  string
	Name  string  `fieldcrypt:"medical,index=fold"`
	MRN   string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Card  string  `fieldcrypt:"finance,index=digits"`
	Notes *string `fieldcrypt:"medical,pad=64"`
}

func (soakPerson) TableName() string { return "soak_people" }

func (p soakPerson) same(q soakPerson) bool {
	notes := func(n *string) string {
		if n == nil {
			return "NULL"
		}
		return "=" + *n
	}
	return p.ID == q.ID && p.Ward == q.Ward && p.Name == q.Name && p.MRN == q.MRN && p.Card == q.Card && notes(p.Notes) == notes(q.Notes)
}

// soakService is an application of two instances, one with GORM and one with pgx.
type soakService struct {
	*engine
	keyFile string
	gorm    *gorm.DB
	native  *pgxpool.Pool
	fc      *fieldcrypt.Crypter // of native
}

func newSoakService(t *testing.T, keyFile string) *soakService {
	t.Helper()
	s := &soakService{engine: newEngine(t), keyFile: keyFile}
	store := openSQL(t, s.pool)
	ok(t, sqlstore.Migrate(t.Context(), store))
	setUp := openKeys(t, store, keyFile, true, 0)
	for _, d := range soakDomains {
		ok(t, setUp.Create(t.Context(), keymgr.Scope{Domain: d}))
	}
	s.gorm = s.instance(t, time.Second)
	ok(t, s.gorm.AutoMigrate(&soakPerson{}))
	s.native = openPool(t, s.url)
	s.fc = fieldcrypt.New(openKeys(t, openSQL(t, s.native), keyFile, false, time.Second), fieldcrypt.Config{})
	return s
}

// instance is one that uses GORM.
func (s *soakService) instance(t testing.TB, heartbeat time.Duration) *gorm.DB {
	t.Helper()
	conn := openSQL(t, openPool(t, s.url))
	keys := openKeys(t, conn, s.keyFile, false, heartbeat)
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: conn}), &gorm.Config{Logger: logger.Discard})
	ok(t, err)
	ok(t, db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &soakPerson{})))
	return db
}

func openSQL(t testing.TB, pool *pgxpool.Pool) *sql.DB {
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	return db
}

// openKeys opens the keys of an instance of the application or, lazy, of a tool.
func openKeys(t testing.TB, db *sql.DB, keyFile string, lazy bool, heartbeat time.Duration) *keymgr.Manager {
	t.Helper()
	kek, err := localkms.OpenOrCreate(keyFile)
	ok(t, err)
	cfg := keymgr.Config{Store: sqlstore.New(db), Domains: map[string]keymgr.Domain{}, Lazy: lazy, Heartbeat: heartbeat}
	for _, d := range soakDomains {
		cfg.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{kek}}
	}
	keys, err := keymgr.Open(context.Background(), cfg)
	ok(t, err)
	t.Cleanup(func() { keys.Close() })
	return keys
}

// operator is a tool's project on the application's database.
func (s *soakService) operator(t testing.TB) *migrate.Project {
	return openProject(t, s.pool, s.keyFile)
}

func openProject(t testing.TB, pool *pgxpool.Pool, keyFile string) *migrate.Project {
	t.Helper()
	keys := openKeys(t, openSQL(t, pool), keyFile, true, 0)
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	text, err := fc.Manifest(&soakPerson{})
	ok(t, err)
	manifest, err := fieldcrypt.ParseManifest(text)
	ok(t, err)
	return &migrate.Project{DB: migrate.Postgres(pool), Crypter: fc, Keys: keys, Manifest: manifest, Actor: "soak"}
}

const soakSelect = `SELECT id, ward, name, mrn, card, notes FROM soak_people WHERE `

// query reads rows through pgx.
func (s *soakService) query(t testing.TB, where string, args ...any) []soakPerson {
	t.Helper()
	people, err := s.read(where, args...)
	ok(t, err)
	return people
}

func (s *soakService) read(where string, args ...any) ([]soakPerson, error) {
	person := pgxcrypt.RowToStructByNameLax[soakPerson](context.Background(), s.fc)
	rows, err := s.native.Query(context.Background(), soakSelect+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, person)
}
