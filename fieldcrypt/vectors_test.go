package fieldcrypt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// The vectors are frozen and append-only: -update makes files that are missing
// and never changes one.
var update = flag.Bool("update", false, "make the vectors that are missing")

const (
	vectorDir  = "testdata/vectors/v1"
	vectorKeys = "keys.json"
	vectorSums = "SHA256SUMS"
)

// hexBytes is written as hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error)      { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (e error) { *h, e = hex.DecodeString(string(b)); return e }

// vectorKeyset is keys.json: the stored record of a scope, the KEK that opens
// it, and, for readers in other languages, Tink's clear JSON of both keysets.
type vectorKeyset struct {
	Comment string
	KEK     hexBytes
	Scopes  []vectorScope
}

type vectorScope struct {
	Domain, Tenant string
	Version        uint64
	Seal, Index    hexBytes
	Info           string
	Wrapped        hexBytes
	ClearSeal      json.RawMessage
	ClearIndex     json.RawMessage
}

// vector is one stored value or index.
type vector struct {
	Comment string
	Expect  string // "ok", or the class of the error
	Kind    string // "value" or "index"

	Domain, Tenant, Table, Column string   // Column is the index's name where Kind is "index"
	GoType                        string   `json:",omitempty"` // name in plaintextForms
	Bound                         hexBytes `json:",omitempty"` // typed, where the value is bound

	Plaintext hexBytes   `json:",omitempty"` // typed, with padding
	Values    []hexBytes `json:",omitempty"` // typed, as indexed
	Transform string     `json:",omitempty"`
	Bits      int        `json:",omitempty"`
	Stored    hexBytes
}

var vectorErrors = map[string]error{
	"ok": nil, "not-sealed": ErrNotSealed, "authentication": ErrAuthentication, "wrong-type": ErrWrongType, "unknown-key": ErrUnknownKey,
}

func TestVectorsAreFrozen(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	sums, err := os.ReadFile(filepath.Join(vectorDir, vectorSums))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = true
		b, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			t.Errorf("a vector is gone: %v", err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
			t.Errorf("%s was changed", name)
		}
	}
	files, _ := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	for _, f := range files {
		if !listed[filepath.Base(f)] {
			t.Errorf("%s is not listed in %s", f, vectorSums)
		}
	}
	if len(files) < 50 {
		t.Errorf("only %d vectors", len(files))
	}
}

func TestVectors(t *testing.T) {
	fc := vectorCrypter(t)
	files, _ := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	for _, file := range files {
		if filepath.Base(file) == vectorKeys {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var v vector
			readVector(t, file, &v)
			want, known := vectorErrors[v.Expect]
			if !known {
				t.Fatalf("expect: %q", v.Expect)
			}
			switch v.Kind {
			case "value":
				f, row := v.field(t)
				v.checkValue(t, fc, want, f, row)
				f.fix(fc)
				v.checkValue(t, fc, want, f, row)
			case "index":
				v.checkIndex(t, fc)
			default:
				t.Fatalf("kind: %q", v.Kind)
			}
		})
	}
}

func (v vector) checkValue(t *testing.T, fc *Crypter, want error, f *Field, row Row) {
	dst := reflect.New(f.Type).Elem()
	err := fc.Open(t.Context(), f, v.Stored, dst, row)
	if want != nil || err != nil {
		if !errors.Is(err, want) {
			t.Errorf("got %v; want %v", err, want)
		}
		if !dst.IsZero() {
			t.Error("something was returned beside the error")
		}
		return
	}
	base, null := f.codec.unwrap(dst)
	if null {
		t.Fatal("opened as NULL")
	}
	got, err := f.codec.append(nil, base)
	typ, payload, _ := unpad(v.Plaintext)
	if err != nil || !bytes.Equal(got, append([]byte{typ}, payload...)) {
		t.Errorf("opened %x, %v; want %x", got, err, v.Plaintext)
	}
}

func (v vector) checkIndex(t *testing.T, fc *Crypter) {
	ix, values := v.index(t, fc)
	for range 2 { // with what is fixed, and without
		got, err := fc.Sealer(v.context(t), Row{}).Index(ix, values...)
		if err != nil || !bytes.Equal(got, v.Stored) {
			t.Errorf("got %x, %v; want %x", got, err, v.Stored)
		}
		ix.fixed = nil
	}
}

func (v vector) context(t *testing.T) context.Context { return WithTenant(t.Context(), v.Tenant) }

// field makes the field that a vector speaks of.
func (v vector) field(t *testing.T) (*Field, Row) {
	f := &Field{Model: &Model{Name: "vector"}, Path: v.GoType, Domain: v.Domain, PerTenant: v.Tenant != "", Table: v.Table, Name: v.Column}
	f.Type, f.codec = vectorType(t, v.GoType)
	row := Row{Tenant: v.Tenant}
	if v.Bound != nil {
		typ, codec := vectorType(t, map[byte]string{typeBytes: "bytes", typeText: "string", typeInt: "int"}[v.Bound[0]])
		bound := reflect.New(typ).Elem()
		if err := codec.decode(v.Bound, bound); err != nil {
			t.Fatal(err)
		}
		f.Bind = &PlainField{Path: "Bound", Type: typ, codec: codec}
		row.Bound = func(*Field) (reflect.Value, error) { return bound, nil }
	}
	return f, row
}

func vectorType(t *testing.T, name string) (reflect.Type, *codec) {
	i := slices.IndexFunc(plaintextForms, func(p plaintextForm) bool { return p.name == name })
	if i < 0 {
		t.Fatalf("no Go type %q", name)
	}
	return reflect.TypeOf(plaintextForms[i].value), planOf(t, plaintextForms[i].value)
}

// index makes the index that a vector speaks of, and its values.
func (v vector) index(t *testing.T, fc *Crypter) (*BlindIndex, []reflect.Value) {
	ix := &BlindIndex{Name: v.Column, Table: v.Table, Domain: v.Domain, PerTenant: v.Tenant != "", Bits: v.Bits}
	p := parser{crypter: fc, model: &Model{Name: "vector"}}
	var parts []Part
	var values []reflect.Value
	for i, b := range v.Values {
		typ, codec := vectorType(t, map[byte]string{typeBytes: "bytes", typeText: "string", typeInt: "int", typeUint: "max uint64", typeTime: "time"}[b[0]])
		value := reflect.New(typ).Elem()
		if b[0] == typeTime {
			b = append(b, 0, 0, 0, 0)
		}
		if err := codec.decode(b, value); err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprint("F", i)
		p.model.Fields = append(p.model.Fields, &Field{Model: p.model, Path: path, Type: typ, Domain: v.Domain, PerTenant: v.Tenant != "", codec: codec})
		parts, values = append(parts, Part{Field: path, Transform: v.Transform}), append(values, value)
	}
	if err := p.parts(ix, v.Bits, parts...); err != nil {
		t.Fatal(err)
	}
	return ix, values
}

func readVector(t *testing.T, file string, v any) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// vectorCrypter opens the keysets of keys.json.
func vectorCrypter(t *testing.T) *Crypter {
	var k vectorKeyset
	readVector(t, filepath.Join(vectorDir, vectorKeys), &k)
	kek, err := localkms.New(k.KEK)
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	for _, s := range k.Scopes {
		r := keymgr.Record{Scope: keymgr.Scope{Domain: s.Domain, Tenant: s.Tenant}, Version: s.Version, Seal: s.Seal, Index: s.Index, Info: s.Info,
			Wraps: []keymgr.Wrap{{KEKURI: kek.URI(), Wrapped: s.Wrapped}}}
		if err := store.Create(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	return openVectorKeys(t, kek, store, false)
}

func openVectorKeys(t *testing.T, kek keymgr.KEK, store keymgr.Store, create bool) *Crypter {
	m, err := keymgr.Open(t.Context(), keymgr.Config{Store: store, Domains: map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{kek}, AutoCreate: create},
		"finance": {KEKs: []keymgr.KEK{kek}, PerTenant: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return New(m, Config{})
}

// makeVectors shows how each vector was made. Keys and ivs are random, so it
// makes what is missing only.
func makeVectors(t *testing.T) {
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(vectorDir, vectorKeys)); err != nil {
		makeVectorKeys(t)
	}
	fc := vectorCrypter(t)
	for _, form := range plaintextForms {
		v := vector{Expect: "ok", Kind: "value", Domain: "medical", Table: "patients", Column: "value", GoType: form.name}
		v.Comment = fmt.Sprintf("Go type %T", form.value)
		v.write(t, fc, "value "+form.name, reflect.ValueOf(form.value), 0)
	}
	text := vector{Expect: "ok", Kind: "value", Domain: "medical", Table: "patients", Column: "mrn", GoType: "string"}
	hello := reflect.ValueOf("MRN-1042")
	with := func(comment string, change func(*vector)) vector {
		v := text
		v.Comment = comment
		change(&v)
		return v
	}
	with("padded to a multiple of 64 bytes", func(*vector) {}).write(t, fc, "value padded", hello, 64)
	with("under a tenant's keys", func(v *vector) { v.Domain, v.Tenant = "finance", "acme" }).write(t, fc, "value tenant", hello, 0)
	with("bound to text", func(v *vector) { v.Bound = []byte("\x02row-1") }).write(t, fc, "value bound to text", hello, 0)
	with("bound to bytes, as a UUID is", func(v *vector) { v.Bound = append([]byte{1}, bytes.Repeat([]byte{7}, 16)...) }).write(t, fc, "value bound to a UUID", hello, 0)
	with("bound to an integer", func(v *vector) { v.Bound = append([]byte{3}, 0, 0, 0, 0, 0, 0, 0, 9) }).write(t, fc, "value bound to an integer", hello, 0)

	good := text
	good.seal(t, fc, hello, 0)
	bad := func(name, expect, comment string, change func(*vector)) {
		v := good
		v.Stored = bytes.Clone(good.Stored)
		v.Expect, v.Comment = expect, comment
		change(&v)
		writeVector(t, "bad "+name, v)
	}
	bad("another column", "authentication", "moved to another column", func(v *vector) { v.Column = "name" })
	bad("another table", "authentication", "moved to another table", func(v *vector) { v.Table = "doctors" })
	bad("bound elsewhere", "authentication", "read as bound", func(v *vector) { v.Bound = []byte("\x02row-2") })
	bad("tag", "authentication", "last bit of the tag flipped", func(v *vector) { v.Stored[len(v.Stored)-1] ^= 1 })
	bad("salt", "authentication", "a bit of the salt flipped", func(v *vector) { v.Stored[7] ^= 1 })
	bad("iv", "authentication", "a bit of the iv flipped", func(v *vector) { v.Stored[19] ^= 1 })
	bad("ciphertext", "authentication", "a bit of the ciphertext flipped", func(v *vector) { v.Stored[31] ^= 1 })
	bad("key id", "unknown-key", "a bit of the key id flipped", func(v *vector) { v.Stored[3] ^= 1 })
	bad("Tink prefix", "not-sealed", "another Tink prefix", func(v *vector) { v.Stored[2] = 0 })
	bad("version", "not-sealed", "another version of the format", func(v *vector) { v.Stored[1] = 2 })
	bad("header", "not-sealed", "no header", func(v *vector) { v.Stored = v.Stored[2:] })
	bad("short", "not-sealed", "cut off behind the iv", func(v *vector) { v.Stored = v.Stored[:31] })
	bad("one byte short", "authentication", "the last byte cut off", func(v *vector) { v.Stored = v.Stored[:len(v.Stored)-1] })
	bad("plaintext", "not-sealed", "plaintext in the column", func(v *vector) { v.Stored = []byte(strings.Repeat("MRN-1042 ", 10)) })
	bad("type", "wrong-type", "text read as an integer", func(v *vector) { v.GoType = "int" })

	index := func(name, comment, transform string, bits int, tenant string, values ...string) {
		v := vector{Expect: "ok", Kind: "index", Comment: comment, Domain: "medical", Table: "patients", Column: "mrn_bidx", Transform: transform, Bits: bits}
		if tenant != "" {
			v.Domain, v.Tenant = "finance", tenant
		}
		for _, s := range values {
			v.Values = append(v.Values, []byte(s))
		}
		ix, parts := v.index(t, fc)
		var err error
		if v.Stored, err = fc.Sealer(v.context(t), Row{}).Index(ix, parts...); err != nil {
			t.Fatal(err)
		}
		writeVector(t, "index "+name, v)
	}
	index("text", "text", "", 128, "", "\x02MRN-1042")
	index("empty text", "an empty text is a value", "", 128, "", "\x02")
	index("digits", "through the transform digits", "digits", 128, "", "\x02 4111-1111")
	index("folded", "through fold and trim", "fold|trim", 128, "", "\x02 Stra\u00dfe ")
	index("bytes", "bytes", "", 128, "", "\x01\x00\xff")
	index("integer", "an integer", "", 128, "", "\x03\x00\x00\x00\x00\x00\x00\x00\x2a")
	index("large integer", "an integer above 2^63", "", 128, "", "\x04\xff\xff\xff\xff\xff\xff\xff\xff")
	index("time", "a time, without its zone", "", 128, "", "\x07\x00\x00\x00\x00\x69\x81\x73\xf2\x00\x00\x00\x07")
	index("16 bits", "truncated", "", 16, "", "\x02MRN-1042")
	index("13 bits", "truncated within a byte", "", 13, "", "\x02MRN-1042")
	index("1 bit", "truncated to one bit", "", 1, "", "\x02MRN-1042")
	index("two values", "over two fields", "", 128, "", "\x02Ann", "\x02MRN-1042")
	for _, transform := range []string{"lower", "upper", "trim", "digits", "alnum", "nfc", "fold", "nfc|first(3)", "digits|last(4)"} {
		index("transform "+strings.NewReplacer("|", " then ", "(", " ", ")", "").Replace(transform), "through "+transform, transform, 128, "", "\x02 Stra\u00dfe E\u0301-\u0664\u0662 4242 \u00c9 ")
	}
	index("tenant", "under a tenant's keys", "", 128, "acme", "\x02MRN-1042")
}

// seal fills in Plaintext and Stored.
func (v *vector) seal(t *testing.T, fc *Crypter, value reflect.Value, padding int) {
	f, row := v.field(t)
	f.Pad = padding
	base, _ := f.codec.unwrap(value)
	plaintext, err := f.codec.append(nil, base)
	if err != nil {
		t.Fatal(err)
	}
	if padding > 0 {
		plaintext = pad(plaintext, 0, padding)
	}
	v.Plaintext = plaintext
	if v.Stored, err = fc.Sealer(v.context(t), row).Seal(f, value); err != nil {
		t.Fatal(err)
	}
}

func (v vector) write(t *testing.T, fc *Crypter, name string, value reflect.Value, padding int) {
	v.seal(t, fc, value, padding)
	writeVector(t, name, v)
}

// writeVector writes a file that is not there and lists its hash.
func writeVector(t *testing.T, name string, v any) {
	name = strings.NewReplacer(" ", "_", ",", "", ".", "_").Replace(strings.TrimSuffix(name, ".json")) + ".json"
	path := filepath.Join(vectorDir, name)
	if _, err := os.Stat(path); err == nil {
		return
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	sums, err := os.OpenFile(filepath.Join(vectorDir, vectorSums), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	fmt.Fprintf(sums, "%x  %s\n", sha256.Sum256(b), name)
}

func makeVectorKeys(t *testing.T) {
	k := vectorKeyset{Comment: "Keysets as stored, wrapped by a local KEK. For readers in other languages the keysets stand beside in Tink's clear JSON.",
		KEK: bytes.Repeat([]byte{0x42}, 32)}
	kek, err := localkms.New(k.KEK)
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	fc := openVectorKeys(t, kek, store, true)
	acme := keymgr.Scope{Domain: "finance", Tenant: "acme"}
	if err := fc.Keys().Create(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	for _, s := range []keymgr.Scope{{Domain: "medical"}, acme} {
		r, err := store.Load(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := fc.Keys().Keys(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		clear := func(h *keyset.Handle) json.RawMessage {
			var b bytes.Buffer
			if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		k.Scopes = append(k.Scopes, vectorScope{s.Domain, s.Tenant, r.Version, r.Seal, r.Index, r.Info, r.Wraps[0].Wrapped, clear(keys.SealHandle()), clear(keys.IndexHandle())})
	}
	writeVector(t, vectorKeys, k)
}
