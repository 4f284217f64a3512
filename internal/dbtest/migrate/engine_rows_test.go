package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/migrate"
)

func TestEnginePoisonRowIsRecordedRetriedAndWaived(t *testing.T) {
	e := newEngine(t)
	e.people(t, 1000)
	e.exec(t, `UPDATE people SET a = '\x00000001dead' WHERE id IN (7, 8)`)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	work := func() error { return migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{}) }
	if err := work(); !errors.Is(err, migrate.ErrFailures) {
		t.Fatalf("%v", err)
	}
	list, err := migrate.Failures(t.Context(), e.db, job.ID, 10)
	ok(t, err)
	if len(list) != 2 || list[0].Key != `["7"]` || list[0].Class != "does not open" || list[0].Attempts != 2 || list[0].Relation != "public.people" {
		t.Errorf("%+v", list)
	}
	if s := e.check(t, job); s.Changed != 998 || len(s.Failures) != 1 || s.Failures[0].Rows != 2 {
		t.Errorf("%+v", s)
	}
	// One is repaired, the other stays.
	e.exec(t, `UPDATE people SET a = $1 WHERE id = 7`, seal(1, "a7"))
	ok(t, migrate.Retry(t.Context(), e.db, job.ID, "tester"))
	if err := work(); !errors.Is(err, migrate.ErrFailures) {
		t.Fatalf("%v", err)
	}
	n, err := migrate.Waive(t.Context(), e.db, job.ID, "does not open", "tester", "it is a test")
	ok(t, err)
	if n != 1 {
		t.Errorf("%d waived", n)
	}
	ok(t, work())
	ok(t, migrate.Retry(t.Context(), e.db, job.ID, "tester"))
	ok(t, work()) // what was waived stays so
	list, err = migrate.Failures(t.Context(), e.db, job.ID, 10)
	ok(t, err)
	got := map[string]string{}
	for _, f := range list {
		got[f.Key] = f.Resolution
	}
	if got[`["7"]`] != "gone" || got[`["8"]`] != "waived" {
		t.Errorf("%v", got)
	}
	ok(t, migrate.Advance(t.Context(), e.db, job.ID, migrate.PhaseSwept, migrate.PhaseDone, "tester", nil))
	if err := migrate.Retry(t.Context(), e.db, job.ID, "tester"); !errors.Is(err, migrate.ErrWrongPhase) {
		t.Errorf("%v", err)
	}
}

func TestEngineOnlyPoison(t *testing.T) {
	e := newEngine(t)
	e.people(t, 2000)
	e.exec(t, `UPDATE people SET b = '\x00'`)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrFailures) {
		t.Fatalf("%v", err)
	}
	if s := e.check(t, job); s.Pass != 1 || s.Failed != 2000 || s.Changed != 0 || s.Failures[0].Rows != 2000 {
		t.Errorf("%+v", s)
	}
}

// TestEngineRowsThatTheDatabaseRefuses: a trigger or a CHECK that fails on some
// rows makes failures of these alone.
func TestEngineRowsThatTheDatabaseRefuses(t *testing.T) {
	e := newEngine(t)
	e.people(t, 1000)
	e.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.id % 250 = 0 THEN RAISE EXCEPTION 'secret %', NEW.plain; END IF; RETURN NEW; END $$`)
	e.exec(t, `CREATE TRIGGER refuse BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION refuse()`)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrFailures) {
		t.Fatalf("%v", err)
	}
	list, err := migrate.Failures(t.Context(), e.db, job.ID, 10)
	ok(t, err)
	if len(list) != 4 || !strings.HasSuffix(list[0].Class, "SQLSTATE P0001") {
		t.Errorf("%+v", list)
	}
	if s := e.check(t, job); s.Changed != 996 {
		t.Errorf("%+v", s)
	}
}

func TestEngineTriggersCanTellTheMigrator(t *testing.T) {
	e := newEngine(t)
	e.people(t, 500)
	e.exec(t, `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF coalesce(current_setting('fc.migrate', true), '') <> 'on' THEN NEW.plain = 'touched'; END IF; RETURN NEW; END $$`)
	e.exec(t, `CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch()`)
	rw := newToy("a", "b")
	e.work(t, e.start(t, "people", rw), rw)
	e.peopleAreMoved(t, 500)
	if n := e.int(t, `SELECT count(*) FROM people WHERE plain = 'touched'`); n != 0 {
		t.Errorf("%d rows were touched", n)
	}
	e.exec(t, `UPDATE people SET plain = plain WHERE id = 1`)
	if n := e.int(t, `SELECT count(*) FROM people WHERE plain = 'touched'`); n != 1 {
		t.Errorf("the setting was left behind in the session: %d", n)
	}
}

// TestEngineTriggerThatUndoesTheChange: the passes end, with an error.
func TestEngineTriggerThatUndoesTheChange(t *testing.T) {
	e := newEngine(t)
	e.people(t, 300)
	e.exec(t, `CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`)
	e.exec(t, `CREATE TRIGGER undo BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION undo()`)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{})
	if !errors.Is(err, migrate.ErrNoProgress) || !errors.Is(err, migrate.ErrIncomplete) {
		t.Errorf("%v", err)
	}
}

func TestEngineRowSecurity(t *testing.T) {
	e := newEngine(t)
	e.people(t, 100)
	e.exec(t, `ALTER TABLE people ENABLE ROW LEVEL SECURITY; ALTER TABLE people FORCE ROW LEVEL SECURITY`)
	role := fmt.Sprintf("migrator_%d", e.int(t, `SELECT (random() * 1e9)::int8`))
	e.exec(t, `CREATE ROLE `+role+` LOGIN PASSWORD 'migrator'; GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role)
	t.Cleanup(func() { e.exec(t, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
	as := migrate.Postgres(openPool(t, e.url, func(c *pgxpool.Config) { c.ConnConfig.User, c.ConnConfig.Password = role, "migrator" }))
	rw := newToy("a", "b")
	if _, err := migrate.Start(t.Context(), as, migrate.Spec{Kind: "toy", Table: "people"}, rw, migrate.Limits{}, "tester"); !errors.Is(err, migrate.ErrRefused) {
		t.Errorf("rows that the role may not see would be left out: %v", err)
	}
	// Not even when it begins after the start.
	e.exec(t, `ALTER TABLE people DISABLE ROW LEVEL SECURITY`)
	job, err := migrate.Start(t.Context(), as, migrate.Spec{Kind: "toy", Table: "people"}, rw, migrate.Limits{}, "tester")
	ok(t, err)
	e.exec(t, `ALTER TABLE people ENABLE ROW LEVEL SECURITY`)
	if err := migrate.Work(t.Context(), as, job.ID, rw, migrate.Options{}); err == nil {
		t.Error("work went on")
	}
	e.exec(t, `ALTER ROLE `+role+` BYPASSRLS`)
	ok(t, migrate.Work(t.Context(), as, job.ID, rw, migrate.Options{}))
	e.peopleAreMoved(t, 100)
}

// TestEngineLargeRows: rows beside the pages (TOAST), more than are kept in memory
// at once.
func TestEngineLargeRows(t *testing.T) {
	for _, scan := range []string{"key", "heap"} {
		e := newEngine(t)
		const n = 60
		e.people(t, n)
		long := strings.Repeat("0123456789abcdef", 40_000) // 640 kB: 38 MB in all
		for i := 1; i <= n; i++ {
			e.exec(t, `UPDATE people SET a = $2 WHERE id = $1`, i, seal(1, long))
		}
		rw := newToy("a", "b")
		job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Scan = 1, scan })
		e.work(t, job, rw)
		rows, err := e.pool.Query(t.Context(), `SELECT a FROM people`)
		ok(t, err)
		values, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		ok(t, err)
		for _, v := range values {
			if key, text, err := open(v); err != nil || key != 2 || text != long {
				t.Fatalf("key %d, %d bytes, %v", key, len(text), err)
			}
		}
		if s := e.check(t, job); s.Changed != n {
			t.Errorf("%+v", s)
		}
	}
}

func TestEngineTableThatGoesMidway(t *testing.T) {
	for name, sql := range map[string]string{
		"dropped":           `DROP TABLE people`,
		"renamed":           `ALTER TABLE people RENAME TO folks`,
		"without a column":  `ALTER TABLE people DROP COLUMN b`,
		"with another type": `ALTER TABLE people ALTER b TYPE text USING ''`,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.people(t, 2000)
			rw := newToy("a", "b")
			gone := false
			rw.before = func([]migrate.Row) error {
				if !gone {
					gone = true
					_, err := e.pool.Exec(context.Background(), sql)
					return err
				}
				return nil
			}
			job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 1 })
			err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1})
			if err == nil || name != "with another type" && !errors.Is(err, migrate.ErrTableGone) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEnginePartitionThatComesMidway(t *testing.T) {
	e := newEngine(t)
	e.exec(t, `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea) PARTITION BY RANGE (id); CREATE TABLE k1 PARTITION OF k FOR VALUES FROM (0) TO (1000)`)
	e.exec(t, `INSERT INTO k SELECT i, $1::bytea, $1::bytea FROM generate_series(1, 900) i`, seal(1, "x"))
	rw := newToy("a", "b")
	came := false
	rw.before = func([]migrate.Row) error {
		if came {
			return nil
		}
		came = true
		if _, err := e.pool.Exec(context.Background(), `CREATE TABLE k2 PARTITION OF k FOR VALUES FROM (1000) TO (2000)`); err != nil {
			return err
		}
		_, err := e.pool.Exec(context.Background(), `INSERT INTO k VALUES (1500, $1, $1)`, seal(1, "late"))
		return err
	}
	job := e.start(t, "k", rw, func(s *migrate.Spec) { s.Shards = 1 })
	ok(t, migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1}))
	if left := e.int(t, `SELECT count(*) FROM k WHERE `+rw.Todo()); left != 0 {
		t.Errorf("%d rows are left", left)
	}
	if s := e.check(t, job); s.Changed != 901 {
		t.Errorf("%+v", s)
	}
}

func TestEngineVacuumFullMidway(t *testing.T) {
	e := newEngine(t)
	e.people(t, 6000)
	e.exec(t, `DELETE FROM people WHERE id % 3 = 0`)
	rw := newToy("a", "b")
	once := false
	rw.before = func([]migrate.Row) (err error) {
		if !once {
			once = true
			_, err = e.pool.Exec(context.Background(), `VACUUM FULL people`)
		}
		return err
	}
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Scan = 1, "heap" })
	ok(t, migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{Workers: 1}))
	e.peopleAreMoved(t, 4000)
}
