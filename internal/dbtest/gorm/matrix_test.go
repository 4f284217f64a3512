package gorm_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/drivertest"
)

// operation is one way to use GORM, on the seeded clinics.
type operation struct {
	name  string
	run   func(db q) (any, error) // returns what its caller holds then
	want  any                     // that, or the sentinel of the error by which it is refused
	after string                  // tables that changed, as state writes them; "" for none
}

// TestOperations runs every operation in every mode. After each one it looks at
// the rows, and for the canary in all that was stored, logged, traced and returned
// as an error.
func TestOperations(t *testing.T) {
	operations := slices.Concat(creating, updating, upserting, deleting, reading, scanning, orElse, returned,
		related, loading, generic, genericRelated, within, refusing)
	inModes(t, modes, func(t *testing.T, m mode, d dialector) {
		db, l := m.clinics(t, d)
		if got := state(t, db); got != seeded {
			t.Fatalf("the seeded rows are %s", got)
		}
		clean, err := everyTable(db)
		if err != nil {
			t.Fatal(err)
		}
		leaked := false
		for _, o := range operations {
			m.run(t, o.name, func(t *testing.T) {
				l.reset()
				got, err := o.run(fresh(db))
				o.check(t, got, err, l)
				noCanary(t, o.name, err, l)
				if t.Failed() {
					t.Logf("it said\n%s", l)
				}
				dump := checkClinics(t, db, &leaked)
				l.reset()
				if rows := state(t, db); rows != changed(o.after) {
					t.Errorf("the rows are\n%s, want\n%s", rows, changed(o.after))
				}
				if !bytes.Equal(dump, clean) {
					seedClinics(t, db)
					if clean, err = everyTable(db); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	})
}

// say writes values down with spaces between them.
func say(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }

func (o operation) check(t *testing.T, got any, err error, l *log) {
	t.Helper()
	if hasCipher(got) {
		t.Errorf("the caller holds ciphertext: %v", got)
	}
	class, refused := o.want.(error)
	switch {
	case !refused && err != nil:
		t.Error(err)
	case !refused && !reflect.DeepEqual(got, o.want):
		t.Errorf("got %v, want %v", got, o.want)
	case !refused:
	case err == nil:
		t.Errorf("it was not refused, and gave %v", got)
	case !errors.Is(err, class):
		t.Errorf("%v, want %v", err, class)
	}
}

// checkClinics checks that all encrypted columns hold stored values or NULL, and
// that the database has no canary in any byte. It returns the tables' bytes.
func checkClinics(t *testing.T, db *gorm.DB, leaked *bool) []byte {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"clinics.name", "directors.name", "rooms.name", "partners.name", "clinic_partners.terms", "remarks.name"} {
		table, encrypted, _ := strings.Cut(name, ".")
		values, err := column[[]byte](pool, fmt.Sprintf("SELECT %s FROM %s WHERE %s IS NOT NULL", encrypted, table, encrypted))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range values {
			if len(b) < 47 || b[0] != 0xFC || b[1] != 1 {
				t.Errorf("%s holds %q", name, b)
			}
		}
	}
	tables, err := everyTable(db)
	if err != nil {
		t.Fatal(err)
	}
	files, err := databaseFiles(db)
	if err != nil {
		t.Fatal(err)
	}
	for where, data := range map[string][]byte{"tables": tables, "database's files": files} {
		if form := drivertest.FindCanary(data); form != "" && !*leaked {
			*leaked = true // it stays there: the operations that follow are not to blame
			t.Errorf("the canary is in the %s: %s", where, form)
		}
	}
	return tables
}
