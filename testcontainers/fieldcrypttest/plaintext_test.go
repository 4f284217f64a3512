package fieldcrypttest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPlaintextIsFoundInEveryColumn: of every kind of table, type and schema.
func TestPlaintextIsFoundInEveryColumn(t *testing.T) {
	env := start(t)
	literal := "'" + strings.ReplaceAll(note, "'", "''") + "'"
	_, err := env.Pool.Exec(ctx, strings.ReplaceAll(`CREATE SCHEMA "Other One";
		CREATE TABLE "Other One".odd (t text, b bytea, ts text[], bs bytea[], j jsonb, h text);
		INSERT INTO "Other One".odd (t) VALUES (NULL), ($);
		INSERT INTO "Other One".odd (b) VALUES (convert_to($, 'UTF8'));
		INSERT INTO "Other One".odd (ts) VALUES (ARRAY['x', $]);
		INSERT INTO "Other One".odd (bs) VALUES (ARRAY[convert_to($, 'UTF8')]);
		INSERT INTO "Other One".odd (j) VALUES (jsonb_build_object('a', $::text));
		INSERT INTO "Other One".odd (h) VALUES (encode(convert_to($, 'UTF8'), 'hex'));
		CREATE TABLE parts (id int, t text) PARTITION BY LIST (id);
		CREATE TABLE part PARTITION OF parts DEFAULT;
		INSERT INTO parts VALUES (1, $);
		CREATE MATERIALIZED VIEW seen AS SELECT $::text AS t;
		CREATE TYPE pair AS (a int, b bytea);
		CREATE TABLE pairs AS SELECT (1, convert_to($, 'UTF8'))::pair AS p;
		SELECT lo_from_bytea(0, convert_to($, 'UTF8'));
		CREATE TABLE sampled AS SELECT $::text AS t FROM generate_series(1, 100);
		ANALYZE sampled; DELETE FROM sampled`, "$", literal))
	ok(t, err)
	got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, "nothing of the kind", note) })
	for _, where := range []string{
		`"Other One".odd, column t,`, `"Other One".odd, column b,`, `"Other One".odd, column ts,`, `"Other One".odd, column bs,`,
		`"Other One".odd, column j,`, `"Other One".odd, column h, as hex`, "public.part, column t,", "public.seen, column t,", "public.pairs, column p,",
		"pg_catalog.pg_stats, column most_common_vals,", "pg_catalog.pg_largeobject, column data,",
	} {
		if !strings.Contains(got, "value 2 is in "+where) {
			t.Errorf("not found in %s", where)
		}
	}
	if strings.Contains(got, note) || strings.Contains(got, "value 1") {
		t.Error(got)
	}
	env.Reset(t)
	env.AssertNoPlaintext(t, note)
}

// TestDigitsAreFoundWithoutSeparators: what index=digits is made of.
func TestDigitsAreFoundWithoutSeparators(t *testing.T) {
	env := start(t)
	_, err := env.Pool.Exec(ctx, "CREATE TABLE numbers AS SELECT 4111111111111111 AS n")
	ok(t, err)
	got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, card) })
	if !strings.Contains(got, "numbers, column n, as digits") {
		t.Error(got)
	}
}

// TestPlaintextIsFoundInWhatTheServerWasTold: a statement that stores nothing,
// and one that fails.
func TestPlaintextIsFoundInWhatTheServerWasTold(t *testing.T) {
	if logOutOfReach() {
		t.Skip("the server's log is out of reach")
	}
	env := start(t)
	for sql, arg := range map[string]any{
		"SELECT $1::text": card,
		"INSERT INTO patients (name, mrn) VALUES ($1::text::bytea, NULL)":  card,
		"SELECT 'spread over\nlines: " + card + "' WHERE $1::text IS NULL": "",
	} {
		env.Pool.Exec(ctx, sql, arg)
		if got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, card) }); !strings.Contains(got, "the server's log") {
			t.Errorf("%s: %s", sql, got)
		}
		env.Reset(t)
		env.AssertNoPlaintext(t, card)
	}
}

func TestWhatCannotBeLookedForIsRefused(t *testing.T) {
	env := start(t)
	for _, values := range [][]string{nil, {"short"}, {card, ""}} {
		if got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, values...) }); got == "" {
			t.Errorf("%q is accepted", values)
		}
	}
	if got := failures(t, func(t testing.TB) { env.AssertKMSCalls(t, 1) }); got == "" {
		t.Error("two calls count as one")
	}
}

// TestCiphertextIsNotTakenForPlaintext: many values, and no false alarm.
func TestCiphertextIsNotTakenForPlaintext(t *testing.T) {
	env := start(t)
	var rows []Patient
	var all []string
	for i := range 500 {
		p := Patient{Name: fmt.Sprintf("Patient %d", i), MRN: fmt.Sprintf("%06d", i*1999), Card: fmt.Sprintf("%016d", 4e15+i*1234567)}
		rows = append(rows, p)
		if i%25 == 0 {
			all = append(all, p.Name+"?", p.MRN, p.Card)
		}
	}
	ok(t, env.GORM.CreateInBatches(rows, 100).Error)
	env.AssertNoPlaintext(t, all...)
}

// TestTemporaryTablesAreLeftOut: other sessions cannot read them.
func TestTemporaryTablesAreLeftOut(t *testing.T) {
	env := start(t)
	conn, err := env.Pool.Acquire(ctx)
	ok(t, err)
	defer conn.Release()
	_, err = conn.Exec(ctx, "CREATE TEMP TABLE mine AS SELECT 1 AS id")
	ok(t, err)
	env.AssertNoPlaintext(t, card)
}

// TestPlaintextOfSeveralLinesIsFoundInTheLog, where the server indents it.
func TestPlaintextOfSeveralLinesIsFoundInTheLog(t *testing.T) {
	if logOutOfReach() {
		t.Skip("the server's log is out of reach")
	}
	env := start(t)
	const lines = "first line\nsecond line"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		_, err := env.Pool.Exec(ctx, "SELECT $1::text", mode, lines)
		ok(t, err)
		if got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, lines) }); !strings.Contains(got, "log") {
			t.Errorf("mode %v: %q", mode, got)
		}
		env.Reset(t)
	}
}

// TestBytesAreFoundWhateverTheDatabaseWritesThemAs: also in arrays.
func TestBytesAreFoundWhateverTheDatabaseWritesThemAs(t *testing.T) {
	env := start(t)
	_, err := env.Pool.Exec(ctx, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database()); END $$")
	ok(t, err)
	_, err = env.Pool.Exec(ctx, "CREATE TABLE bs AS SELECT ARRAY['\\x5a6fc3ab205175696c6c66656174686572'::bytea] AS b")
	ok(t, err)
	got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, "Zoë Quillfeather") })
	if !strings.Contains(got, "bs, column b") {
		t.Error(got)
	}
}
