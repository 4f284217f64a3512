package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// fail says where err happened and gives it its class: what the code here
// decided keeps its sentinel, and everything that the database or the driver
// said is keymgr.ErrStoreUnavailable. where names the domain alone: the name of a
// tenant may be personal data, and the Manager says what it may of it.
func fail(ctx context.Context, where string, err error) error {
	if err == nil {
		return nil
	}
	for _, decided := range []error{
		keymgr.ErrInvalidScope, keymgr.ErrScopeNotFound, keymgr.ErrScopeDestroyed, keymgr.ErrScopeExists,
		keymgr.ErrConflict, keymgr.ErrKeyIDTaken, keymgr.ErrKeysetInvalid, keymgr.ErrUnknownInstance,
	} {
		if errors.Is(err, decided) {
			return fmt.Errorf("sqlstore: %s: %w", where, err)
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err() // drivers word a cancelled statement each in their own way
	}
	if missingTable(err) {
		return fmt.Errorf("sqlstore: %s: %w: no tables here, run sqlstore.Migrate (or look at the search_path): %w",
			where, keymgr.ErrStoreUnavailable, err)
	}
	if forbidden(err) {
		return fmt.Errorf("sqlstore: %s: %w: this role lacks a GRANT (see the documentation of package sqlstore): %w",
			where, keymgr.ErrStoreUnavailable, err)
	}
	return fmt.Errorf("sqlstore: %s: %w: %w", where, keymgr.ErrStoreUnavailable, err)
}

// forbidden knows insufficient_privilege from Postgres.
func forbidden(err error) bool {
	var pg interface{ SQLState() string }
	return errors.As(err, &pg) && pg.SQLState() == "42501"
}

// missingTable knows undefined_table from Postgres, whose drivers all have
// SQLState, and SQLite's own text.
func missingTable(err error) bool {
	if state := sqlState(err); state != "" {
		return state == "42P01"
	}
	return strings.Contains(err.Error(), "no such table: fieldcrypt_")
}

// sqlState is what Postgres calls an error, "" if it did not make it.
func sqlState(err error) string {
	var pg interface{ SQLState() string }
	if errors.As(err, &pg) {
		return pg.SQLState()
	}
	return ""
}
