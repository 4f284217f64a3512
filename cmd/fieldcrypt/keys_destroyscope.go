package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

// keysDestroyScope holds the flags of "keys destroy-scope".
type keysDestroyScope struct {
	flags           changeFlags
	reason, confirm string
	execute         bool
}

func newKeysDestroyScope() *cobra.Command {
	var d keysDestroyScope
	cmd := &cobra.Command{
		Use:   "destroy-scope <domain>[/<tenant>]",
		Short: "Destroy all keys of a scope, and so all that they sealed",
		Long: `Destroy all keys of a scope, for ever. What they sealed cannot be opened again,
wherever copies of it are, but by who has a backup of the fieldcrypt_ tables and
may use one of the KMS keys that the receipt lists. The name of the scope is
spent: it never gets keys again.

It prints a receipt, as JSON: keep it. With the --kek that opens the scope, the
key ids in it are authentic. Without --kek, or if the KMS refuses because the
tenant has revoked its own key, it works as well, and the ids are what the
database says.

Running applications may have the keys in memory until the time that the receipt
names, which goes by --max-age.

` + dryRunHelp + ` With it, type the scope's name when
asked, or give it with --confirm.

` + kekHelp,
		Example: `  # what would be destroyed
  fieldcrypt keys destroy-scope notes/acme --reason 'contract 17 has ended' \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # do it
  fieldcrypt keys destroy-scope notes/acme --reason 'contract 17 has ended' \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1' --execute --confirm notes/acme`,
		RunE: d.run,
	}
	d.flags.register(cmd)
	d.flags.registerMaxAge(cmd)
	cmd.Flags().StringVar(&d.reason, "reason", "", "`REASON`, for the log and the receipt")
	cmd.Flags().StringVar(&d.confirm, "confirm", "", "the `SCOPE` once more, in place of typing it")
	cmd.Flags().BoolVar(&d.execute, "execute", false, "do it")
	return cmd
}

func (d *keysDestroyScope) run(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) != 1:
		return usagef("which scope? Name one")
	case strings.TrimSpace(d.reason) == "":
		return usagef("--reason is missing: why are the keys destroyed?")
	case d.flags.maxAge < 2:
		return usagef("--max-age must be positive: for how long do applications use keys that they read before?")
	}
	s, err := parseScope(args[0])
	if err != nil {
		return err
	}
	if d.confirm != "" && d.confirm != s.String() {
		return usagef("--confirm names %q, the scope is %s", d.confirm, s)
	}
	keks := []keymgr.KEK{noKEK{}}
	if len(d.flags.keks.uris) > 0 {
		if keks, err = d.flags.keks.open(cmd.Context(), io.Discard); err != nil {
			return err
		}
	}
	c, err := d.flags.read(cmd, s)
	if err != nil {
		return err
	}
	defer c.Close()
	c.domain.KEKs = keks
	if d.execute && d.confirm == "" {
		if err := d.ask(cmd, s); err != nil {
			return err
		}
	}
	var receipt keymgr.Receipt
	err = c.try(d.execute, func(m *keymgr.Manager) (err error) {
		receipt, err = m.DestroyScope(c.ctx, s, d.reason)
		return err
	})
	if err != nil {
		return err
	}
	if !d.execute {
		defer c.noteDryRun()
		opened := "opened: the ids are authentic"
		if !receipt.Authenticated {
			opened = "did not open: the ids are what the database says"
		}
		return c.say("%s (version %d): seal keys %d and index keys %d would be destroyed. The keysets %s",
			s, receipt.Version, receipt.SealKeys, receipt.IndexKeys, opened)
	}
	return printJSON(cmd.OutOrStdout(), receipt)
}

// ask lets the operator type the scope's name.
func (d *keysDestroyScope) ask(cmd *cobra.Command, s keymgr.Scope) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "all keys of %s will be destroyed, for ever. Type its name to go on: ", s)
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 1<<10)).ReadString('\n')
	if typed := strings.TrimSpace(line); typed == s.String() {
		return nil
	} else if typed == "" && err != nil {
		return usagef("nobody has typed the name: give it with --confirm %s", s)
	}
	return usagef("that is not the name of the scope: nothing was destroyed")
}

// noKEK stands where no KEK is given: it opens nothing.
type noKEK struct{}

var errNoKEK = fmt.Errorf("%w: no --kek was given", keymgr.ErrKEKNotAllowed)

func (noKEK) URI() string { return "none:" }

func (noKEK) GenerateDataKey(context.Context, keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	return nil, nil, errNoKEK
}

func (noKEK) Wrap(context.Context, []byte, keymgr.WrapContext) ([]byte, error) { return nil, errNoKEK }
func (noKEK) Unwrap(context.Context, []byte, keymgr.WrapContext) ([]byte, error) {
	return nil, errNoKEK
}
