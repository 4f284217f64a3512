// Package migratecmd_test runs the commands of migrations in a program of an
// application's own.
package migratecmd_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/cobra"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
	"github.com/fieldcrypt/go/migrate/migratecmd"
)

// member has an index with a transform that only the application knows.
type member struct {
	gormcrypt.Encrypted
	ID   int64  `gorm:"autoIncrement:false"`
	Code string `fieldcrypt:"club,index=badge_v1"`
}

func (member) TableName() string { return "members" }

func badge(s string) (string, error) { return strings.TrimPrefix(strings.ToUpper(s), "B-"), nil }

// club is the application.
type club struct {
	t    *testing.T
	keys *keymgr.Manager
	db   *migrate.DB
	fc   *fieldcrypt.Crypter
	orm  *gorm.DB
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newClub(t *testing.T) *club {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, pgtest.DB(t))
	ok(t, err)
	t.Cleanup(pool.Close)
	var db *sql.DB = stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	ok(t, sqlstore.Migrate(ctx, db))
	c := &club{t: t, db: migrate.Postgres(pool)}
	ok(t, migrate.Migrate(ctx, c.db))
	kek, err := localkms.OpenOrCreate(filepath.Join(t.TempDir(), "kek"))
	ok(t, err)
	c.keys, err = keymgr.Open(ctx, keymgr.Config{
		Store: sqlstore.New(db), Heartbeat: 20 * time.Millisecond, KMSRate: math.MaxInt32,
		Domains: map[string]keymgr.Domain{"club": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}},
	})
	ok(t, err)
	t.Cleanup(func() { c.keys.Close() })
	c.fc = fieldcrypt.New(c.keys, fieldcrypt.Config{Transforms: map[string]func(string) (string, error){"badge_v1": badge}})
	c.orm, err = gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{Logger: logger.Discard})
	ok(t, err)
	ok(t, c.orm.Use(gormcrypt.New(c.fc, &member{})))
	ok(t, c.orm.AutoMigrate(&member{}))
	for id := int64(1); id <= 40; id++ {
		ok(t, c.orm.Create(&member{ID: id, Code: "b-" + strings.Repeat("x", int(id))}).Error)
	}
	ok(t, c.orm.Exec("ANALYZE members").Error)
	return c
}

// run is the application's own program.
func (c *club) run(fc *fieldcrypt.Crypter, args ...string) (string, error) {
	var out bytes.Buffer
	root := &cobra.Command{Use: "club", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(migratecmd.Commands(c.db, fc, &member{})...)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(c.t.Context())
	return out.String(), err
}

func TestAnApplicationRotatesByItsOwnProgram(t *testing.T) {
	c := newClub(t)
	scope := keymgr.Scope{Domain: "club"}
	before, err := c.keys.Keys(t.Context(), scope)
	ok(t, err)
	for _, tc := range []struct {
		args, says string
		code       int
	}{
		{"manifest check", "1 table as the manifest says", migratecmd.ExitDone},
		{"verify --every 10ms", "every value opens", migratecmd.ExitDone},
		{"rotate club", "no rotation of club is under way", migratecmd.ExitDone},
		{"rotate club --execute --actor carol --every 10ms", "club: done", migratecmd.ExitDone},
		{"census --exact", "primary  40", migratecmd.ExitDone},
		{"migrate status", "public.members", migratecmd.ExitDone},
		{"migrate", "", migratecmd.ExitUsage},
		{"migrate pause nosuchjob", "", migratecmd.ExitRefused},
		{"rotate", "", migratecmd.ExitUsage},
	} {
		out, err := c.run(c.fc, strings.Fields(tc.args)...)
		if got := migratecmd.ExitCode(err); got != tc.code || !strings.Contains(out, tc.says) {
			t.Fatalf("%s: exit code %d, want %d: %v\n%s", tc.args, got, tc.code, err, out)
		}
	}
	c.keys.Evict(scope)
	after, err := c.keys.Keys(t.Context(), scope)
	ok(t, err)
	if before.Primary().ID() == after.Primary().ID() {
		t.Error("the key is the same")
	}
	var m member
	ok(t, c.orm.Where("code = ?", "B-"+strings.Repeat("x", 17)).First(&m).Error)
	if m.ID != 17 || m.Code != "b-"+strings.Repeat("x", 17) {
		t.Errorf("found %+v", m)
	}
	var n int64
	ok(t, c.orm.Raw("SELECT count(*) FROM fieldcrypt_key_events WHERE actor = 'carol' AND kind <> 'created'").Scan(&n).Error)
	if n < 3 {
		t.Errorf("%d events name who did it", n)
	}
}

// Without the application's transforms nothing is touched.
func TestAProgramWithoutTheTransformsIsRefused(t *testing.T) {
	c := newClub(t)
	out, err := c.run(fieldcrypt.New(c.keys, fieldcrypt.Config{}), "verify")
	if !errors.Is(err, fieldcrypt.ErrModel) {
		t.Errorf("%v\n%s", err, out)
	}
	ids, err := migrate.List(t.Context(), c.db, false)
	ok(t, err)
	if len(ids) != 0 {
		t.Errorf("jobs: %v", ids)
	}
}
