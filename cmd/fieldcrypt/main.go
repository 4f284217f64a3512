package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it runs one command and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(slices.Concat([]string{}, args)) // never nil: cobra would take those of the process
	began := false
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		began = true
		return configure(cmd, args)
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !began { // cobra did not like the arguments
		err = usage(err)
	}
	return fail(ctx, stderr, cmd, err)
}
