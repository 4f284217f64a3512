package fieldcrypttest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

func logOutOfReach() bool { return os.Getenv(fieldcrypttest.EnvURL) != "" }

// TestServerOfAURL: its log is out of reach, all else works.
func TestServerOfAURL(t *testing.T) {
	if !pgtest.Available() {
		t.Skip("no local binaries for a server of its own")
	}
	server := pgtest.Start(t, pgtest.Options{})
	t.Setenv(fieldcrypttest.EnvURL, server.URL())
	env := start(t)
	if !strings.Contains(env.URL, "fieldcrypt_test_") {
		t.Error("not in a database of its own")
	}
	ok(t, env.GORM.Create(&Patient{MRN: "MRN-1042", Card: card}).Error)
	env.AssertNoPlaintext(t, card)
	env.Reset(t)
}

func TestNoPostgresIsAClearError(t *testing.T) {
	for name, value := range map[string]string{
		fieldcrypttest.EnvURL:   "nonsense",
		fieldcrypttest.EnvBin:   t.TempDir(),
		fieldcrypttest.EnvImage: "fieldcrypt/no-such-image:0",
	} {
		t.Run(name, func(t *testing.T) {
			for _, other := range []string{fieldcrypttest.EnvURL, fieldcrypttest.EnvBin, fieldcrypttest.EnvImage} {
				t.Setenv(other, "")
			}
			t.Setenv(name, value)
			got := failures(t, func(t testing.TB) { start(t) })
			if !strings.HasPrefix(got, "fieldcrypttest: ") {
				t.Error(got)
			}
		})
	}
}
