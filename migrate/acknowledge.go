package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// acknowledged waits until every running instance has the keysets of the
// retirement's version, in which the key is not the primary. An instance that has
// not goes on to write with the key, and its writes would fail where the key is
// barred; so the last sweep begins after this. Of a store that knows no instances
// nothing can be waited for; on SQLite nothing is barred, and instances report only
// what has changed.
func (r *retirement) acknowledged(ctx context.Context) error {
	if r.DB.dialect == sqlite {
		return nil
	}
	const poll = 500 * time.Millisecond
	waited := false
	var first time.Time // by the store's clock: the version was there
	for {
		fleet, err := r.Keys.Instances(ctx, r.scope)
		if errors.Is(err, keymgr.ErrConfig) {
			return nil
		}
		if err != nil {
			return err
		}
		if first.IsZero() {
			first = fleet.Now
		}
		behind := behindOn(fleet, r.scope, r.version, first)
		if len(behind) == 0 {
			if waited {
				r.tell(StepSweep, r.ids(), "")
			}
			return nil
		}
		waited = true
		r.tell(StepSweep, r.ids(), fmt.Sprintf("%d of %d instances, which may still write with the old key: %s", len(behind), len(fleet.Instances), strings.Join(behind, ", ")))
		sleep(ctx, poll)
		if ctx.Err() != nil {
			return &Incomplete{Job: "rotation of " + r.scope.String(), Cause: ctx.Err()}
		}
	}
}

// behindOn names the instances that may hold a version of the scope's keysets that
// is lower than the given one, which was there at the time of first.
func behindOn(fleet keymgr.Fleet, s keymgr.Scope, version uint64, first time.Time) []string {
	var behind []string
	for _, i := range fleet.Instances {
		has := i.CheckedAt.After(first) // one that holds nothing of the scope will open what it finds
		for _, held := range i.Scopes {
			if held.Scope == s {
				has = held.Version >= version
			}
		}
		if !has && !i.Gone(fleet.Now) {
			behind = append(behind, fmt.Sprintf("%s (%s)", i.Host, i.ID))
		}
	}
	return behind
}
