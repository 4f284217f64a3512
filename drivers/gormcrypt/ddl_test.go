package gormcrypt

import (
	"slices"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func TestDDLElements(t *testing.T) {
	for text, want := range map[string][]string{
		"CREATE TABLE t (a int, `B c` text DEFAULT 'x,''y')":     {"a int", "b c text default 'x,''y'"},
		"CREATE TABLE t (a numeric(1,2), CHECK (a IN (1,2)))":    {"a numeric ( 1 , 2 )", "check ( a in ( 1 , 2 ) )"},
		"CREATE TABLE t (a int -- b, c\n, /* ) , */ [D] X'FC01'": {"a int", "d x'fc01'"},
		`CREATE TABLE t (a text DEFAULT E'\',', b "int")`:        {"a text default e'\\','", "b int"},
		"CREATE TABLE t (a int) WITHOUT ROWID, b":                {"a int"},
		"CREATE TABLE t":     nil,
		"CREATE TABLE t (":   {""},
		"CREATE TABLE t (a,": {"a", ""},
	} {
		d := parseDDL(text)
		var got []string
		for _, e := range d.elements() {
			got = append(got, strings.Join(d.words(e), " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestDDLTarget(t *testing.T) {
	for text, want := range map[string]string{
		"CREATE TABLE IF NOT EXISTS \"Clinic\".`beds` (id int)":         "clinic.beds",
		"ALTER TABLE IF EXISTS ONLY beds ADD x int":                     "beds",
		"CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY clinic.beds (x)":    "clinic.beds",
		"CREATE INDEX ON beds (x)":                                      "beds",
		"DROP TABLE beds":                                               "beds",
		"CREATE TABLE":                                                  "",
		"CREATE INDEX i":                                                "",
		"PRAGMA foreign_keys":                                           "",
		"/* ALTER TABLE x */ alter -- table y\n table beds add x int;;": "beds",
	} {
		if got := parseDDL(text).table(); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// FuzzDDL: no text makes it panic, and it reads what it cuts out.
func FuzzDDL(f *testing.F) {
	f.Add("CREATE TABLE `t__temp` (`a` blob,CONSTRAINT `c` CHECK (" + sqliteCheck("a") + "),CONSTRAINT `d` CHECK (" + sqliteCheck("gone") + "))")
	f.Add("ALTER TABLE ONLY a.b ALTER c SET DATA TYPE x.y[] USING E'\\'', ADD UNIQUE (c)")
	f.Add("CREATE TABLE t (a,")
	f.Add("CREATE INDEX i ON t (c) WHERE 'x")
	f.Fuzz(func(t *testing.T, text string) {
		d := parseDDL(text)
		end := 0
		for _, token := range d.tokens {
			if token.at < end || token.end <= token.at || token.end > len(text) {
				t.Fatalf("token %q at %d:%d", token.text, token.at, token.end)
			}
			end = token.end
		}
		table := newTable("t")
		table.addColumn(&column{name: "c", field: &fieldcrypt.Field{Model: &fieldcrypt.Model{Name: "m"}, Path: "C"}})
		_ = d.allowed(table, "sqlite", false)
		_ = d.allowed(table, "postgres", true)
		_ = d.check("a")
		_ = d.constraint("c")
		if rest := d.withoutOrphans(); len(rest) > len(text) {
			t.Fatalf("%q became longer", text)
		}
	})
}
