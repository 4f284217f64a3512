package fieldcrypttest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// database is an environment's own, and the template that it is a copy of.
type database struct {
	name        string
	url         string
	templateURL string
	admin       *pgx.Conn // to another database of the server
}

// newDatabase connects to a server, and drops at the end what was made there.
func newDatabase(t testing.TB, s *server) *database {
	t.Helper()
	ctx := context.Background()
	u, err := url.Parse(s.url)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		t.Fatalf("fieldcrypttest: %s is not a postgres:// URL", EnvURL) // without the URL: it may hold a password
	}
	d := &database{name: "fieldcrypt_test_" + strings.ToLower(rand.Text()[:12])}
	u.Path = "/" + d.name
	d.url = u.String()
	u.Path = "/" + d.template()
	d.templateURL = u.String()
	if d.admin, err = pgx.Connect(ctx, s.url); err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	t.Cleanup(func() {
		defer d.admin.Close(ctx)
		for _, name := range []string{d.name, d.template()} {
			if err := d.drop(ctx, name); err != nil {
				t.Errorf("fieldcrypttest: %v", err)
			}
		}
	})
	return d
}

func (d *database) template() string { return d.name + "_snapshot" }

func (d *database) createTemplate(ctx context.Context) error {
	return d.exec(ctx, "CREATE DATABASE "+d.template())
}

// copyTemplate makes the database, which must not be there.
func (d *database) copyTemplate(ctx context.Context) error {
	if err := d.end(ctx, d.template()); err != nil {
		return err
	}
	return d.exec(ctx, "CREATE DATABASE "+d.name+" TEMPLATE "+d.template())
}

// restore makes the database anew, whoever is connected to it.
func (d *database) restore(ctx context.Context) error {
	if err := d.drop(ctx, d.name); err != nil {
		return err
	}
	return d.copyTemplate(ctx)
}

func (d *database) drop(ctx context.Context, name string) error {
	if err := d.end(ctx, name); err != nil {
		return err
	}
	return d.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// end ends all sessions of a database. CREATE and DROP DATABASE wait for them
// too, but look only every 100 ms.
func (d *database) end(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var sessions int
		err := d.admin.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", name).Scan(&sessions)
		if err != nil || sessions == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// endBusy ends the sessions that may hold locks.
func (d *database) endBusy(ctx context.Context) error {
	_, err := d.admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle'", d.name)
	return err
}

// inUse is Postgres's answer where a database that is to go, or to be copied, has
// a session: one that is just ending, or has just begun.
const inUse = "55006"

// exec runs a statement, again while a database is in use.
func (d *database) exec(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := d.admin.Exec(ctx, sql)
		if pg := (*pgconn.PgError)(nil); !errors.As(err, &pg) || pg.Code != inUse {
			return err
		}
	}
}
