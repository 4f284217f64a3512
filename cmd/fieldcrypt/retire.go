package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

// retirement is a command that takes a key out of use, on a proof.
type retirement struct {
	flags   changeFlags
	proof   proofFlags
	execute bool
	to      keymgr.KeyState
	change  func(*keymgr.Manager, context.Context, keymgr.Scope, keymgr.Purpose, uint32, keymgr.Proof) error
}

func (r *retirement) register(cmd *cobra.Command) {
	r.flags.register(cmd)
	r.flags.registerMaxAge(cmd)
	r.proof.register(cmd)
	cmd.Flags().BoolVar(&r.execute, "execute", false, "do it")
	cmd.RunE = r.run
}

func (r *retirement) run(cmd *cobra.Command, args []string) error {
	scope, id, err := scopeAndKey(args)
	if err != nil {
		return err
	}
	proof, err := r.proof.read()
	if err != nil {
		return err
	}
	c, err := r.flags.open(cmd, scope)
	if err != nil {
		return err
	}
	defer c.Close()
	p, key, err := c.key(id)
	if err != nil {
		return err
	}
	err = c.try(r.execute, func(m *keymgr.Manager) error { return r.change(m, c.ctx, c.scope, p, id, proof) })
	if err != nil {
		return err
	}
	why := "proof sha256:" + proof.SHA256()
	if proof.Override != "" {
		why = "override: " + proof.Override
	}
	if !r.execute {
		defer c.noteDryRun()
		return c.say("%s: %s key %d is %s since %s and would be %s (%s)", c.scope, p, id, key.State, timeText(key.Changed), r.to, why)
	}
	return c.say("%s %s: %s key %d (%s)", fmt.Sprintf("%-9s", r.to), c.scope, p, id, why)
}
