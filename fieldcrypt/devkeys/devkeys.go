// Package devkeys sets up fieldcrypt for development in one call: keysets in the
// application's own database, wrapped by a key in a file.
//
// It is not for production: whoever has the file and the database has the data.
// There, use keymgr.Open with a KMS.
package devkeys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

const (
	// DefaultKeyFile is where the key is kept, in the working directory. Keep
	// it out of version control.
	DefaultKeyFile = "fieldcrypt-dev.key"
	// KeyFileVariable is the environment variable that names another file.
	KeyFileVariable = "FIELDCRYPT_DEV_KEY_FILE"
	// EnvVariable is the environment variable that says where the program
	// runs. Open refuses the value "production".
	EnvVariable = "FIELDCRYPT_ENV"
)

// ErrProduction: FIELDCRYPT_ENV says that this is production.
var ErrProduction = errors.New("devkeys: refused in production; use keymgr.Open with a KMS")

// Open returns a Crypter for the domains. It makes what is missing: the tables
// fieldcrypt_* in the database (Postgres or SQLite), the key file with mode
// 0600, and the keysets of each domain. It logs a warning to [slog.Default].
// The caller closes the keys: fc.Keys().Close().
//
// Errors: [ErrProduction], or those of sqlstore.Migrate, localkms.OpenOrCreate
// and keymgr.Open.
func Open(ctx context.Context, db *sql.DB, domains ...string) (*fieldcrypt.Crypter, error) {
	if os.Getenv(EnvVariable) == "production" {
		return nil, ErrProduction
	}
	path := os.Getenv(KeyFileVariable)
	if path == "" {
		path = DefaultKeyFile
	}
	kek, err := localkms.OpenOrCreate(path)
	if err != nil {
		return nil, fmt.Errorf("devkeys: %w", err)
	}
	if err := sqlstore.Migrate(ctx, db); err != nil {
		return nil, fmt.Errorf("devkeys: %w", err)
	}
	cfg := keymgr.Config{Store: sqlstore.New(db), Domains: map[string]keymgr.Domain{}}
	for _, d := range domains {
		cfg.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{kek}, AutoCreate: true}
	}
	keys, err := keymgr.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("devkeys: %w", err)
	}
	slog.WarnContext(ctx, "fieldcrypt: development keys in use; whoever has the key file and the database has the data", "file", path)
	return fieldcrypt.New(keys, fieldcrypt.Config{}), nil
}
