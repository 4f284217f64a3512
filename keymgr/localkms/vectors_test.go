package localkms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
)

// The vectors were made without this package, by another implementation of the
// same text. They are frozen: new ones go into new files.
var frozen = map[string]string{
	"kek.key":      "85a967d0c671ed374756e69fe2a438f8d668a5701ec723bcaa7dedf2fb773d35",
	"wrapped.json": "062e6fd414b72cb18f55cb845f0a26ffe7de23a78def8ca17e820295f3e67c3e",
}

func readVector(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", "v1", name))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != frozen[name] {
		t.Fatalf("%s was changed: stored keys depend on what it holds", name)
	}
	return b
}

type vectorFile struct {
	URI      string `json:"uri"`
	DataKeys []struct {
		Domain         string `json:"domain"`
		Tenant         string `json:"tenant"`
		Plaintext      string `json:"plaintext"`
		AssociatedData string `json:"associated_data"`
		Wrapped        string `json:"wrapped"`
	} `json:"data_keys"`
}

func TestFrozenVectors(t *testing.T) {
	keyFile := string(readVector(t, "kek.key"))
	var vectors vectorFile
	if err := json.Unmarshal(readVector(t, "wrapped.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	// Version control keeps no mode, so the file is opened in a private copy.
	kek, err := localkms.Open(writeFile(t, keyFile, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if kek.URI() != vectors.URI {
		t.Errorf("URI %s, want %s", kek.URI(), vectors.URI)
	}
	for _, v := range vectors.DataKeys {
		wc := keymgr.WrapContext{Scope: keymgr.Scope{Domain: v.Domain, Tenant: v.Tenant}}
		if got := hex.EncodeToString(wc.AssociatedData()); got != v.AssociatedData {
			t.Errorf("%s: associated data %s, want %s", wc.Scope, got, v.AssociatedData)
		}
		wrapped, want := fromHex(t, v.Wrapped), fromHex(t, v.Plaintext)
		got, err := kek.Unwrap(t.Context(), wrapped, wc)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the frozen data key does not unwrap: %v", wc.Scope, err)
		}
		// What is wrapped today is what the vector holds: AES-256-GCM with the
		// nonce in front.
		if wrapped, err = kek.Wrap(t.Context(), want, wc); err != nil {
			t.Fatal(err)
		}
		if got := plainGCM(t, keyFile, wrapped, fromHex(t, v.AssociatedData)); got != nil && !bytes.Equal(got, want) {
			t.Errorf("%s: wrapped bytes are not nonce | ciphertext | tag", wc.Scope)
		}
	}
}

// plainGCM opens wrapped by the text of FORMAT.md alone, or returns nil where
// AES-GCM with a given nonce is not approved.
func plainGCM(t *testing.T, keyFile string, wrapped, ad []byte) []byte {
	t.Helper()
	if fips140.Enforced() {
		return nil
	}
	_, encoded, _ := strings.Cut(strings.TrimSuffix(keyFile, "\n"), ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := gcm.Open(nil, wrapped[:12], wrapped[12:], ad)
	if err != nil {
		t.Fatal(err)
	}
	return plaintext
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
