package fieldcrypttest_test

import (
	"strings"
	"testing"
)

// TestPlaintextIsFoundInDefinitions: values that a migration has written into what
// is no table. The log of that is not looked at.
func TestPlaintextIsFoundInDefinitions(t *testing.T) {
	literal := "'" + strings.ReplaceAll(note, "'", "''") + "'"
	env := startWith(t, strings.ReplaceAll(strings.ReplaceAll(`CREATE TABLE x (id int, t text DEFAULT $, u text, CONSTRAINT odd CHECK (t <> $));
		COMMENT ON TABLE x IS $;
		CREATE INDEX by_expression ON x ((coalesce(t, $)));
		CREATE VIEW v AS SELECT $::text AS t;
		CREATE FUNCTION f() RETURNS text LANGUAGE sql AS @@ SELECT $::text @@;
		CREATE TYPE e AS ENUM ($);
		ALTER TABLE x ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON x USING (t <> $);
		CREATE RULE r AS ON INSERT TO x WHERE new.t = $ DO INSTEAD NOTHING;
		CREATE STATISTICS s ON (coalesce(t, $)), u FROM x`, "$", literal), "@@", "$body$"))
	got := failures(t, func(t testing.TB) { env.AssertNoPlaintext(t, note) })
	for _, of := range []string{
		"default value for column t of table x", "index by_expression", "constraint odd on table x", "rule _RETURN on view v",
		"rule r on table x", "policy p on table x", "function f()", "type e", "statistics object s", "table x",
	} {
		if !strings.Contains(got, "is in what is said of "+of+",") {
			t.Errorf("not found in %s", of)
		}
	}
	if strings.Contains(got, note) {
		t.Error(got)
	}
}
