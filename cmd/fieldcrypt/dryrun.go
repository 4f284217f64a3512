package main

import (
	"context"
	"fmt"
	"io"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

const dryRunHelp = `Without --execute it is tried out: everything is done, calls of the KMS included,
but for the writing.`

// dryStore is the store of a change that is only tried out.
type dryStore struct{ *sqlstore.Store }

func (dryStore) Replace(context.Context, keymgr.Record, []keymgr.Event) error { return nil }

func (dryStore) Delete(context.Context, keymgr.Scope, uint64, []keymgr.Event) error { return nil }

// try runs a change on the store or, unless it is to be executed, tries it out.
func (c *scopeChange) try(execute bool, change func(*keymgr.Manager) error) error {
	open := c.dryManager
	if execute {
		open = c.manager
	}
	m, err := open()
	if err != nil {
		return err
	}
	defer m.Close()
	return change(m)
}

// dryManager logs nothing: what it would say has not happened.
func (c *scopeChange) dryManager() (*keymgr.Manager, error) {
	return openManager(c.ctx, dryStore{c.store}, c.scope, c.domain, io.Discard, c.setting)
}

func (c *scopeChange) noteDryRun() {
	fmt.Fprint(c.cmd.ErrOrStderr(), "dry run: nothing was changed. It would succeed now; add --execute to do it\n")
}
