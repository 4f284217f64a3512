package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Guard is a CHECK that bars values from a table, such as those of an old key.
// Adding it waits for every transaction that has written the table, and nobody
// can write such a value after that; [Guard.Validate] then proves that none is
// there. Only then is a value gone for good: no count shows what an open
// transaction has still to commit.
//
// Postgres puts the row into the message of an error that a CHECK raises: with
// plaintext columns in the table that shows in the server's log, unless
// log_error_verbosity is terse.
type Guard struct {
	Table string // as a statement names it
	Name  string // of the constraint
	Check string // the condition that every row has to meet or be NULL in, in SQL
}

const guardLock = 200 * time.Millisecond // others queue behind us meanwhile

// Add adds the guard for rows to come, unless it is there. It tries again, with
// rests, until it gets the table's lock or ctx ends.
func (g Guard) Add(ctx context.Context, db *DB) error {
	there, err := g.there(ctx, db)
	if err != nil || there {
		return err
	}
	return g.alter(ctx, db, "ADD CONSTRAINT "+quote(g.Name)+" CHECK ("+g.Check+") NOT VALID")
}

// Validate reads the whole table without keeping anybody from writing it.
// ErrViolated: a row is not as the guard says. Walk the table again, after Drop
// if live writers have to update such rows.
func (g Guard) Validate(ctx context.Context, db *DB) error {
	return g.alter(ctx, db, "VALIDATE CONSTRAINT "+quote(g.Name))
}

// Drop removes the guard if it is there.
func (g Guard) Drop(ctx context.Context, db *DB) error {
	return g.alter(ctx, db, "DROP CONSTRAINT IF EXISTS "+quote(g.Name))
}

func (g Guard) there(ctx context.Context, db *DB) (bool, error) {
	if db.dialect == sqlite {
		return false, errNoGuard
	}
	var there bool
	_, err := one(ctx, db.q(), `SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = $1::regclass AND conname = $2 AND contype = 'c')`, []any{g.Table, g.Name}, &there)
	return there, gone(g.Table, err)
}

// errGuardGone: another process has come further, and has removed the guard.
var errGuardGone = errors.New("the guard is not there any more")

var errNoGuard = fmt.Errorf("SQLite cannot add a CHECK to a table: %w", ErrRefused)

func (g Guard) alter(ctx context.Context, db *DB, action string) error {
	if db.dialect == sqlite {
		return errNoGuard
	}
	var back backoff
	for {
		err := db.tx(ctx, func(q querier) error {
			if _, err := q.exec(ctx, `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', '0', true)`, guardLock.String()); err != nil {
				return err
			}
			_, err := q.exec(ctx, "ALTER TABLE "+g.Table+" "+action)
			return err
		})
		switch {
		case err == nil:
			return nil
		case sqlState(err) == "23514":
			return fmt.Errorf("%s on %s: %w", g.Name, g.Table, ErrViolated) // without the cause: it holds the row
		case sqlState(err) == "42710": // another process was faster
			return nil
		case sqlState(err) == "42704":
			return &Incomplete{Job: g.Name, Cause: errGuardGone}
		case ctx.Err() != nil:
			return &Incomplete{Job: g.Name, Cause: errors.Join(ctx.Err(), err)}
		case !passing(err):
			return gone(g.Table, err)
		}
		back.wait(ctx)
	}
}
