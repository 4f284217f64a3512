package main

import (
	"context"
	"errors"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// instances looks for running applications that rotation would wait for.
func (d *doctor) instances(ctx context.Context, scopes []keymgr.Scope) {
	fleet, err := d.store.Instances(ctx, keymgr.Scope{})
	if err != nil {
		d.fail("instances", "", err)
		return
	}
	versions := map[keymgr.Scope]uint64{}
	for _, i := range fleet.Instances {
		for _, h := range i.Scopes {
			versions[h.Scope] = 0
		}
	}
	for s := range versions {
		v, err := d.store.Version(ctx, s)
		if err != nil && !errors.Is(err, keymgr.ErrScopeNotFound) && !errors.Is(err, keymgr.ErrScopeDestroyed) {
			d.fail("instances", s.String(), err)
			return
		}
		versions[s] = v
	}
	live := 0
	for _, i := range fleet.Instances {
		name := i.ID + " on " + i.Host
		switch {
		case i.Gone(fleet.Now):
			continue
		case i.Silent(fleet.Now):
			d.warn("instances", name, "restart it, or if it is dead `fieldcrypt keys forget "+i.ID+"`", "silent for %s: promotion of keys waits for it", ageText(fleet.Now.Sub(i.LastSeen)))
			continue
		}
		live++
		var behind []string
		for _, h := range i.Scopes {
			if h.Version < versions[h.Scope] {
				behind = append(behind, h.Scope.String())
			}
		}
		if len(behind) > 0 {
			d.warn("instances", name, "it reads them anew within its CacheTTL", "has old keysets of %s", strings.Join(behind, ", "))
		}
	}
	if live == 0 && len(scopes) > 0 {
		d.warn("instances", "", "", "none reports: keys are promoted by their age alone")
		return
	}
	d.ok("instances", "", "%d live", live)
}
