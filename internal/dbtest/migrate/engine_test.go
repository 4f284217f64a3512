package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/migrate"
)

func TestEngineMovesEveryRow(t *testing.T) {
	e := newEngine(t)
	for _, scan := range []string{"key", "heap"} {
		for _, order := range []string{"plain", "interleaved"} {
			t.Run(scan+" "+order, func(t *testing.T) {
				const n = 12_000
				e.reset(t)
				e.people(t, n)
				rw := newToy("a", "b")
				job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards, s.Scan, s.Order = 3, scan, order })
				e.work(t, job, rw)
				e.peopleAreMoved(t, n)
				s := e.check(t, job)
				if s.Phase != migrate.PhaseSwept || s.Pass != 2 || s.Scanned < 2*n || scan == "key" && s.Scanned > 2*n || s.Changed != n || s.Conflicts != 0 || s.Failed != 0 || len(s.Shards) != 3 {
					t.Errorf("%+v", s)
				}
				for _, sh := range s.Shards {
					if sh.Scanned < n/2 {
						t.Errorf("the shards are uneven: %+v", s.Shards)
					}
				}
			})
		}
	}
}

func TestEngineWorksThroughOneConnection(t *testing.T) {
	e := newEngine(t)
	e.people(t, 3000)
	one := migrate.Postgres(openPool(t, e.url, func(c *pgxpool.Config) { c.MaxConns = 1 }))
	rw := newToy("a", "b")
	job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Shards = 2 })
	ok(t, migrate.Work(t.Context(), one, job.ID, rw, migrate.Options{}))
	e.peopleAreMoved(t, 3000)
}

func TestEngineKeysOfEveryType(t *testing.T) {
	e := newEngine(t)
	for name, table := range map[string]string{
		"bigint":     `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT i - 2000 FROM generate_series(1, 4000) i`,
		"smallint":   `CREATE TABLE k (id smallint PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT i - 2000 FROM generate_series(1, 4000) i`,
		"numeric":    `CREATE TABLE k (id numeric PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT (i - 2000) / 7.0 FROM generate_series(1, 4000) i`,
		"float":      `CREATE TABLE k (id float8 PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT sqrt(i) FROM generate_series(1, 3999) i; INSERT INTO k VALUES ('NaN')`,
		"uuid":       `CREATE TABLE k (id uuid PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT gen_random_uuid() FROM generate_series(1, 4000)`,
		"bytea":      `CREATE TABLE k (id bytea PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT decode(md5(i::text), 'hex') FROM generate_series(1, 3999) i; INSERT INTO k VALUES ('')`,
		"text":       `CREATE TABLE k (id text PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT md5(i::text) || E'\'\\%_ä' FROM generate_series(1, 3999) i; INSERT INTO k VALUES ('')`,
		"collation":  `CREATE TABLE k (id text COLLATE "en-x-icu" PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT chr(65 + i % 2 * 32 + i % 26) || i || chr(192 + i % 60) FROM generate_series(1, 4000) i`,
		"any case":   `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE k (id text COLLATE ci PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT chr(65 + i % 2 * 32 + i % 26) || i FROM generate_series(1, 4000) i`,
		"char":       `CREATE TABLE k (id char(12) PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT 'x' || i FROM generate_series(1, 4000) i`,
		"timestamp":  `CREATE TABLE k (id timestamptz PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT now() + i * interval '1 microsecond' FROM generate_series(1, 4000) i`,
		"enum":       `CREATE TYPE e AS ENUM ('z', 'a', 'm'); CREATE TABLE k (x e, y int, a bytea, b bytea, PRIMARY KEY (x, y)); INSERT INTO k SELECT (ARRAY['z', 'a', 'm'])[1 + i % 3]::e, i FROM generate_series(1, 4000) i`,
		"composite":  `CREATE TABLE k (x int, "y %s $1 ""t." text, z uuid, a bytea, b bytea, PRIMARY KEY (x, "y %s $1 ""t.", z)); INSERT INTO k SELECT i % 3, 'y' || i % 40, gen_random_uuid() FROM generate_series(1, 4000) i`,
		"domain":     `CREATE DOMAIN inner_id AS bigint; CREATE DOMAIN d AS inner_id CHECK (VALUE > 0); CREATE TABLE k (id d PRIMARY KEY, a bytea, b bytea); INSERT INTO k SELECT i FROM generate_series(1, 4000) i`,
		"unique":     `CREATE TABLE k (id bigint NOT NULL, other bigint, a bytea, b bytea); CREATE UNIQUE INDEX ON k (other); CREATE UNIQUE INDEX ON k (id DESC) INCLUDE (other); INSERT INTO k SELECT i FROM generate_series(1, 4000) i`,
		"inherited":  `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea); CREATE TABLE kid (PRIMARY KEY (id)) INHERITS (k); INSERT INTO k SELECT i FROM generate_series(1, 2000) i; INSERT INTO kid SELECT i FROM generate_series(1, 2000) i`,
		"partitions": `CREATE TABLE k (id bigint, at int, a bytea, b bytea, PRIMARY KEY (at, id)) PARTITION BY RANGE (at); CREATE TABLE k1 PARTITION OF k FOR VALUES FROM (0) TO (10); CREATE TABLE k2 PARTITION OF k FOR VALUES FROM (10) TO (20) PARTITION BY HASH (id); CREATE TABLE k2a PARTITION OF k2 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE k2b PARTITION OF k2 FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO k SELECT i, i % 20 FROM generate_series(1, 4000) i`,
		"of strings": `CREATE DOMAIN sealed AS bytea CHECK (octet_length(VALUE) > 4); CREATE TABLE k (id varchar(20) PRIMARY KEY, a sealed, b sealed); INSERT INTO k SELECT 'x' || i FROM generate_series(1, 4000) i`,
	} {
		t.Run(name, func(t *testing.T) {
			e.reset(t)
			e.exec(t, table)
			if strings.Contains(name, "domain") {
				e.exec(t, `ANALYZE k`)
			}
			// Every row gets the same texts: what counts here is which rows are met.
			e.exec(t, `UPDATE k SET a = $1, b = NULL`, seal(1, "a"))
			rw := newToy("a", "b")
			job := e.start(t, "k", rw, func(s *migrate.Spec) { s.Shards = 3 })
			e.work(t, job, rw)
			s := e.check(t, job)
			if s.Changed != 4000 || s.Conflicts != 0 || s.Pass != 2 {
				t.Errorf("%+v", s)
			}
			if left := e.int(t, `SELECT count(*) FROM k WHERE substr(a, 1, 4) <> '\x00000002' OR b IS NOT NULL`); left != 0 {
				t.Errorf("%d rows are left", left)
			}
		})
	}
}

func TestEngineRefusesTablesThatItCannotWalk(t *testing.T) {
	e := newEngine(t)
	for name, table := range map[string]string{
		"no key":                  `CREATE TABLE k (id bigint, a bytea, b bytea)`,
		"a key that may be NULL":  `CREATE TABLE k (id bigint UNIQUE, a bytea, b bytea)`,
		"a partial unique index":  `CREATE TABLE k (id bigint NOT NULL, a bytea, b bytea); CREATE UNIQUE INDEX ON k (id) WHERE id > 0`,
		"an index over a word":    `CREATE TABLE k (id text NOT NULL, a bytea, b bytea); CREATE UNIQUE INDEX ON k (lower(id))`,
		"another collation":       `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE k (id text COLLATE ci NOT NULL, a bytea, b bytea); CREATE UNIQUE INDEX ON k (id COLLATE "C")`,
		"a key that is rewritten": `CREATE TABLE k (a bytea PRIMARY KEY, b bytea)`,
		"a missing column":        `CREATE TABLE k (id bigint PRIMARY KEY, a bytea)`,
		"another type":            `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b text)`,
		"a generated column":      `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea GENERATED ALWAYS AS (substr(a, 1)) STORED)`,
		"a view":                  `CREATE VIEW k AS SELECT 1 AS id, ''::bytea AS a, ''::bytea AS b`,
		"nothing":                 ``,
		"a child without a key":   `CREATE TABLE k (id bigint PRIMARY KEY, a bytea, b bytea); CREATE TABLE kid () INHERITS (k)`,
	} {
		t.Run(name, func(t *testing.T) {
			e.reset(t)
			e.exec(t, table)
			_, err := migrate.Start(t.Context(), e.db, migrate.Spec{Kind: "toy", Table: "k"}, newToy("a", "b"), migrate.Limits{}, "tester")
			if !errors.Is(err, migrate.ErrRefused) {
				t.Errorf("not refused: %v", err)
			}
			if n := e.int(t, `SELECT count(*) FROM fieldcrypt_jobs`); n != 0 {
				t.Errorf("%d jobs", n)
			}
		})
	}
}

func TestEngineEmptyTableIsDoneInOnePass(t *testing.T) {
	for _, scan := range []string{"key", "heap"} {
		e := newEngine(t)
		e.people(t, 0)
		rw := newToy("a", "b")
		job := e.start(t, "people", rw, func(s *migrate.Spec) { s.Scan = scan })
		e.work(t, job, rw)
		if s := e.check(t, job); s.Phase != migrate.PhaseSwept || s.Pass != 1 || s.Scanned != 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestEngineOneLiveJobForATableAndKind(t *testing.T) {
	e := newEngine(t)
	e.people(t, 10)
	rw := newToy("a", "b")
	job := e.start(t, "people", rw)
	_, err := migrate.Start(t.Context(), e.db, migrate.Spec{Kind: "toy", Table: "public.people"}, rw, migrate.Limits{}, "tester")
	if !errors.Is(err, migrate.ErrJobExists) {
		t.Errorf("a second one: %v", err)
	}
	e.start(t, "people", rw, func(s *migrate.Spec) { s.Kind = "other" })
	ok(t, migrate.Cancel(t.Context(), e.db, job.ID, "tester"))
	e.start(t, "people", rw)
}

func TestEngineRewriterMustBeTheJobs(t *testing.T) {
	e := newEngine(t)
	e.people(t, 10)
	job := e.start(t, "people", newToy("a", "b"))
	other := newToy("a", "b")
	other.to = 3
	for _, rw := range []migrate.Rewriter{newToy("a"), other} {
		if err := migrate.Work(t.Context(), e.db, job.ID, rw, migrate.Options{}); !errors.Is(err, migrate.ErrSpecChanged) {
			t.Errorf("%v", err)
		}
	}
	if err := migrate.Work(t.Context(), e.db, "none", other, migrate.Options{}); !errors.Is(err, migrate.ErrJobNotFound) {
		t.Errorf("%v", err)
	}
}

func TestEngineMigrateCanRunAtOnceAndAgain(t *testing.T) {
	e := newEngine(t)
	errs := make(chan error)
	for range 4 {
		go func() { errs <- migrate.Migrate(context.Background(), e.db) }()
	}
	for range 4 {
		ok(t, <-errs)
	}
	fresh := newEngine(t)
	for _, name := range []string{"jobs", "job_shards", "job_failures", "job_events"} {
		fresh.exec(t, fmt.Sprintf(`DROP TABLE fieldcrypt_%s CASCADE`, name))
	}
	fresh.exec(t, fresh.db.DDL())
	ok(t, migrate.Migrate(context.Background(), fresh.db))
}
