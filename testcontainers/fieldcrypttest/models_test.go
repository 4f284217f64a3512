package fieldcrypttest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

const (
	card = "4111 1111 1111 1111"
	note = `Allergic to "penicillin" & cats, says O'Brien`
)

// Patient is a GORM model.
type Patient struct {
	gormcrypt.Encrypted
	ID    int64
	Name  string `fieldcrypt:"medical"`
	MRN   string `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Card  string `fieldcrypt:"finance,index=digits"`
	Notes *string
}

// Ward is a GORM model without encrypted fields.
type Ward struct {
	ID   int64
	Name string
}

// Visit is a struct for native pgx.
type Visit struct {
	ID     int64     `db:"id"`
	At     time.Time `db:"at"`
	Ward   *string   `db:"ward"`
	Reason string    `db:"reason" fieldcrypt:"medical,index"`
}

// Account has keys per tenant.
type Account struct {
	gormcrypt.Encrypted
	ID     int64
	Tenant string `fieldcrypt:",tenant"`
	IBAN   string `fieldcrypt:"billing,index"`
}

func start(t testing.TB) *fieldcrypttest.Env {
	t.Helper()
	return fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Patient{}}})
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// recorder is a test that keeps its failures to itself.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

type fatal struct{}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}

func (r *recorder) Error(args ...any) { r.add(args[0].(string)) }

func (r *recorder) Errorf(format string, _ ...any) { r.add(format) }

func (r *recorder) Fatal(args ...any) {
	r.add(args[0].(string))
	panic(fatal{})
}

func (r *recorder) Fatalf(format string, _ ...any) {
	r.add(format)
	panic(fatal{})
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, line)
}

// failures runs a part of a test and returns what it fails with.
func failures(t testing.TB, test func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != (fatal{}) {
				panic(p)
			}
		}()
		test(r)
	}()
	return strings.Join(r.failed, "\n")
}

var ctx = context.Background()

func startWith(t testing.TB, schema string) *fieldcrypttest.Env {
	t.Helper()
	return fieldcrypttest.Start(t, fieldcrypttest.Options{Models: []any{&Patient{}}, Schema: schema})
}
