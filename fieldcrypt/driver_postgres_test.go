package fieldcrypt_test

import (
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestPostgresType: databases have this text, and drivers compare theirs with it.
func TestPostgresType(t *testing.T) {
	const want = `DO $$ BEGIN
	CREATE DOMAIN fieldcrypt_value AS bytea CHECK (octet_length(VALUE) >= 36 AND substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea);
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`
	if got := fieldcrypt.CreatePostgresType(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
