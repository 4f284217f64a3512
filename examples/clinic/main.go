// Clinic is a small HTTP service as one would write it with GORM: its patients'
// sensitive fields are ciphertext in the database, and it logs none of them.
//
//	go run ./examples/clinic        SQLite and a key file: needs nothing but Go
//	go run ./examples/clinic -h     Postgres, AWS KMS
//
// What concerns fieldcrypt is in patient.go (the model), store.go (what it asks
// of the database), keys.go and database.go (what it opens at its start) and
// status.go (what errors become). The rest is what any service needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/fieldcrypt/go/keymgr"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for requests that are running
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	os.Exit(report(os.Stderr, err))
}

// run is the service from its flags to its end. What it opened it closes, in the
// opposite order: the server drains before the keys go, and the keys, which are
// read again in the background, before the database does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	cfg, err := parseConfig(args, getenv)
	if err != nil {
		return err
	}
	if cfg.help {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	log := newLogger(stdout, cfg.logLevel)

	db, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.sql.Close()) }()
	keks, err := openKEKs(ctx, cfg)
	if err != nil {
		return err
	}
	keys, err := openKeys(ctx, db, keks, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	h, err := newHandler(ctx, cfg, db, keys, log)
	if err != nil {
		return err
	}

	ln, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("%w; -addr chooses another address", err)
	}
	log.Info("listening", "url", "http://"+ln.Addr().String(), "database", db.name)
	if keks.development {
		log.Warn("keys are wrapped by a key file: whoever has it and the database has the data; for production name KMS keys", "file", keks.file)
	}
	return serve(ctx, ln, h, cfg, log)
}

// report prints how the service ended and returns the exit code.
func report(stderr io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "clinic: %v\n\n%s", err, usage)
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "clinic: interrupted while starting")
		return 130
	case errors.Is(err, keymgr.ErrScopeNotFound):
		fmt.Fprintf(stderr, "clinic: %v\nAn operator makes the keys of a domain, once: go run ./cmd/fieldcrypt keys create -h\n", err)
		return 1
	case errors.Is(err, keymgr.ErrKEKNotAllowed):
		fmt.Fprintf(stderr, "clinic: %v\nThis data was written with other keys: put back the key file, or name the KMS keys, with which it was.\n", err)
		return 1
	}
	fmt.Fprintf(stderr, "clinic: %v\n", err)
	return 1
}
