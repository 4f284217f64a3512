package keylife_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// history is the length of the scope's log.
func history(t *testing.T, store *sqlstore.Store, s keymgr.Scope) int {
	t.Helper()
	events, err := store.Events(t.Context(), s)
	must(t, err)
	return len(events)
}

// mustBeWhole checks that rows and log agree: every key was added once by the log,
// every change of a keyset made one version, and all wraps are of the current one.
func mustBeWhole(t *testing.T, db *sql.DB, store *sqlstore.Store, s keymgr.Scope) {
	t.Helper()
	var stray int
	must(t, db.QueryRowContext(t.Context(), `
		SELECT count(*) FROM fieldcrypt_keyset_wraps w WHERE domain = $1 AND tenant = $2 AND NOT EXISTS (
			SELECT 1 FROM fieldcrypt_keysets k WHERE k.domain = w.domain AND k.tenant = w.tenant AND k.version = w.version)`,
		s.Domain, s.Tenant).Scan(&stray))
	if stray != 0 {
		t.Errorf("%d wraps of no version", stray)
	}
	r, err := store.Load(t.Context(), s)
	if errors.Is(err, keymgr.ErrScopeDestroyed) || errors.Is(err, keymgr.ErrScopeNotFound) {
		return
	}
	must(t, err)
	var listed, logged []uint32
	for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		keys, err := r.UnverifiedInfo(p)
		must(t, err)
		for _, k := range keys {
			listed = append(listed, k.ID)
		}
	}
	events, err := store.Events(t.Context(), s)
	must(t, err)
	versions := map[uint64]bool{}
	for _, e := range events {
		versions[e.Version] = true
		if e.Kind == keymgr.EventKeyAdded {
			logged = append(logged, e.KeyID)
		}
	}
	slices.Sort(listed)
	slices.Sort(logged)
	if !slices.Equal(listed, logged) || uint64(len(versions)) != r.Version || !versions[r.Version] {
		t.Errorf("version %d lists keys %v, the log has %d versions and keys %v", r.Version, listed, len(versions), logged)
	}
}

// sealedValue is something that the primary of before has sealed.
type sealedValue struct {
	key        uint32
	salt       [12]byte
	ciphertext []byte
}

const secret = "sealed before the crash"

func seal(t *testing.T, m *keymgr.Manager, s keymgr.Scope) sealedValue {
	t.Helper()
	k, err := m.Keys(t.Context(), s)
	must(t, err)
	v := sealedValue{key: k.Primary().ID()}
	copy(v.salt[:], strings.Repeat("s", 12))
	aead, err := k.Primary().Record(&v.salt)
	must(t, err)
	v.ciphertext = aead.Seal(nil, nil, []byte(secret), nil)
	return v
}

func (v sealedValue) mustOpen(t *testing.T, k *keymgr.Keys) {
	t.Helper()
	if v.key == 0 {
		return // nothing was sealed: the scope was not there
	}
	key, err := k.SealKey(v.key)
	must(t, err)
	aead, err := key.Record(&v.salt)
	must(t, err)
	if got, err := aead.Open(nil, nil, v.ciphertext, nil); err != nil || string(got) != secret {
		t.Errorf("what was sealed before does not open: %v", err)
	}
}
