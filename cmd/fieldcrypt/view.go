package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// scopeView is what can be told of a scope without opening it. Its JSON is for
// scripts: fields are added, never changed.
type scopeView struct {
	Scope     string    `json:"scope"`
	Domain    string    `json:"domain"`
	Tenant    string    `json:"tenant,omitempty"`
	Version   uint64    `json:"version"`
	CreatedAt time.Time `json:"created_at,omitzero"` // by the clock of the process that wrote, as are all times
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	KEKs      []kekView `json:"keks"`
	Keys      []keyView `json:"keys"`
	// Verified says that the keysets have opened: then versions and keys are
	// those that keymgr made. Else they are what the database says.
	Verified bool `json:"verified"`
	// Problem is why the keys cannot be told or did not open.
	Problem string `json:"problem,omitempty"`
}

type kekView struct {
	URI           string `json:"uri"`
	TenantContext string `json:"tenant_context"`
}

type keyView struct {
	ID        uint32    `json:"id"`
	Purpose   string    `json:"purpose"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
}

// viewOf returns what a record tells, and ErrKeysetInvalid if its info cannot be read.
func viewOf(r keymgr.Record) (scopeView, error) {
	v := scopeView{
		Scope: r.Scope.String(), Domain: r.Scope.Domain, Tenant: r.Scope.Tenant,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		KEKs: []kekView{},
	}
	for _, w := range r.Wraps {
		v.KEKs = append(v.KEKs, kekView{URI: w.KEKURI, TenantContext: tenantContextName(w.TenantContext)})
	}
	var err error
	v.Keys, err = readInfo(r)
	return v, err
}

// readInfo reads the keys in a record.
func readInfo(r keymgr.Record) ([]keyView, error) {
	keys := []keyView{}
	for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		list, err := r.UnverifiedInfo(p)
		if err != nil {
			return []keyView{}, err
		}
		for _, k := range list {
			keys = append(keys, keyView{ID: k.ID, Purpose: string(p), State: string(k.State), CreatedAt: k.Created, ChangedAt: k.Changed})
		}
	}
	return keys, nil
}

// states counts the keys by their state, in the order of a key's life.
func (v scopeView) states() string {
	var parts []string
	left := len(v.Keys)
	for _, state := range []keymgr.KeyState{
		keymgr.StatePending, keymgr.StatePrimary, keymgr.StateActive, keymgr.StateDisabled, keymgr.StateDestroyed,
	} {
		n := 0
		for _, k := range v.Keys {
			if k.State == string(state) {
				n++
			}
		}
		if left -= n; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if left > 0 {
		parts = append(parts, fmt.Sprintf("%d of no state", left)) // written by hand
	}
	return cmp.Or(strings.Join(parts, ", "), "?")
}

// primary is the id of the key that writes, or "?".
func (v scopeView) primary(p keymgr.Purpose) string {
	for _, k := range v.Keys {
		if k.Purpose == string(p) && k.State == string(keymgr.StatePrimary) {
			return fmt.Sprint(k.ID)
		}
	}
	return "?"
}

func (v scopeView) kekURIs() string {
	uris := make([]string, len(v.KEKs))
	for i, k := range v.KEKs {
		uris[i] = k.URI
	}
	return strings.Join(uris, " ")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
