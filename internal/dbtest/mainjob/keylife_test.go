package mainjob_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// TestRowsOfKeysThatGo: what a key sealed does not open, and what it indexed is not
// found, from when it is disabled on, in the instance that did it and in another.
func TestRowsOfKeysThatGo(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		medical := keymgr.Scope{Domain: "medical"}
		db, keys := e.app(t)
		in := newPatient("1")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(db.Create(&in).Error)
		aged := func() { e.clock.Advance(3 * time.Hour) }

		k, err := keys.Keys(ctx, medical)
		must(err)
		old := map[keymgr.Purpose]uint32{keymgr.Seal: k.Primary().ID(), keymgr.Index: k.IndexKeys()[0].ID()}
		for p := range old {
			id, err := keys.AddKey(ctx, medical, p)
			must(err)
			aged()
			must(keys.PromoteKey(ctx, medical, p, id))
		}
		other, otherKeys := e.app(t)
		// see returns what each instance makes of the row by its id and by its MRN.
		see := func(what string, byID, byMRN error) {
			t.Helper()
			otherKeys.Evict(medical)
			for name, db := range map[string]*gorm.DB{"here": db, "another instance": other} {
				var out patient
				if err := db.First(&out, in.ID).Error; !errors.Is(err, byID) || byID == nil && out.MRN != in.MRN {
					t.Errorf("%s, %s: by id: %v, want %v", what, name, err, byID)
				}
				if err := db.Where("mrn = ?", in.MRN).First(&patient{}).Error; !errors.Is(err, byMRN) {
					t.Errorf("%s, %s: by MRN: %v, want %v", what, name, err, byMRN)
				}
			}
		}
		disable := func(p keymgr.Purpose) {
			t.Helper()
			must(keys.DisableKey(ctx, medical, p, old[p], keymgr.Proof{Override: "test"}))
		}
		see("active", nil, nil)
		disable(keymgr.Index)
		see("index key disabled", nil, gorm.ErrRecordNotFound)
		must(keys.EnableKey(ctx, medical, keymgr.Index, old[keymgr.Index]))
		see("index key enabled", nil, nil)
		disable(keymgr.Seal)
		see("seal key disabled", fieldcrypt.ErrKeyDisabled, fieldcrypt.ErrKeyDisabled)
		must(keys.EnableKey(ctx, medical, keymgr.Seal, old[keymgr.Seal]))
		see("seal key enabled", nil, nil)

		disable(keymgr.Seal)
		disable(keymgr.Index)
		aged()
		for p, id := range old {
			must(keys.DestroyKey(ctx, medical, p, id, keymgr.Proof{Override: "test"}))
		}
		see("destroyed", fieldcrypt.ErrKeyDisabled, gorm.ErrRecordNotFound)
		next := newPatient("2") // the new keys write and read
		must(db.Create(&next).Error)
		must(other.Where("mrn = ?", next.MRN).First(&patient{}).Error)

		_, err = keys.DestroyScope(ctx, medical, "test")
		must(err)
		see("scope destroyed", fieldcrypt.ErrScopeDestroyed, fieldcrypt.ErrScopeDestroyed)
		last := newPatient("3")
		if err := db.Create(&last).Error; !errors.Is(err, fieldcrypt.ErrScopeDestroyed) {
			t.Errorf("Create: %v", err)
		}
	})
}
