package pgtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestEachDatabaseIsEmptyAndDroppedWithItsTest(t *testing.T) {
	used := DB(t)
	for range 2 {
		t.Run("", func(t *testing.T) {
			used = DB(t)
			if _, err := connect(t, used).Exec(t.Context(), "CREATE TABLE patients (id int)"); err != nil {
				t.Fatal(err)
			}
		})
	}
	_, err := pgx.Connect(t.Context(), used)
	if pg := (*pgconn.PgError)(nil); !errors.As(err, &pg) || pg.Code != "3D000" {
		t.Fatalf("connecting to a dropped database: %v", err)
	}
}

func TestDatabaseIsDroppedUnderAnOpenConnection(t *testing.T) {
	t.Run("", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), DB(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn // left open
	})
}

func TestServerThatWasThereBefore(t *testing.T) {
	s := &Server{admin: DB(t)}
	connect(t, s.DB(t))
}

func TestOwnServerTakesSettingsAndShowsItsLog(t *testing.T) {
	s := Start(t, Options{Settings: map[string]string{"log_statement": "all"}})
	if _, err := connect(t, s.DB(t)).Exec(t.Context(), "SELECT 'look for this'"); err != nil {
		t.Fatal(err)
	}
	if log := s.Log(t); !strings.Contains(log, "look for this") {
		t.Fatalf("the statement is not in the log:\n%s", log)
	}
}

func TestStoppedServerIsGone(t *testing.T) {
	s := Start(t, Options{})
	url := s.DB(t)
	conn := connect(t, url)
	s.Stop()
	s.Stop()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("an open connection still answers")
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("a new connection is accepted")
	}
}

func TestWrongSettingIsReportedWithTheLog(t *testing.T) {
	s := Start(t, Options{}) // skips where there is no Postgres
	s.Stop()
	_, err := start(Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "unrecognized configuration parameter") {
		t.Fatalf("got %v", err)
	}
}
