package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning up
	err := run(ctx, os.Args[1:], os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	os.Exit(report(os.Stderr, err, interrupted))
}

// run does everything between the flags and the exit code. When it returns,
// however it ends, nothing is left behind unless -keep was given.
func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	opts, err := parseFlags(args)
	if err != nil {
		return err
	}
	if opts.help {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	out := &printer{w: stdout}
	dir, err := os.MkdirTemp("", "fieldcrypt-quickstart-")
	if err != nil {
		return err
	}
	defer func() {
		if opts.keep {
			out.line("kept: %s", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	conn, err := connect(ctx, opts, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.close(out)) }()
	kms, err := openKeyService(ctx, opts, dir)
	if err != nil {
		return err
	}
	out.kmsCalls = kms.calls.Load
	return quickstart(ctx, out, conn, kms)
}

// report prints how the run ended and returns the exit code.
func report(stderr io.Writer, err error, interrupted bool) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "quickstart: %v\n\n%s", err, usage)
		return 2
	case interrupted || errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "quickstart: interrupted")
		return 130
	}
	fmt.Fprintf(stderr, "quickstart: FAILED: %v\n", err)
	return 1
}
