package mainjob_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

const canary = "c4n4ry-5up3r-s3cr3t"

func newPatient(mrn string) patient {
	notes := canary + " notes"
	return patient{Name: canary + " name", MRN: canary + " " + mrn, Card: canary + " 4111 1111 1111 1111", Notes: &notes}
}

// failures are the ways in which keys can fail, each with its sentinel and the
// way back.
var failures = map[string]struct {
	break_, mend func(t *testing.T, e *env)
	want         error
}{
	"KMS denied": {
		func(t *testing.T, e *env) { e.kms.Deny("alias/medical"); e.kms.Deny("alias/finance") },
		func(t *testing.T, e *env) { e.kms.Allow("alias/medical"); e.kms.Allow("alias/finance") }, fieldcrypt.ErrKMSDenied},
	"KMS throttled": {
		func(t *testing.T, e *env) { e.kms.Throttle(1) },
		func(t *testing.T, e *env) { e.kms.Throttle(0) }, fieldcrypt.ErrKMSUnavailable},
	"KMS timed out": {
		func(t *testing.T, e *env) { e.kms.Hang() },
		func(t *testing.T, e *env) { e.kms.Recover() }, fieldcrypt.ErrKMSUnavailable},
	"KMS gone": {
		func(t *testing.T, e *env) { e.kms.Down() },
		func(t *testing.T, e *env) { e.kms.Up() }, fieldcrypt.ErrKMSUnavailable},
	"KMS internal error": {
		func(t *testing.T, e *env) { e.kms.Fail(1000, "KMSInternalException", 500) },
		func(t *testing.T, e *env) { e.kms.Recover() }, fieldcrypt.ErrKMSUnavailable},
	"credentials expired": {
		func(t *testing.T, e *env) { e.kms.ExpireCredentials() },
		func(t *testing.T, e *env) { e.kms.Recover() }, fieldcrypt.ErrKMSUnavailable},
	"store gone": {
		func(t *testing.T, e *env) { e.exec(t, "ALTER TABLE fieldcrypt_keysets RENAME TO gone") },
		func(t *testing.T, e *env) { e.exec(t, "ALTER TABLE gone RENAME TO fieldcrypt_keysets") }, fieldcrypt.ErrStoreUnavailable},
	"keysets gone": {
		func(t *testing.T, e *env) { e.exec(t, "UPDATE fieldcrypt_keysets SET domain = 'x' || domain") },
		func(t *testing.T, e *env) { e.exec(t, "UPDATE fieldcrypt_keysets SET domain = substr(domain, 2)") }, fieldcrypt.ErrScopeNotFound},
	"seal keyset changed": {
		func(t *testing.T, e *env) {
			e.exec(t, "CREATE TABLE kept AS SELECT * FROM fieldcrypt_keysets")
			e.exec(t, `UPDATE fieldcrypt_keysets SET seal = "index"`)
		},
		func(t *testing.T, e *env) {
			e.exec(t, "UPDATE fieldcrypt_keysets SET seal = (SELECT k.seal FROM kept k WHERE k.domain = fieldcrypt_keysets.domain)")
		}, fieldcrypt.ErrKeysetInvalid},
	"info changed by hand": {
		func(t *testing.T, e *env) {
			e.exec(t, "UPDATE fieldcrypt_keysets SET info = replace(info, 'primary', 'pending')")
		},
		func(t *testing.T, e *env) {
			e.exec(t, "UPDATE fieldcrypt_keysets SET info = replace(info, 'pending', 'primary')")
		}, fieldcrypt.ErrKeysetInvalid},
	"wrapped by a KEK that is not listed": {
		func(t *testing.T, e *env) { e.exec(t, "UPDATE fieldcrypt_keyset_wraps SET kek_uri = 'x' || kek_uri") },
		func(t *testing.T, e *env) {
			e.exec(t, "UPDATE fieldcrypt_keyset_wraps SET kek_uri = substr(kek_uri, 2)")
		}, fieldcrypt.ErrKEKNotAllowed},
}

// TestEveryFailureIsTypedAndPasses breaks what cold keys need, tries every
// operation, mends it, and tries again.
func TestEveryFailureIsTypedAndPasses(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, e *env) {
				db, keys := e.app(t, lazy, impatient)
				eventually(t, func() error { return db.Create(ptr(newPatient("before"))).Error })
				cold := func() {
					for _, d := range domains {
						keys.Evict(keymgr.Scope{Domain: d})
					}
				}
				cold()
				f.break_(t, e)
				for op, run := range operations {
					cold()
					p := newPatient("failed")
					before := newPatient("failed")
					err := run(db, &p)
					if !errors.Is(err, f.want) {
						t.Errorf("%s: got %v; want %v", op, err, f.want)
					}
					e.log.Printf("%v %+v %#v", err, err, err)
					if p.ID = 0; !reflect.DeepEqual(p, before) && !reflect.DeepEqual(p, patient{}) {
						t.Errorf("%s: the struct holds %+v", op, p)
					}
				}
				f.mend(t, e)
				eventually(t, func() error { return db.First(&patient{}).Error }) // keys are cached from here on
				for op, run := range operations {
					p := newPatient("later " + op)
					if err := run(db, &p); err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
						t.Errorf("%s after it was mended: %v", op, err)
					}
				}
				var got patient
				if err := db.Where("mrn = ?", canary+" before").First(&got).Error; err != nil || got.Name != canary+" name" {
					t.Errorf("the row of before: %v", err)
				}
				e.noPlaintext(t)
			})
		})
	}
}

func ptr[T any](v T) *T { return &v }

// impatient makes calls that hang time out soon.
func impatient(c *keymgr.Config) { c.KMSTimeout = 300 * time.Millisecond }

// eventually waits for what must succeed, on a machine however slow.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

var operations = map[string]func(db *gorm.DB, p *patient) error{
	"create": func(db *gorm.DB, p *patient) error { return db.Create(p).Error },
	"create in a transaction": func(db *gorm.DB, p *patient) error {
		p.MRN += " tx"
		defer func() { p.MRN = strings.TrimSuffix(p.MRN, " tx") }()
		return db.Transaction(func(tx *gorm.DB) error { return tx.Create(p).Error })
	},
	"update": func(db *gorm.DB, p *patient) error {
		return db.Model(&patient{}).Where("id = ?", 1).Update("name", p.Name).Error
	},
	"update by map": func(db *gorm.DB, p *patient) error {
		return db.Model(&patient{}).Where("id = ?", 1).Updates(map[string]any{"card": p.Card}).Error
	},
	"search": func(db *gorm.DB, p *patient) error {
		return db.Where("mrn = ?", p.MRN).First(&patient{}).Error
	},
	"search by struct": func(db *gorm.DB, p *patient) error {
		return db.Where(&patient{Card: p.Card}).Find(&[]patient{}).Error
	},
	"read": func(db *gorm.DB, p *patient) error {
		var got patient
		err := db.First(&got, 1).Error
		if err != nil && (got.Name != "" || got.MRN != "" || got.Card != "" || got.Notes != nil) {
			return fmt.Errorf("something was returned beside %w", errors.New("an error"))
		}
		return err
	},
	"pluck": func(db *gorm.DB, p *patient) error {
		var names []string
		err := db.Model(&patient{}).Pluck("name", &names).Error
		if err != nil && strings.Join(names, "") != "" {
			return errors.New("something was returned beside an error")
		}
		return err
	},
	"delete by condition": func(db *gorm.DB, p *patient) error {
		return db.Where("mrn = ?", p.MRN+" none").Delete(&patient{}).Error
	},
}

// noPlaintext looks for the canary in everything stored and printed.
func (e *env) noPlaintext(t *testing.T) {
	t.Helper()
	for _, table := range []string{"patients", "fieldcrypt_keysets", "fieldcrypt_keyset_wraps", "fieldcrypt_key_events"} {
		if holds(string(e.table(t, table)), canary) {
			t.Errorf("plaintext in table %s", table)
		}
	}
	if text := e.log.String(); holds(text, canary) {
		i := strings.Index(text, canary)
		t.Errorf("plaintext was printed: %q", text[max(0, i-200):min(len(text), i+100)])
	}
	if !strings.Contains(e.log.String(), "INSERT INTO") {
		t.Error("the SQL log is empty, so it proves nothing")
	}
}

func TestAKMSKeyThatIsDisabledOrDeletedCountsAsDenied(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, keys := e.app(t)
		if err := db.Create(ptr(newPatient("1"))).Error; err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		for name, step := range map[string]struct{ down, up func() error }{
			"disabled": {
				func() error { return disable(ctx, e.client, "alias/medical") },
				func() error { return enable(ctx, e.client, "alias/medical") }},
			"pending deletion": {
				func() error { return scheduleDeletion(ctx, e.client, "alias/medical") },
				func() error { return cancelDeletion(ctx, e.client, "alias/medical") }},
		} {
			if err := step.down(); err != nil {
				t.Fatal(err)
			}
			keys.Evict(keymgr.Scope{Domain: "medical"})
			if err := db.First(&patient{}).Error; !errors.Is(err, fieldcrypt.ErrKMSDenied) {
				t.Errorf("%s: %v", name, err)
			}
			if err := step.up(); err != nil {
				t.Fatal(err)
			}
			if err := db.First(&patient{}).Error; err != nil {
				t.Errorf("%s, and back: %v", name, err)
			}
		}
	})
}

func TestAnOutageShorterThanMaxStaleIsNotSeen(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		if err := db.Create(ptr(newPatient("1"))).Error; err != nil {
			t.Fatal(err)
		}
		e.kms.Down()
		e.clock.Advance(30 * time.Minute)
		if err := db.First(&patient{}).Error; err != nil {
			t.Errorf("within MaxStale: %v", err)
		}
		e.clock.Advance(31 * time.Minute)
		if err := db.First(&patient{}).Error; !errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
			t.Errorf("past MaxStale: %v", err)
		}
		e.kms.Up()
		if err := db.First(&patient{}).Error; err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

func TestRevocationTakesEffectWithinTheCacheTTL(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		if err := db.Create(ptr(newPatient("1"))).Error; err != nil {
			t.Fatal(err)
		}
		e.kms.Deny("alias/finance")
		e.clock.Advance(5 * time.Minute)
		if err := db.First(&patient{}).Error; !errors.Is(err, fieldcrypt.ErrKMSDenied) {
			t.Errorf("got %v", err)
		}
	})
}
