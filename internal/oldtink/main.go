// Command oldtink writes what the Tink of before tink-go made, version 1.7.0 of
// github.com/google/tink/go: keysets and ciphertexts, which keymgr must be able to
// import for ever. It is a module of its own because the two Tinks register the
// same protocol buffers: in one binary they panic.
//
//	cd internal/oldtink && go run . ../../keymgr/testdata/vectors/v1/oldtink
//
// A file that is there is never touched; what is missing gets new random keys.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/insecurecleartextkeyset"
	"github.com/google/tink/go/keyset"
	"github.com/google/tink/go/prf"
	tinkpb "github.com/google/tink/go/proto/tink_go_proto"
)

// fixture is one file.
type fixture struct {
	Comment string `json:"comment"`
	Purpose string `json:"purpose"` // "seal" or "index"
	Expect  string `json:"expect"`  // "ok" or "keyset-invalid"

	// Keyset is Tink's clear JSON. Where it is missing, Encrypted is Tink's binary
	// form of an encrypted keyset, with Master, a clear keyset, and AssociatedData.
	Keyset         json.RawMessage `json:"keyset,omitempty"`
	Encrypted      []byte          `json:"encrypted,omitempty"`
	Master         json.RawMessage `json:"master,omitempty"`
	AssociatedData []byte          `json:"associated_data,omitempty"`

	Enabled []uint32 `json:"enabled"` // ids of the keys that are, in their order
	Made    []made   `json:"made"`
}

// made is something that a key has made. Binary members are base64.
type made struct {
	KeyID          uint32 `json:"key_id"`
	Input          []byte `json:"input"`
	AssociatedData []byte `json:"associated_data,omitempty"` // of seal keys
	Output         []byte `json:"output"`                    // ciphertext, or the first 16 bytes of the PRF
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: oldtink FOLDER")
	}
	if err := writeMissing(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// cases are the fixtures by name.
var cases = map[string]func() (*fixture, error){
	"aes256gcm":         seal("AES-256-GCM", "ok", false, aead.AES256GCMKeyTemplate(), aead.AES256GCMKeyTemplate(), aead.AES256GCMKeyTemplate()),
	"aes256ctrhmac":     seal("AES-256-CTR-HMAC-SHA256", "ok", false, aead.AES256CTRHMACSHA256KeyTemplate(), aead.AES256CTRHMACSHA256KeyTemplate()),
	"xchacha20poly1305": seal("XChaCha20-Poly1305", "ok", false, aead.XChaCha20Poly1305KeyTemplate()),
	"mixed":             seal("three types in one keyset", "ok", false, aead.AES256GCMKeyTemplate(), aead.XChaCha20Poly1305KeyTemplate(), aead.AES256CTRHMACSHA256KeyTemplate()),
	"encrypted":         seal("AES-256-GCM in an encrypted keyset", "ok", true, aead.AES256GCMKeyTemplate(), aead.AES256GCMKeyTemplate()),
	"hmacprf":           index("HMAC-SHA256 PRF", "ok", false, prf.HMACSHA256PRFKeyTemplate(), prf.HMACSHA256PRFKeyTemplate()),
	"hmacprf-encrypted": index("HMAC-SHA256 PRF in an encrypted keyset", "ok", true, prf.HMACSHA256PRFKeyTemplate()),

	"bad-raw":              seal("AES-256-GCM without a prefix: ciphertexts do not name their key", "keyset-invalid", false, aead.AES256GCMNoPrefixKeyTemplate()),
	"bad-one-raw":          seal("one key of two without a prefix", "keyset-invalid", false, aead.AES256GCMNoPrefixKeyTemplate(), aead.AES256GCMKeyTemplate()),
	"bad-aes128gcm":        seal("a key of 128 bits", "keyset-invalid", false, aead.AES128GCMKeyTemplate()),
	"bad-aes128ctrhmac":    seal("a key of 128 bits", "keyset-invalid", false, aead.AES128CTRHMACSHA256KeyTemplate()),
	"bad-chacha20poly1305": seal("a nonce of 96 bits", "keyset-invalid", false, aead.ChaCha20Poly1305KeyTemplate()),
	"bad-seal-as-index":    indexOf(seal("an AEAD keyset for an index", "keyset-invalid", false, aead.AES256GCMKeyTemplate())),
	"bad-hmacsha512prf":    index("SHA-512", "keyset-invalid", false, prf.HMACSHA512PRFKeyTemplate()),
	"bad-hkdfprf":          index("HKDF", "keyset-invalid", false, prf.HKDFSHA256PRFKeyTemplate()),
	"bad-cmacprf":          index("AES-CMAC", "keyset-invalid", false, prf.AESCMACPRFKeyTemplate()),
}

// writeMissing adds files and their sums.
func writeMissing(dir string) error {
	sums, err := os.OpenFile(filepath.Join(dir, "SHA256SUMS"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for name, make := range cases {
		path := filepath.Join(dir, name+".json")
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f, err := make()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return err
		}
		text = append(text, '\n')
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(sums, "%x  %s.json\n", sha256.Sum256(text), name); err != nil {
			return err
		}
	}
	return sums.Close()
}

// seal makes an AEAD keyset by rotation through the templates, and lets each
// primary encrypt. If there are three keys the first is disabled at the end.
func seal(comment, expect string, encrypted bool, templates ...*tinkpb.KeyTemplate) func() (*fixture, error) {
	return func() (*fixture, error) {
		f := &fixture{Comment: comment, Purpose: "seal", Expect: expect}
		return f, f.rotate(templates, encrypted, func(h *keyset.Handle, id uint32) error {
			a, err := aead.New(h)
			if err != nil {
				return err
			}
			for _, text := range []string{"", "4242 4242 4242 4242", "Ärztin"} {
				m := made{KeyID: id, Input: []byte(text), AssociatedData: []byte("patients.card")}
				if m.Output, err = a.Encrypt(m.Input, m.AssociatedData); err != nil {
					return err
				}
				f.Made = append(f.Made, m)
			}
			return nil
		})
	}
}

func index(comment, expect string, encrypted bool, templates ...*tinkpb.KeyTemplate) func() (*fixture, error) {
	return func() (*fixture, error) {
		f := &fixture{Comment: comment, Purpose: "index", Expect: expect}
		return f, f.rotate(templates, encrypted, func(h *keyset.Handle, id uint32) error {
			set, err := prf.NewPRFSet(h)
			if err != nil {
				return err
			}
			for _, text := range []string{"", "MRN-1"} {
				m := made{KeyID: id, Input: []byte(text)}
				if m.Output, err = set.ComputePrimaryPRF(m.Input, 16); err != nil { // AES-CMAC has no more
					return err
				}
				f.Made = append(f.Made, m)
			}
			return nil
		})
	}
}

// indexOf passes a keyset off as one of an index.
func indexOf(make func() (*fixture, error)) func() (*fixture, error) {
	return func() (*fixture, error) {
		f, err := make()
		f.Purpose = "index"
		return f, err
	}
}

func (f *fixture) rotate(templates []*tinkpb.KeyTemplate, encrypted bool, use func(*keyset.Handle, uint32) error) error {
	m := keyset.NewManager()
	var ids []uint32
	for _, t := range templates {
		id, err := m.Add(t)
		if err == nil {
			err = m.SetPrimary(id)
		}
		if err != nil {
			return err
		}
		h, err := m.Handle()
		if err != nil {
			return err
		}
		if err := use(h, id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if f.Enabled = ids; len(ids) == 3 {
		if err := m.Disable(ids[0]); err != nil {
			return err
		}
		f.Enabled = ids[1:]
	}
	h, err := m.Handle()
	if err != nil {
		return err
	}
	if !encrypted {
		f.Keyset, err = clearJSON(h)
		return err
	}
	return f.encrypt(h)
}

func (f *fixture) encrypt(h *keyset.Handle) error {
	master, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	a, err := aead.New(master)
	if err != nil {
		return err
	}
	if f.Master, err = clearJSON(master); err != nil {
		return err
	}
	f.AssociatedData = []byte("keyset of patients")
	var out bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), a, f.AssociatedData); err != nil {
		return err
	}
	f.Encrypted = out.Bytes()
	return nil
}

func clearJSON(h *keyset.Handle) (json.RawMessage, error) {
	var out bytes.Buffer
	err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&out))
	return out.Bytes(), err
}
