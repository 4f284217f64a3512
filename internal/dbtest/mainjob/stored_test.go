package mainjob_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

// frame is written again here, from FORMAT.md alone.
func frame(label byte, parts ...string) []byte {
	out := binary.BigEndian.AppendUint32([]byte{'f', 'c', 1, label}, uint32(len(parts)))
	for _, p := range parts {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
	}
	return out
}

func TestWhatIsStoredHoldsNoPlaintextAndOpensWithPlainTink(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, keys := e.app(t)
		in := newPatient("1")
		if err := db.Create(&in).Error; err != nil {
			t.Fatal(err)
		}
		want := map[string]struct{ domain, plaintext string }{
			"name": {"medical", "\x02" + in.Name}, "mrn": {"medical", "\x02" + in.MRN}, "card": {"finance", "\x02" + in.Card},
			"notes": {"medical", "\x82" + *in.Notes + "\x80"},
		}
		for column, w := range want {
			var stored []byte
			if err := e.sql.QueryRow("SELECT " + column + " FROM patients").Scan(&stored); err != nil {
				t.Fatal(err)
			}
			k, err := keys.Keys(t.Context(), keymgr.Scope{Domain: w.domain})
			if err != nil {
				t.Fatal(err)
			}
			// Out of our hands: the keyset as clear JSON, read and used by Tink alone.
			var exported bytes.Buffer
			if err := insecurecleartextkeyset.Write(k.SealHandle(), keyset.NewJSONWriter(&exported)); err != nil {
				t.Fatal(err)
			}
			handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(&exported))
			if err != nil {
				t.Fatal(err)
			}
			tink, err := aead.New(handle)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tink.Decrypt(stored[2:], frame('v', w.domain, "", "patients", column))
			if err != nil || string(bytes.TrimRight(got, "\x00")) != w.plaintext {
				t.Errorf("%s: %q, %v", column, got, err)
			}
		}
		e.noPlaintext(t)
		if e.sqlite != "" { // the file itself, and the log beside it
			for _, suffix := range []string{"", "-wal"} {
				b, err := os.ReadFile(e.sqlite + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if holds(string(b), canary) {
					t.Errorf("plaintext in the file app.db%s", suffix)
				}
			}
		}
	})
}

func TestWhoWritesToTheDatabaseCannotMoveValues(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		for name, tamper := range map[string]string{
			"two columns swapped":      "UPDATE patients SET name = mrn, mrn = name",
			"another domain's value":   "UPDATE patients SET name = card",
			"a value without padding":  "UPDATE patients SET notes = name",
			"key id of another domain": "UPDATE patients SET card = mrn",
		} {
			p := newPatient(name)
			if err := db.Create(&p).Error; err != nil {
				t.Fatal(err)
			}
			e.exec(t, tamper)
			var got patient
			err := db.First(&got, p.ID).Error
			if !errors.Is(err, fieldcrypt.ErrAuthentication) && !errors.Is(err, fieldcrypt.ErrUnknownKey) {
				t.Errorf("%s: %v", name, err)
			}
			e.exec(t, "DELETE FROM patients")
		}
	})
}

func TestThieves(t *testing.T) {
	const copyMedical = `UPDATE fieldcrypt_keysets SET (version, seal, "index", info) =
		(SELECT version, seal, "index", info FROM fieldcrypt_keysets WHERE domain = 'finance') WHERE domain = 'medical'`
	onEachDatabase(t, func(t *testing.T, e *env) {
		open := func() error {
			m, err := keymgr.Open(t.Context(), e.config())
			if err == nil {
				m.Close()
			}
			return err
		}
		e.exec(t, "CREATE TABLE kept AS SELECT * FROM fieldcrypt_keysets")
		e.exec(t, "CREATE TABLE kept_wraps AS SELECT * FROM fieldcrypt_keyset_wraps")
		restore := func() {
			for _, table := range []string{"fieldcrypt_keyset_wraps", "fieldcrypt_keysets"} {
				e.exec(t, "DELETE FROM "+table)
			}
			e.exec(t, "INSERT INTO fieldcrypt_keysets SELECT * FROM kept")
			e.exec(t, "INSERT INTO fieldcrypt_keyset_wraps SELECT * FROM kept_wraps")
		}
		for name, tamper := range map[string]string{
			"keysets of another domain":           copyMedical,
			"data key of another domain":          "UPDATE fieldcrypt_keyset_wraps SET wrapped = (SELECT w.wrapped FROM kept_wraps w WHERE w.domain = 'finance') WHERE domain = 'medical'",
			"version by hand":                     "UPDATE fieldcrypt_keysets SET version = 2",
			"info of another domain":              "UPDATE fieldcrypt_keysets SET info = (SELECT k.info FROM kept k WHERE k.domain = 'finance') WHERE domain = 'medical'",
			"index keyset of another domain":      `UPDATE fieldcrypt_keysets SET "index" = (SELECT k."index" FROM kept k WHERE k.domain = 'finance') WHERE domain = 'medical'`,
			"seal and index keysets exchanged":    `UPDATE fieldcrypt_keysets SET seal = "index", "index" = seal`,
			"wrap under a KEK that is not listed": "UPDATE fieldcrypt_keyset_wraps SET kek_uri = kek_uri || 'x'",
		} {
			e.exec(t, tamper)
			if err := open(); !errors.Is(err, keymgr.ErrKeysetInvalid) && !errors.Is(err, keymgr.ErrKEKNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
			restore()
		}
		if err := open(); err != nil {
			t.Errorf("restored: %v", err)
		}
	})
}

func TestAnOlderVersionPutBackIsRefused(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, keys := e.app(t)
		e.exec(t, "CREATE TABLE kept AS SELECT * FROM fieldcrypt_keysets")
		e.exec(t, "CREATE TABLE kept_wraps AS SELECT * FROM fieldcrypt_keyset_wraps")
		medical := keymgr.Scope{Domain: "medical"}
		if _, err := keys.AddKey(t.Context(), medical, keymgr.Seal); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"fieldcrypt_keyset_wraps", "fieldcrypt_keysets"} {
			e.exec(t, "DELETE FROM "+table)
		}
		e.exec(t, "INSERT INTO fieldcrypt_keysets SELECT * FROM kept")
		e.exec(t, "INSERT INTO fieldcrypt_keyset_wraps SELECT * FROM kept_wraps")
		keys.Evict(medical)
		if err := db.Create(ptr(newPatient("1"))).Error; !errors.Is(err, keymgr.ErrRollback) {
			t.Errorf("got %v", err)
		}
		// A process that starts anew is told by its configuration.
		cfg := e.config()
		cfg.MinVersions = map[keymgr.Scope]uint64{medical: 2}
		if _, err := keymgr.Open(t.Context(), cfg); !errors.Is(err, keymgr.ErrRollback) {
			t.Errorf("a new process: %v", err)
		}
	})
}

func TestMovingToAnotherKEKChangesNoRow(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		p := newPatient("1")
		if err := db.Create(&p).Error; err != nil {
			t.Fatal(err)
		}
		before := e.table(t, "patients")
		e.kms.CreateKey("alias/new")
		move := e.config()
		for _, d := range domains {
			move.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{awskms.Key(e.client, "alias/new")}, DecryptOnly: []keymgr.KEK{awskms.Key(e.client, "alias/"+d)}}
		}
		operator, err := keymgr.Open(t.Context(), move)
		if err != nil {
			t.Fatal(err)
		}
		defer operator.Close()
		e.kms.ResetCalls()
		for _, d := range domains {
			if err := operator.Rewrap(t.Context(), keymgr.Scope{Domain: d}); err != nil {
				t.Fatal(err)
			}
		}
		if n := e.kms.Count("ReEncrypt"); n != len(domains) {
			t.Errorf("%d ReEncrypt calls; want %d", n, len(domains))
		}
		if !bytes.Equal(before, e.table(t, "patients")) {
			t.Error("rows were changed")
		}
		if _, err := keymgr.Open(t.Context(), e.config()); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
			t.Errorf("with the old KEK alone: %v", err)
		}
		for _, d := range domains {
			move.Domains[d] = keymgr.Domain{KEKs: []keymgr.KEK{awskms.Key(e.client, "alias/new")}}
		}
		after, _ := e.app(t, func(c *keymgr.Config) { c.Domains = move.Domains })
		var got patient
		if err := after.Where("card = ?", p.Card).First(&got).Error; err != nil || got.MRN != p.MRN {
			t.Errorf("with the new KEK alone: %v", err)
		}
	})
}

func TestTheDatabaseRefusesPlaintext(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, e *env) {
		db, _ := e.app(t)
		if err := db.Create(ptr(newPatient("1"))).Error; err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{"4111 1111 1111 1111 4111 1111 1111 1111 4111 1111", []byte("4111 1111 1111 1111 4111 1111 1111 1111 4111"), []byte{0xFC, 0x01}} {
			if err := e.db.Session(&gorm.Session{}).Exec("UPDATE patients SET card = ?", v).Error; err == nil {
				t.Errorf("%T was stored by a program without the plugin", v)
			}
		}
	})
}
