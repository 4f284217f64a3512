package fieldcrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/frame"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type card struct {
	ID     uint64
	Number string  `fieldcrypt:"finance,index=digits"`
	Holder string  `fieldcrypt:"finance,index=fold|trim"`
	Notes  *string `fieldcrypt:"medical,pad=64"`
	Again  string  `fieldcrypt:"medical"`
}

// Other tables and domains with columns of the same name.
type otherTable struct {
	Number string `fieldcrypt:"finance"`
}

type otherDomain struct {
	Number string `fieldcrypt:"medical"`
}

func (otherDomain) TableName() string { return "cards" }

func modelOf(t testing.TB, fc *fieldcrypt.Crypter, v any) *fieldcrypt.Model {
	t.Helper()
	m, err := fc.Model(v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func seal(t testing.TB, s *fieldcrypt.Sealer, f *fieldcrypt.Field, v any) []byte {
	t.Helper()
	b, err := s.Seal(f, reflect.ValueOf(v))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealedValueOpens(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	note := "ends with \x80\x00"
	note = strings.ToValidUTF8(note, "") + "\x00"
	in := card{Number: "4111 1111 1111 1111", Holder: "", Notes: &note}
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	var out card
	for _, f := range m.Fields {
		stored := seal(t, s, f, reflect.ValueOf(in).FieldByIndex(f.Index).Interface())
		if err := fc.Open(ctx, f, stored, reflect.ValueOf(&out).Elem().FieldByIndex(f.Index), fieldcrypt.Row{}); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("got %+v; want %+v", out, in)
	}
}

func TestNullIsNull(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Notes")
	if b := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, (*string)(nil)); b != nil {
		t.Errorf("NULL is stored as %x", b)
	}
	out := card{Notes: new(string)}
	if err := fc.Open(ctx, f, nil, reflect.ValueOf(&out).Elem().FieldByIndex(f.Index), fieldcrypt.Row{}); err != nil || out.Notes != nil {
		t.Errorf("NULL is read as %v, %v", out.Notes, err)
	}
	if err := fc.Open(ctx, f, []byte{}, reflect.ValueOf(&out).Elem().FieldByIndex(f.Index), fieldcrypt.Row{}); !errors.Is(err, fieldcrypt.ErrNotSealed) {
		t.Errorf("no bytes are read as %v, %v", out.Notes, err)
	}
}

func TestPlainTinkOpensStoredValues(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	stored := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, "4111")
	keys, err := fc.Keys().Keys(ctx, keymgr.Scope{Domain: "finance"})
	if err != nil {
		t.Fatal(err)
	}
	tink, err := aead.New(keys.SealHandle())
	if err != nil {
		t.Fatal(err)
	}
	ad := frame.Make(frame.Value, []byte("finance"), nil, []byte("cards"), []byte("number"))
	plaintext, err := tink.Decrypt(stored[2:], ad)
	if err != nil || string(plaintext) != "\x024111" {
		t.Errorf("got %q, %v", plaintext, err)
	}
	if want := fieldcrypt.Overhead + len(plaintext); len(stored) != want {
		t.Errorf("stored %d bytes; want %d", len(stored), want)
	}
	// And the other way: what Tink seals, we open.
	ct, err := tink.Encrypt([]byte("\x024242"), ad)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := fc.Open(ctx, f, append([]byte{0xFC, 0x01}, ct...), reflect.ValueOf(&got).Elem(), fieldcrypt.Row{}); err != nil || got != "4242" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAValueOpensInItsOwnPlaceOnly(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	stored := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), m.Field("Number"), "4111")
	for name, f := range map[string]*fieldcrypt.Field{
		"another column": m.Field("Holder"),
		"another table":  modelOf(t, fc, otherTable{}).Field("Number"),
		"another domain": modelOf(t, fc, otherDomain{}).Field("Number"),
	} {
		got := "before"
		err := fc.Open(ctx, f, stored, reflect.ValueOf(&got).Elem(), fieldcrypt.Row{})
		// A value of another domain names a key that this one does not have.
		if !errors.Is(err, fieldcrypt.ErrAuthentication) && !errors.Is(err, fieldcrypt.ErrUnknownKey) || got != "before" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if err := fc.Open(ctx, m.Field("Number"), stored, reflect.ValueOf(new(string)).Elem(), fieldcrypt.Row{}); err != nil {
		t.Error(err)
	}
}

type tenantCard struct {
	Tenant string `fieldcrypt:",tenant"`
	Number string `fieldcrypt:"finance,index"`
}

func TestTenants(t *testing.T) {
	keys := keymgrtest.NewPerTenant(t, "finance")
	for _, tenant := range []string{"a", "b"} {
		if err := keys.Create(t.Context(), keymgr.Scope{Domain: "finance", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	f := modelOf(t, fc, tenantCard{}).Field("Number")
	a, b := fieldcrypt.WithTenant(t.Context(), "a"), fieldcrypt.WithTenant(t.Context(), "b")
	stored := seal(t, fc.Sealer(a, fieldcrypt.Row{}), f, "4111")
	open := func(ctx context.Context, row fieldcrypt.Row) error {
		return fc.Open(ctx, f, stored, reflect.ValueOf(new(string)).Elem(), row)
	}
	if err := open(a, fieldcrypt.Row{}); err != nil {
		t.Errorf("own tenant: %v", err)
	}
	if err := open(t.Context(), fieldcrypt.Row{Tenant: "a"}); err != nil {
		t.Errorf("tenant of the row: %v", err)
	}
	for name, err := range map[string]error{
		"another tenant in the context": open(b, fieldcrypt.Row{}),
		"another tenant in the row":     open(a, fieldcrypt.Row{Tenant: "b"}),
	} {
		if !errors.Is(err, fieldcrypt.ErrUnknownKey) && !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := open(t.Context(), fieldcrypt.Row{}); !errors.Is(err, fieldcrypt.ErrNoTenant) {
		t.Errorf("no tenant: %v", err)
	}
	if _, err := fc.Sealer(a, fieldcrypt.Row{Tenant: "b"}).Seal(f, reflect.ValueOf("x")); !errors.Is(err, fieldcrypt.ErrTenantMismatch) {
		t.Errorf("two tenants: %v", err)
	}
	if _, err := fc.Sealer(t.Context(), fieldcrypt.Row{}).Seal(f, reflect.ValueOf("x")); !errors.Is(err, fieldcrypt.ErrNoTenant) {
		t.Errorf("sealing without tenant: %v", err)
	}
	nobody := fieldcrypt.WithTenant(t.Context(), "nobody")
	if _, err := fc.Sealer(nobody, fieldcrypt.Row{}).Seal(f, reflect.ValueOf("x")); !errors.Is(err, fieldcrypt.ErrScopeNotFound) {
		t.Errorf("tenant without keys: %v", err)
	}
	ix := f.SearchIndex()
	inA, errA := fc.Terms(a, ix, fieldcrypt.Row{}, "4111")
	inB, errB := fc.Terms(b, ix, fieldcrypt.Row{}, "4111")
	if errA != nil || errB != nil || bytes.Equal(inA[0], inB[0]) {
		t.Errorf("index terms of two tenants: %x, %x, %v, %v", inA, inB, errA, errB)
	}
}

type boundCard struct {
	Key    [16]byte `gorm:"primaryKey"`
	Serial int64
	Number string `fieldcrypt:"finance,bind=Key"`
	PIN    string `fieldcrypt:"finance,bind=Serial"`
}

func TestBoundValuesOpenInTheirRowOnly(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, boundCard{})
	row := func(c boundCard) fieldcrypt.Row {
		return fieldcrypt.Row{Bound: func(f *fieldcrypt.Field) (reflect.Value, error) {
			return reflect.ValueOf(c).FieldByIndex(f.Bind.Index), nil
		}}
	}
	mine, other := boundCard{Key: [16]byte{1}, Serial: 7}, boundCard{Key: [16]byte{2}, Serial: 8}
	for _, path := range []string{"Number", "PIN"} {
		f := m.Field(path)
		stored := seal(t, fc.Sealer(ctx, row(mine)), f, "4111")
		dst := reflect.ValueOf(new(string)).Elem()
		if err := fc.Open(ctx, f, stored, dst, row(mine)); err != nil {
			t.Errorf("%s in its row: %v", path, err)
		}
		if err := fc.Open(ctx, f, stored, dst, row(other)); !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("%s in another row: %v", path, err)
		}
		if err := fc.Open(ctx, f, stored, dst, fieldcrypt.Row{}); err == nil {
			t.Errorf("%s without its row opened", path)
		}
	}
}

func TestEveryBitAndEveryByteOfAValueMatters(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	stored := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, "4111 1111 1111 1111")
	refuse := func(name string, at int, b []byte) {
		t.Helper()
		got := "before"
		err := fc.Open(ctx, f, b, reflect.ValueOf(&got).Elem(), fieldcrypt.Row{})
		ok := errors.Is(err, fieldcrypt.ErrAuthentication) || errors.Is(err, fieldcrypt.ErrNotSealed) || errors.Is(err, fieldcrypt.ErrUnknownKey)
		if !ok || got != "before" {
			t.Errorf("%s at %d: %q, %v", name, at, got, err)
		}
	}
	for i := range stored {
		for bit := range 8 {
			b := bytes.Clone(stored)
			b[i] ^= 1 << bit
			refuse("bit flipped", i, b)
		}
		refuse("cut off behind", i, stored[:i])
		refuse("cut off before", i+1, stored[i+1:])
		refuse("byte taken out", i, append(bytes.Clone(stored[:i]), stored[i+1:]...))
		refuse("byte put in", i, append(append(bytes.Clone(stored[:i]), 0), stored[i:]...))
	}
	refuse("byte added", len(stored), append(bytes.Clone(stored), 0))
}

func TestPlaintextInTheColumnIsNotReturned(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	for _, b := range []string{"4111111111111111", strings.Repeat("4", 100), "\xfc\x01", "\xfc\x02" + strings.Repeat("x", 60), "\xfc\x01\x00" + strings.Repeat("x", 60)} {
		got := ""
		if err := fc.Open(ctx, f, []byte(b), reflect.ValueOf(&got).Elem(), fieldcrypt.Row{}); !errors.Is(err, fieldcrypt.ErrNotSealed) || got != "" {
			t.Errorf("%q: %q, %v", b, got, err)
		}
	}
}

func salt(stored []byte) string { return string(stored[7:19]) }

func TestFieldsOfARowShareASaltPerDomain(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	number, holder := seal(t, s, m.Field("Number"), "a"), seal(t, s, m.Field("Holder"), "a")
	medical := seal(t, s, m.Field("Again"), "a")
	next := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), m.Field("Number"), "a")
	if salt(number) != salt(holder) {
		t.Error("two fields of one row and domain have two salts")
	}
	if salt(number) == salt(medical) {
		t.Error("two domains share a salt")
	}
	if salt(number) == salt(next) {
		t.Error("two rows share a salt")
	}
	if iv := func(b []byte) string { return string(b[19:31]) }; iv(number) == iv(holder) {
		t.Error("two values share an iv")
	}
}

func TestASaltServesABoundedNumberOfValues(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	first := salt(seal(t, s, f, "a"))
	for range 1<<16 - 1 {
		if salt(seal(t, s, f, "a")) != first {
			t.Fatal("the salt changed early")
		}
	}
	if salt(seal(t, s, f, "a")) == first {
		t.Error("the salt served more than 2^16 values")
	}
}

func TestPaddingHidesTheLength(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Notes")
	length := func(n int) int {
		text := strings.Repeat("x", n)
		return len(seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, &text)) - fieldcrypt.Overhead
	}
	if length(0) != 64 || length(1) != 64 || length(62) != 64 || length(63) != 128 || length(126) != 128 || length(127) != 192 {
		t.Errorf("lengths: %d %d %d %d %d %d", length(0), length(1), length(62), length(63), length(126), length(127))
	}
}

func TestConcurrentReadersShareTheRecordCache(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	var stored [][]byte
	var want []string
	for i := range 600 { // more than the cache has slots
		want = append(want, strings.Repeat("n", i%17))
		stored = append(stored, seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, want[i]))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range stored {
				got := ""
				if err := fc.Open(ctx, f, stored[i], reflect.ValueOf(&got).Elem(), fieldcrypt.Row{}); err != nil || got != want[i] {
					t.Errorf("%d: %q, %v", i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestIndexTermsFindWhatWasWritten(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	number, holder := m.Field("Number"), m.Field("Holder")
	for _, tc := range []struct {
		f              *fieldcrypt.Field
		stored, search any
		found          bool
	}{
		{number, "4111 1111 1111 1111", "4111111111111111", true},
		{number, "4111-1111", 41111111, true},
		{number, "4111", "4112", false},
		{number, "", "", true},
		{holder, " Straße ", "STRASSE", true},
		{holder, "e\u0301", "\u00c9", true},
		{holder, "a", "b", false},
	} {
		ix := tc.f.SearchIndex()
		stored, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(ix, reflect.ValueOf(tc.stored))
		if err != nil || len(stored) != 20 || len(stored) != ix.Size() {
			t.Fatalf("%v: %x, %v", tc.stored, stored, err)
		}
		terms, err := fc.Terms(ctx, ix, fieldcrypt.Row{}, tc.search)
		if err != nil || len(terms) != 1 {
			t.Fatalf("%v: %x, %v", tc.search, terms, err)
		}
		if bytes.Equal(terms[0], stored) != tc.found {
			t.Errorf("stored %q, searched %q: want found %v", tc.stored, tc.search, tc.found)
		}
	}
}

func TestWhatCannotBeIndexedIsNullAndUnsearchable(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	ix := modelOf(t, fc, card{}).Field("Number").SearchIndex()
	stored, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(ix, reflect.ValueOf("no digits"))
	if stored != nil || err != nil {
		t.Errorf("stored %x, %v", stored, err)
	}
	for _, v := range []any{"no digits", nil, (*string)(nil)} {
		if _, err := fc.Terms(ctx, ix, fieldcrypt.Row{}, v); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
			t.Errorf("search for %v: %v", v, err)
		}
	}
	for _, v := range []any{1.5, true, struct{}{}, []int{1}} {
		if _, err := fc.Terms(ctx, ix, fieldcrypt.Row{}, v); !errors.Is(err, fieldcrypt.ErrWrongType) {
			t.Errorf("search for %v: %v", v, err)
		}
	}
}

func TestTruncatedIndex(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, indexed{})
	for _, ix := range m.Indexes {
		stored, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(ix, reflect.ValueOf("value"))
		if err != nil || len(stored) != 4+(ix.Bits+7)/8 {
			t.Errorf("%d bits: %x, %v", ix.Bits, stored, err)
		}
		if spare := 8*(len(stored)-4) - ix.Bits; stored[len(stored)-1]&(1<<spare-1) != 0 {
			t.Errorf("%d bits: %x has bits behind its end", ix.Bits, stored)
		}
	}
}

type indexed struct {
	F string `fieldcrypt:"medical"`
}

func (indexed) FieldcryptIndexes() (out []fieldcrypt.Index) {
	for bits := 1; bits <= 128; bits++ {
		out = append(out, fieldcrypt.Index{Column: fmt.Sprint("f_", bits), Bits: bits, Parts: []fieldcrypt.Part{{Field: "F"}}})
	}
	return out
}

func TestIndexOverSeveralFields(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	ix := modelOf(t, fc, patient{}).Indexes[4]
	index := func(name, mrn string) string {
		b, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(ix, reflect.ValueOf(name), reflect.ValueOf(mrn))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if index("Ann ", "1") != index("ANN", "1") {
		t.Error("the transform of the first field was not applied")
	}
	if index("ab", "c") == index("a", "bc") {
		t.Error("the border between the fields is lost")
	}
	if _, err := fc.Terms(ctx, ix, fieldcrypt.Row{}, "Ann"); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
		t.Errorf("one value for two fields: %v", err)
	}
}

func TestConvertDoesNotPrintTheValue(t *testing.T) {
	const canary = "c4n4ry"
	fc := newCrypter(t)
	type typed struct {
		I int8      `fieldcrypt:"medical"`
		A [4]byte   `fieldcrypt:"medical"`
		M []float64 `fieldcrypt:"medical"`
	}
	for _, f := range modelOf(t, fc, typed{}).Fields {
		if _, err := f.Convert(canary); !errors.Is(err, fieldcrypt.ErrWrongType) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	if v, err := modelOf(t, fc, typed{}).Field("I").Convert("42"); err != nil || v.Int() != 42 {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := modelOf(t, fc, typed{}).Field("I").Convert(300); !errors.Is(err, fieldcrypt.ErrWrongType) {
		t.Errorf("300 for an int8: %v", err)
	}
}
