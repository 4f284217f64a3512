package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // SQLite in pure Go: the driver "sqlite"

	"github.com/fieldcrypt/go/keymgr"
)

func openSQLiteFile(path string, create bool) (*sql.DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, withCure(fmt.Errorf("%w: there is no file %s", keymgr.ErrStoreUnavailable, path),
			"`fieldcrypt keys migrate` makes it, with the tables")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return openSQLite(u.String(), create)
}

// openSQLite opens what SQLite's documentation calls a URI filename.
func openSQLite(uri string, create bool) (*sql.DB, error) {
	base, query, _ := strings.Cut(uri, "?")
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, usagef("the parameters of the file: URL do not parse")
	}
	if query != "" {
		query += "&"
	}
	if !strings.Contains(strings.Join(given["_pragma"], " "), "busy_timeout") {
		query += "_pragma=busy_timeout(5000)&" // milliseconds
	}
	if !create && !given.Has("mode") {
		query += "mode=rw"
	}
	return sql.Open("sqlite", base+"?"+strings.TrimSuffix(query, "&"))
}
