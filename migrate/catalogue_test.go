package migrate

import (
	"errors"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func TestValueCheckAsPostgresPrintsIt(t *testing.T) {
	for def, want := range map[string]bool{
		`CHECK (octet_length(VALUE) >= 36 AND substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea)`:                true,
		`CHECK (((octet_length(VALUE) >= 36) AND ("substring"((VALUE)::bytea, 1, 2) = '\xfc01'::bytea)))`:      true,
		`CHECK (((octet_length((VALUE)::bytea) >= 36) AND (SUBSTRING(VALUE FROM 1 FOR 2) = '\xfc01'::bytea)))`: true,
		`CHECK ((octet_length(VALUE) >= 35) AND (substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea))`:            false,
		`CHECK ((octet_length(VALUE) >= 36) OR (substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea))`:             false,
		`CHECK ((octet_length(VALUE) >= 36) AND (substring(VALUE FROM 1 FOR 2) = '\xfc02'::bytea))`:            false,
		`CHECK ((octet_length(VALUE) >= 36) AND (substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea) OR true)`:    false,
		`CHECK (octet_length(VALUE) >= 36)`: false,
		``:                                  false,
	} {
		if got := isValueCheck(def, "value"); got != want {
			t.Errorf("%s: %v", def, got)
		}
		column := strings.ReplaceAll(def, "VALUE", "mrn")
		if got := isValueCheck(column, "mrn"); got != want {
			t.Errorf("%s: %v", column, got)
		}
		if isValueCheck(column, "name") {
			t.Errorf("%s passes for another column", column)
		}
		orNull := strings.Replace(column, "CHECK (", "CHECK ((mrn IS NULL) OR (", 1) + ")"
		if got := isValueCheck(orNull, "mrn"); def != "" && got != want {
			t.Errorf("%s: %v", orNull, got)
		}
	}
}

func TestSQLiteCheckHoweverItIsWritten(t *testing.T) {
	want := bareSQLite("CHECK (" + sqliteCheck("mrn") + ")")
	for text, there := range map[string]bool{
		"CREATE TABLE t (mrn blob CHECK (" + sqliteCheck("`mrn`") + "))":                                                   true,
		"CREATE TABLE t (mrn blob, CONSTRAINT \"c\" CHECK (" + strings.ToUpper(sqliteCheck("[mrn]")) + "))":                true,
		"CREATE TABLE t (mrn blob /* why */ check\n\t(" + strings.Replace(sqliteCheck("mrn"), "OR", "OR -- x\n", 1) + "))": true,
		"CREATE TABLE t (mrn blob /* CHECK (" + sqliteCheck("mrn") + ") */)":                                               false,
		"CREATE TABLE t (mrn blob) -- CHECK (" + sqliteCheck("mrn") + ")":                                                  false,
		"CREATE TABLE t (mrn blob CHECK (" + sqliteCheck("amrn") + "))":                                                    false,
		"CREATE TABLE t (mrn blob CHECK (" + sqliteCheck("mrn") + " OR 1))":                                                false,
		"CREATE TABLE t (mrn blob CHECK (1 OR " + sqliteCheck("mrn") + "))":                                                false,
	} {
		if got := strings.Contains(bareSQLite(text), want); got != there {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestProblemsThatRefuseAreErrors(t *testing.T) {
	warn := Problem{Warn, TriggerOnUpdate, "t", "", "has a trigger", "look at it"}
	refuse := Problem{Refuse, ColumnMissing, "t", "c", "is missing", "make it"}
	if err := (Problems{warn}).Err(); err != nil {
		t.Error(err)
	}
	err := Problems{warn, refuse, refuse}.Err()
	if e := (*fieldcrypt.Error)(nil); !errors.Is(err, ErrSchema) || !errors.As(err, &e) || e.Table != "t" || e.Column != "c" || e.Hint != "make it" {
		t.Errorf("%v", err)
	}
	if got := refuse.String(); got != "refuse: t.c is missing; make it" {
		t.Error(got)
	}
}
