// Command awskmstest is an AWS KMS for tests and development, for programs in any
// language: package awskmstest as a process.
//
//	go run github.com/fieldcrypt/go/keymgr/awskms/awskmstest/cmd/awskmstest --addr 127.0.0.1:4566 --alias alias/medical-key
//
// It prints what the SDKs and the AWS CLI read from the environment, one NAME=value
// a line, and then serves until SIGINT or SIGTERM. Its keys die with it, and its
// credentials are public: it guards nothing that matters.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if err == flag.ErrHelp {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var cfg awskmstest.Config
	var aliases []string
	flags := flag.NewFlagSet("awskmstest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Addr, "addr", "127.0.0.1:0", "where to `listen`; port 0 is a free one")
	flags.StringVar(&cfg.Region, "region", "us-east-1", "the AWS `region` to play")
	flags.StringVar(&cfg.AccountID, "account", "111122223333", "the `account` of all keys, twelve digits")
	flags.Func("alias", "make a key with this `alias` (alias/...); may be repeated", func(name string) error {
		aliases = append(aliases, name)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp // what is wrong has been printed
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("awskmstest: unexpected argument %q", flags.Arg(0))
	}
	srv, err := awskmstest.New(cfg)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := create(srv, aliases); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "AWS_ENDPOINT_URL_KMS=%s\nAWS_REGION=%s\nAWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n",
		srv.URL(), srv.Region(), awskmstest.DefaultAccessKeyID, awskmstest.DefaultSecretAccessKey)
	if err != nil {
		return err
	}
	forget := time.NewTicker(time.Minute)
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-forget.C:
			srv.ResetCalls() // nobody here asks for them, and they would fill the memory
		}
	}
}

// create makes a key for each alias.
func create(srv *awskmstest.Server, aliases []string) (err error) {
	defer func() {
		if r := recover(); r != nil { // a name that KMS would refuse, or twice
			err = fmt.Errorf("%v", r)
		}
	}()
	for _, name := range aliases {
		srv.CreateKey(name)
	}
	return nil
}
