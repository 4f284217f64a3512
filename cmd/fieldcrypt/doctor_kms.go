package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
)

// namedKEK is a KEK with the domain that it is for: "" for all.
type namedKEK struct {
	domain string
	uri    string // as it was given
	keymgr.KEK
}

func (d *doctor) openKEKs(ctx context.Context) (list []namedKEK, err error) {
	for _, entry := range d.flags.keks {
		domain, uri := splitKEK(entry)
		if domain != "" && (keymgr.Scope{Domain: domain}).Validate() != nil {
			return nil, usagef("that is no KEK: want URI or DOMAIN=URI")
		}
		kek, err := openKEK(ctx, uri, false, io.Discard)
		if err != nil {
			return nil, err
		}
		list = append(list, namedKEK{domain, uri, kek})
	}
	return list, nil
}

// kms tries the KEKs of each domain that there is or that is named.
func (d *doctor) kms(ctx context.Context, keks []namedKEK, scopes []keymgr.Scope) {
	if len(keks) == 0 {
		d.warn("kek", "", "name them with --kek or in the configuration file", "not looked at: no KEK is named")
		return
	}
	first := map[string]keymgr.Scope{} // of each domain
	stored := map[string]bool{}
	for _, k := range keks {
		if k.domain != "" {
			first[k.domain] = keymgr.Scope{Domain: k.domain}
		}
	}
	for _, s := range scopes {
		if !stored[s.Domain] {
			first[s.Domain], stored[s.Domain] = s, true
		}
	}
	if len(first) == 0 {
		first["doctor"] = keymgr.Scope{Domain: "doctor"} // for keys before there is any domain
	}
	clocks := map[string]bool{}
	for _, domain := range slices.Sorted(maps.Keys(first)) {
		var of []namedKEK
		for _, k := range keks {
			if k.domain == "" || k.domain == domain {
				of = append(of, k)
			}
		}
		if len(of) == 0 {
			d.warn("kek", domain, "name it with --kek "+domain+"=URI", "not looked at: no KEK is named")
			continue
		}
		wc := keymgr.WrapContext{Scope: first[domain]}
		record, found := keymgr.Record{}, false
		if stored[domain] {
			var err error
			if record, err = d.store.Load(ctx, first[domain]); err != nil {
				d.fail("kek", domain, err)
				continue
			}
			found = true
			wc.TenantContext = record.Wraps[0].TenantContext
		}
		for _, k := range of {
			d.permissions(ctx, domain, k, wc)
			if !clocks[k.uri] && strings.HasPrefix(k.uri, "aws-kms:") {
				clocks[k.uri] = true
				d.kmsClock(ctx, k.uri)
			}
		}
		if found {
			d.storedWraps(ctx, domain, of, record)
		}
	}
}

// permissions makes a data key and does with it all that keymgr does.
func (d *doctor) permissions(ctx context.Context, domain string, k namedKEK, wc keymgr.WrapContext) {
	of := domain + " " + k.URI()
	key, wrapped, err := k.GenerateDataKey(ctx, wc)
	defer clear(key)
	if err != nil {
		d.fail("kek", of, fmt.Errorf("make a data key: %w", err))
		return
	}
	again, err := k.Wrap(ctx, key, wc)
	if err != nil {
		d.fail("kek", of, fmt.Errorf("wrap: %w", err))
		return
	}
	for _, w := range [][]byte{wrapped, again} {
		opened, err := k.Unwrap(ctx, w, wc)
		same := slices.Equal(opened, key)
		clear(opened)
		if err == nil && !same {
			err = fmt.Errorf("%w: another key than was wrapped", keymgr.ErrKeysetInvalid)
		}
		if err != nil {
			d.fail("kek", of, fmt.Errorf("unwrap: %w", err))
			return
		}
	}
	if r, can := k.KEK.(keymgr.Rewrapper); can && r.CanRewrap(k.KEK) {
		if _, err := r.Rewrap(ctx, wrapped, k.KEK, wc, wc); err != nil {
			d.warn("kek", of, "only `keys rewrap` needs it", "makes, wraps and unwraps data keys; cannot move them: %v", err)
			return
		}
		d.ok("kek", of, "makes, wraps, unwraps and moves data keys")
		return
	}
	d.ok("kek", of, "makes, wraps and unwraps data keys")
}

// storedWraps unwraps what the KEKs have wrapped of one scope, and drops it.
func (d *doctor) storedWraps(ctx context.Context, domain string, keks []namedKEK, r keymgr.Record) {
	opened, tried := 0, 0
	for _, w := range r.Wraps {
		i := slices.IndexFunc(keks, func(k namedKEK) bool { return k.URI() == w.KEKURI })
		if i < 0 {
			d.warn("kek", r.Scope.String(), "name it, or move away from it with `fieldcrypt keys rewrap`", "wrapped under %s, too, which is not named", w.KEKURI)
			continue
		}
		tried++
		key, err := keks[i].Unwrap(ctx, w.Wrapped, keymgr.WrapContext{Scope: r.Scope, TenantContext: w.TenantContext})
		clear(key)
		if err != nil {
			d.fail("kek", r.Scope.String(), fmt.Errorf("unwrap what is stored under %s: %w", w.KEKURI, err))
			continue
		}
		opened++
	}
	if opened > 0 {
		d.ok("kek", r.Scope.String(), "%d of %d stored wraps open", opened, len(r.Wraps))
	} else if tried == 0 {
		d.fail("kek", r.Scope.String(), fmt.Errorf("%w: none of the KEKs that are named opens %s", keymgr.ErrKEKNotAllowed, domain))
	}
}

// dated notes when the server says that it answered.
type dated struct {
	kms.HTTPClient
	date          time.Time
	before, after time.Time
}

func (c *dated) Do(r *http.Request) (*http.Response, error) {
	before := time.Now()
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		if date, wrong := http.ParseTime(resp.Header.Get("Date")); wrong == nil {
			c.date, c.before, c.after = date.Add(500*time.Millisecond), before, time.Now() // it is cut to seconds
		}
	}
	return resp, err
}

// kmsClock compares the KMS's clock with the one here. AWS refuses requests that
// are signed five minutes off.
func (d *doctor) kmsClock(ctx context.Context, uri string) {
	client := &dated{}
	k, err := openAWSKey(ctx, uri, func(o *kms.Options) {
		client.HTTPClient = o.HTTPClient
		o.HTTPClient = client
	})
	if err != nil {
		d.fail("clock", uri, err)
		return
	}
	// Any answer has the time, a refusal too.
	_, _, _ = k.GenerateDataKey(ctx, keymgr.WrapContext{Scope: keymgr.Scope{Domain: "doctor"}})
	if client.date.IsZero() {
		d.warn("clock", uri, "", "the KMS does not tell its time")
		return
	}
	d.skew(k.URI(), client.date, client.before, client.after)
}
