// Rotation shows the rotation of a key under a running service. Two instances
// write, read and search encrypted rows, one through GORM and one through pgx,
// while an operator replaces the key that seals them: nothing stops, nothing is
// lost, and at the end the old key is out of use, with proof that no row needs it.
//
//	go run ./examples/rotation        needs Go and an installed Postgres
//	go run ./examples/rotation -h     another Postgres, more rows
//
// Read rotation.go from top to bottom, then operator.go; docs/rotation.md says the
// same in commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning up
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	os.Exit(report(os.Stderr, err, interrupted))
}

// run does everything between the flags and the exit code, and leaves nothing
// behind.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	cfg, err := parseConfig(args, getenv)
	if err != nil {
		return err
	}
	if cfg.help {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	dir, err := os.MkdirTemp("", "fieldcrypt-rotation-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return rotation(ctx, &account{w: stdout, began: time.Now()}, d, dir, cfg.rows)
}

// report prints how the run ended and returns the exit code.
func report(stderr io.Writer, err error, interrupted bool) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "rotation: %v\n\n%s", err, usage)
		return 2
	case interrupted || errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "rotation: interrupted")
		return 130
	}
	fmt.Fprintf(stderr, "rotation: FAILED: %v\n", err)
	return 1
}
