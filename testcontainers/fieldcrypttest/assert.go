package fieldcrypttest

import (
	"context"
	"testing"
)

// AssertKMSCalls fails the test unless the KMS has answered n calls since Start
// or the last Reset. Opening a scope is one call, and all scopes that Start makes
// are opened there and in Reset: n is their number for as long as nothing else
// asks the KMS.
func (e *Env) AssertKMSCalls(t testing.TB, n int) {
	t.Helper()
	if got := e.KMS.Count(); got != n {
		t.Errorf("the KMS has answered %d calls, want %d", got, n)
	}
}

// MinPlaintext is the least length in bytes of what AssertNoPlaintext looks for:
// shorter texts turn up in ciphertext by chance.
const MinPlaintext = 6

// AssertNoPlaintext fails the test if one of the values is in any column of any
// table of the database, its statistics and large objects, in a definition
// (defaults, expressions of indexes, views, functions, comments and the like), or
// in what the server has logged for it since Start or the last Reset. There the
// server logs every statement with all parameters, so the value must not have been
// sent to it either. The log of a server in FIELDCRYPT_TEST_POSTGRES_URL is out of
// reach and not looked at, which is logged.
//
// Values are found as text in any case, with their separators and without (if
// they are a number like that of a card); as hex, base64, JSON, URL, SQL and Go
// literals, UTF-16 and decimal bytes. The failure names the place, the form and
// the value's position among the arguments, not the value. The search does not
// send values to the server.
func (e *Env) AssertNoPlaintext(t testing.TB, values ...string) {
	t.Helper()
	if len(values) == 0 {
		t.Fatal("fieldcrypttest: AssertNoPlaintext was given no value")
	}
	s := &search{found: map[string]bool{}}
	for i, v := range values {
		if len(v) < MinPlaintext {
			t.Fatalf("fieldcrypttest: AssertNoPlaintext: value %d has less than %d bytes and would turn up in ciphertext by chance", i+1, MinPlaintext)
		}
		s.forms = append(s.forms, formsOf(v))
	}
	ctx := context.Background()
	if err := e.searchDatabase(ctx, s); err != nil {
		t.Fatalf("fieldcrypttest: AssertNoPlaintext: %v", err)
	}
	switch text, ok, err := e.log.read(ctx, e.db.admin); {
	case err != nil:
		t.Fatalf("fieldcrypttest: AssertNoPlaintext: the server's log: %v", err)
	case ok:
		s.look("the server's log", []byte(text))
	default:
		t.Logf("fieldcrypttest: AssertNoPlaintext has not seen the log of the server in %s", EnvURL)
	}
	for _, line := range s.lines {
		t.Error(line)
	}
}
