package keymgr_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"

	"github.com/fieldcrypt/go/keymgr"
)

// keyMaterial is the bytes of every key of k.
func keyMaterial(t *testing.T, k *keymgr.Keys) (all [][]byte) {
	t.Helper()
	for _, h := range []*keyset.Handle{k.SealHandle(), k.IndexHandle()} {
		for i := range h.Len() {
			e, err := h.Entry(i)
			if err != nil {
				t.Fatal(err)
			}
			switch key := e.Key().(type) {
			case *xaesgcm.Key:
				all = append(all, key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
			case *hmacprf.Key:
				all = append(all, key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
			default:
				t.Fatalf("unknown key type %T", key)
			}
		}
	}
	return all
}

// Whatever is printed, however it is wrapped, no key bytes come out, in no
// spelling; nor do wrapped ones.
func TestNothingPrintsKeys(t *testing.T) {
	f := newFixture(t)
	_, err := f.AddKey(t.Context(), medical, keymgr.Seal)
	mustBe(t, "AddKey", err, nil)
	k, r, cfg := f.keys(medical), f.record(medical), f.config()
	secrets := keyMaterial(t, k)
	wrapped := [][]byte{r.Seal, r.Index, r.Wraps[0].Wrapped}

	values := map[string]any{
		"Config": cfg, "*Config": &cfg, "Domain": cfg.Domains["medical"], "Domains": cfg.Domains,
		"*Manager": f.Manager, "*ScopeKeys": f.ForScope(medical), "*Keys": k, "Keys": *k, "*SealKey": k.Primary(), "SealKey": *k.Primary(),
		"*IndexKey": k.IndexKeys()[0], "IndexKey": *k.IndexKeys()[0], "[]*IndexKey": k.IndexKeys(),
		"Record": r, "*Record": &r, "Wrap": r.Wraps[0], "Wraps": r.Wraps, "KEK": f.kek,
	}
	for name, v := range values {
		for i, in := range []any{v, &v, []any{v}, map[string]any{"k": v}, struct{ V any }{v}, fmt.Errorf("%v", v), struct{ v any }{v}, &struct{ v any }{v}} {
			var out []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U"} {
				out = append(out, fmt.Sprintf(verb, in))
			}
			if b, err := json.Marshal(in); err == nil {
				out = append(out, string(b))
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", in)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", in)
			for _, s := range append(out, log.String()) {
				mustNotShow(t, name, s, secrets)
				if i < 6 { // fmt calls no method of an unexported field, and wrapped bytes are no secret
					mustNotShow(t, name, s, wrapped)
				}
			}
		}
	}
	mustNotShow(t, "the log", f.log.String(), append(secrets, wrapped...))
}

func mustNotShow(t *testing.T, what, text string, secrets [][]byte) {
	t.Helper()
	for _, secret := range secrets {
		for _, part := range [][]byte{secret[:8], secret[len(secret)-8:]} {
			for _, form := range []string{
				string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
				base64.StdEncoding.EncodeToString(part)[:8], strings.Trim(fmt.Sprint(part), "[]"),
				strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"), strings.Trim(fmt.Sprintf("%b", part), "[]"), strings.Trim(fmt.Sprintf("%o", part), "[]"),
			} {
				if strings.Contains(text, form) {
					t.Fatalf("%s shows %s", what, text)
				}
			}
		}
	}
}

func TestWhatIsPrintedInstead(t *testing.T) {
	f := newFixture(t)
	k := f.keys(medical)
	for want, v := range map[string]any{
		"keymgr.Config{medical, records}":                                f.config(),
		"keymgr.Domain{1 KEKs, 0 to decrypt only}":                       f.config().Domains["medical"],
		"keymgr.Manager{medical, records}":                               f.Manager,
		"keymgr.Keys{medical version 1}":                                 k,
		"keymgr.ScopeKeys{medical}":                                      f.ForScope(medical),
		fmt.Sprintf("keymgr.SealKey{%d}", k.Primary().ID()):              k.Primary(),
		fmt.Sprintf("keymgr.IndexKey{%d}", k.IndexKeys()[0].ID()):        k.IndexKeys()[0],
		"keymgr.Record{medical version 1, wrapped under test-kms://key}": f.record(medical),
		"keymgr.Wrap{test-kms://key}":                                    f.record(medical).Wraps[0],
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%s of %T: %s, want %s", verb, v, got, want)
			}
		}
		if s := v.(fmt.Stringer).String(); s != want {
			t.Errorf("String of %T: %s", v, s)
		}
		if s := v.(fmt.GoStringer).GoString(); s != want {
			t.Errorf("GoString of %T: %s", v, s)
		}
		if s := v.(slog.LogValuer).LogValue().String(); s != want {
			t.Errorf("LogValue of %T: %s", v, s)
		}
		if b, err := json.Marshal(v); err != nil || string(b) != fmt.Sprintf("%q", want) {
			t.Errorf("JSON of %T: %s, %v", v, b, err)
		}
	}
}
