package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
)

const (
	databaseVariable = "FIELDCRYPT_DATABASE_URL"

	// reachTimeout bounds the first contact with the database.
	reachTimeout = 10 * time.Second
)

// databaseFlag says where the fieldcrypt_ tables are.
type databaseFlag struct{ url string }

func (f *databaseFlag) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.url, "database", "", "`URL` of the database: postgres://..., sqlite:PATH or file:PATH (default $"+databaseVariable+")")
}

// open connects to the database. It makes the file of an SQLite database that
// is missing only if create says so: a typo is not an empty database.
func (f *databaseFlag) open(ctx context.Context, create bool) (*sql.DB, error) {
	dsn, source, err := f.dsn()
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(dsn, source, create)
	if err != nil {
		return nil, err
	}
	reach, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := db.PingContext(reach); err != nil {
		db.Close()
		return nil, fmt.Errorf("%w: %w", keymgr.ErrStoreUnavailable, err)
	}
	return db, nil
}

// dsn is the URL, and where it is from.
func (f *databaseFlag) dsn() (dsn, source string, err error) {
	if f.url == "" {
		return os.Getenv(databaseVariable), databaseVariable, nil
	}
	if hasPassword(f.url) {
		return "", "", usagef("--database holds a password, which everybody on this machine can read in the list of processes: put the URL into %s, or the password into PGPASSWORD or the .pgpass file", databaseVariable)
	}
	return f.url, "--database", nil
}

// openDatabase makes the pool. Errors do not repeat the URL.
func openDatabase(dsn, source string, create bool) (*sql.DB, error) {
	if isPostgres(dsn) {
		return openPostgres(dsn, source)
	}
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		path, err := filePath(scheme, rest)
		if err != nil {
			return nil, err
		}
		return openSQLiteFile(path, create)
	case "file":
		return openSQLite(dsn, create)
	}
	if dsn == "" {
		return nil, usagef("which database? Set %s, or give --database", databaseVariable)
	}
	return nil, usagef("%s is no database URL: want postgres://user@host/database, sqlite:PATH or file:PATH", source)
}

// filePath is the path in scheme:path and scheme:///path. It is taken as it is:
// nothing is unescaped.
func filePath(scheme, rest string) (string, error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return "", usagef("%s:%s: write %s:///PATH for an absolute path, %s:PATH for a relative one", scheme, rest, scheme, scheme)
		}
		rest = after
	}
	if rest == "" {
		return "", usagef("%s: the path is missing", scheme+":")
	}
	return rest, nil
}
