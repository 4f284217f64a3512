//go:build unix

package migrate_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
)

// TestRolesThatAreEnoughToRotate rotates with the privileges that docs/keys.md
// gives to the application and to an operator, and no others.
func TestRolesThatAreEnoughToRotate(t *testing.T) {
	e := newEngine(t)
	suffix := strings.ToLower(rand.Text()[:10])
	role := func(name string) string { return name + "_" + suffix }
	as := func(name string) func(*pgxpool.Config) {
		return func(c *pgxpool.Config) {
			c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, "SET ROLE "+role(name))
				return err
			}
		}
	}
	for _, name := range []string{"clinic_owner", "app", "operator"} {
		e.exec(t, "CREATE ROLE "+role(name))
		t.Cleanup(func() { e.exec(t, "DROP OWNED BY "+role(name)+" CASCADE; DROP ROLE "+role(name)) })
	}
	e.exec(t, "GRANT USAGE, CREATE ON SCHEMA public TO "+role("clinic_owner")+"; GRANT USAGE ON SCHEMA public TO "+role("app")+", "+role("operator"))

	keyFile, scope := filepath.Join(t.TempDir(), "kms.key"), keymgr.Scope{Domain: "medical"}
	admin := openSQL(t, e.pool)
	ok(t, sqlstore.Migrate(t.Context(), admin))
	setUp := openKeys(t, admin, keyFile, true, 0)
	for _, d := range soakDomains {
		ok(t, setUp.Create(t.Context(), keymgr.Scope{Domain: d}))
	}
	orm := func(name string) *gorm.DB {
		conn := openSQL(t, openPool(t, e.url, as(name)))
		keys := setUp
		if name == "app" {
			keys = openKeys(t, conn, keyFile, false, time.Second)
		}
		db, err := gorm.Open(postgres.New(postgres.Config{Conn: conn}), &gorm.Config{Logger: logger.Discard})
		ok(t, err)
		ok(t, db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &soakPerson{})))
		return db
	}
	ok(t, orm("clinic_owner").AutoMigrate(&soakPerson{}))
	e.exec(t, "GRANT SELECT, INSERT, UPDATE, DELETE ON soak_people TO "+role("app"))
	e.exec(t, regexp.MustCompile(`(GRANT |TO )(clinic_owner|app|operator)\b`).ReplaceAllString(documentedGrants(t), "${1}${2}_"+suffix))

	app := orm("app")
	person := soakPerson{ID: 1, MRN: "1", Name: "one", Card: "1"}
	ok(t, app.Create(&person).Error)
	project := openProject(t, openPool(t, e.url, as("operator")), keyFile)
	state, err := project.Rotate(t.Context(), scope, migrate.RotateOptions{})
	ok(t, err)
	if state.Step != migrate.StepDone || len(state.Proofs) != 1 {
		t.Errorf("%s, %d proofs", state, len(state.Proofs))
	}
	var found soakPerson
	ok(t, app.First(&found, "mrn = ?", "1").Error)
	if !found.same(person) {
		t.Error("the row is not what was written")
	}
}

// documentedGrants is the SQL of docs/keys.md.
func documentedGrants(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/keys.md")
	ok(t, err)
	_, rest, found := strings.Cut(string(text), "```sql\n")
	sql, _, ends := strings.Cut(rest, "```")
	if !found || !ends || !strings.Contains(sql, "GRANT") {
		t.Fatal("docs/keys.md has no GRANTs")
	}
	return sql
}
