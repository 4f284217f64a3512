package fieldcrypt_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type mrnField struct {
	MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
}

type noteField struct {
	Note *string `fieldcrypt:"medical,pad=64,id=patients.note"`
}

type (
	MRN      = fieldcrypt.Secret[string, mrnField]
	MRNIndex = fieldcrypt.SecretIndex[string, mrnField]
	Note     = fieldcrypt.Secret[*string, noteField]
)

func secretCrypter(t *testing.T) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{})
}

func TestSecretPrintsNothing(t *testing.T) {
	const canary = "Zebra 7391"
	mrn := fieldcrypt.NewSecret[mrnField](canary)
	opened := fieldcrypt.NewSecret[mrnField](canary)
	if err := secretCrypter(t).SealSecrets(t.Context(), &opened); err != nil {
		t.Fatal(err)
	}
	type open struct {
		M  MRN
		P  *MRN
		PP **MRN
		I  MRNIndex
		N  fieldcrypt.SecretNextIndex[string, mrnField]
		L  []MRN
		K  map[string]MRN
		A  any
	}
	type closed struct { // fmt cannot ask what is not exported how it prints
		m MRN
		p *MRN
		i MRNIndex
		l []MRN
		a any
	}
	p := &mrn
	next := fieldcrypt.SecretNextIndex[string, mrnField]{SecretIndex: mrn.Index()}
	var out bytes.Buffer
	for _, m := range []MRN{mrn, opened} {
		for _, v := range []any{
			m, &m, m.Index(), open{m, &m, &p, m.Index(), next, []MRN{m}, map[string]MRN{"k": m}, m},
			closed{m, &m, m.Index(), []MRN{m}, m}, &closed{m, &m, m.Index(), []MRN{m}, m}, []any{m}, reflect.ValueOf(m),
		} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			b, err := json.Marshal(v)
			fmt.Fprintf(&out, "%s %v\n", b, err)
			b, err = xml.Marshal(v)
			fmt.Fprintf(&out, "%s %v\n", b, err)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			_, err = driver.DefaultParameterConverter.ConvertValue(v)
			fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
		}
	}
	for _, form := range []string{"Zebra", fmt.Sprintf("%x", canary), fmt.Sprint([]byte(canary))[1:20]} {
		if at := strings.Index(out.String(), form); at >= 0 {
			t.Errorf("printed as %s: %q", form, out.String()[max(0, at-100):at+40])
		}
	}
	if n := strings.Count(out.String(), "<encrypted>"); n < 50 {
		t.Errorf("<encrypted> stands there %d times", n)
	}
}

func TestSecretIsNotReadFromText(t *testing.T) {
	var m MRN
	b, err := json.Marshal(fieldcrypt.NewSecret[mrnField]("x"))
	var text string
	if err != nil || json.Unmarshal(b, &text) != nil || text != "<encrypted>" {
		t.Errorf("JSON: %s, %v", b, err)
	}
	if err := json.Unmarshal(b, &m); !errors.Is(err, fieldcrypt.ErrUnsupported) || !m.IsNull() {
		t.Errorf("from JSON: %v", err)
	}
}

// TestSecretFailsClosed: both ways where nobody seals or opens.
func TestSecretFailsClosed(t *testing.T) {
	if v, err := fieldcrypt.NewSecret[mrnField]("x").Value(); !errors.Is(err, fieldcrypt.ErrUnsealed) || v != nil {
		t.Errorf("Value: %v, %v", v, err)
	}
	if v, err := fieldcrypt.NewSecret[mrnField]("x").Index().Value(); !errors.Is(err, fieldcrypt.ErrUnsealed) || v != nil {
		t.Errorf("Index: %v, %v", v, err)
	}
	if v, err := (MRNIndex{}).Value(); !errors.Is(err, fieldcrypt.ErrUnsealed) || v != nil {
		t.Errorf("an empty index: %v, %v", v, err)
	}
	if v, err := (fieldcrypt.SecretNextIndex[string, mrnField]{}).Value(); !errors.Is(err, fieldcrypt.ErrUnsealed) || v != nil {
		t.Errorf("a second index: %v, %v", v, err)
	}
	var m MRN
	if err := m.Scan([]byte{0xFC, 1}); err != nil {
		t.Fatal(err)
	}
	if v, err := m.Reveal(); !errors.Is(err, fieldcrypt.ErrSealed) || v != "" {
		t.Errorf("Reveal: %q, %v", v, err)
	}
	if v, err := m.Index().Value(); !errors.Is(err, fieldcrypt.ErrUnsealed) || v != nil {
		t.Errorf("the index of what was not opened: %v, %v", v, err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("MustReveal did not panic")
			}
		}()
		m.MustReveal()
	}()
	for _, v := range []any{"text", 7, true} {
		if err := m.Scan(v); !errors.Is(err, fieldcrypt.ErrNotSealed) || !m.IsNull() {
			t.Errorf("Scan of a %T: %v", v, err)
		}
	}
	fc := secretCrypter(t)
	for _, stored := range [][]byte{{}, []byte("plaintext"), bytes.Repeat([]byte{7}, 100), append([]byte{0xFC, 1, 1}, make([]byte, 60)...)} {
		if err := m.Scan(stored); err != nil {
			t.Fatal(err)
		}
		if err := fc.OpenSecrets(t.Context(), &m); !errors.Is(err, fieldcrypt.ErrNotSealed) && !errors.Is(err, fieldcrypt.ErrUnknownKey) {
			t.Errorf("OpenSecrets of %x: %v", stored, err)
		}
		if _, err := m.Reveal(); !errors.Is(err, fieldcrypt.ErrSealed) {
			t.Errorf("and Reveal: %v", err)
		}
	}
}

// TestSecretThereAndBack: what database/sql does with one.
func TestSecretThereAndBack(t *testing.T) {
	fc, ctx := secretCrypter(t), t.Context()
	text := "a note"
	mrn, note, null := fieldcrypt.NewSecret[mrnField]("MRN-1"), fieldcrypt.NewSecret[noteField](&text), MRN{}
	if err := fc.SealSecrets(ctx, &mrn, &note, &null); err != nil {
		t.Fatal(err)
	}
	if v := mrn.MustReveal(); v != "MRN-1" {
		t.Errorf("a sealed Secret reveals %q", v)
	}
	stored, err := mrn.Value()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := note.Value()
	if a, b := stored.([]byte), other.([]byte); !bytes.Equal(a[7:19], b[7:19]) || len(b) != 64+fieldcrypt.Overhead {
		t.Error("what is sealed together does not share a salt, or the padding is missing")
	}
	index, err := mrn.Index().Value()
	terms, err2 := fc.SecretTerms(ctx, fieldcrypt.NewSecret[mrnField]("MRN-1"))
	if err != nil || err2 != nil || !bytes.Equal(index.([]byte), terms[0]) {
		t.Errorf("the index is %x, %v; the search is for %x, %v", index, err, terms, err2)
	}
	for _, v := range []driver.Valuer{null, null.Index(), fieldcrypt.NewSecret[noteField]((*string)(nil))} {
		if n, ok := v.(fieldcrypt.Secret[*string, noteField]); ok {
			if err := fc.SealSecrets(ctx, &n); err != nil {
				t.Fatal(err)
			}
			v = n
		}
		if stored, err := v.Value(); err != nil || stored != nil {
			t.Errorf("NULL is stored as %v, %v", stored, err)
		}
	}
	var back MRN
	for _, src := range []any{stored, nil} {
		if err := errors.Join(back.Scan(src), fc.OpenSecrets(ctx, &back)); err != nil {
			t.Fatal(err)
		}
		if v, err := back.Reveal(); err != nil || (v == "MRN-1") != (src != nil) || back.IsNull() != (src == nil) {
			t.Errorf("%v comes back as %q, %v", src, v, err)
		}
	}
	// The value of another column does not open.
	var wrong Note
	if err := wrong.Scan(stored); err != nil {
		t.Fatal(err)
	}
	if err := fc.OpenSecrets(ctx, &wrong); !errors.Is(err, fieldcrypt.ErrAuthentication) {
		t.Errorf("another column's: %v", err)
	}
}

// TestSecretAndModelShareColumns: a Secret is the field with its identity.
func TestSecretAndModelShareColumns(t *testing.T) {
	type patient struct {
		ID  int64
		MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
	}
	fc, ctx := secretCrypter(t), t.Context()
	m, err := fc.Model(patient{})
	if err != nil {
		t.Fatal(err)
	}
	mrn := fieldcrypt.NewSecret[mrnField]("MRN-1")
	if err := fc.SealSecrets(ctx, &mrn); err != nil {
		t.Fatal(err)
	}
	stored, _ := mrn.Value()
	var text string
	if err := fc.Open(ctx, m.Fields[0], stored.([]byte), reflect.ValueOf(&text).Elem(), fieldcrypt.Row{}); err != nil || text != "MRN-1" {
		t.Errorf("the model reads %q, %v", text, err)
	}
	terms, err := fc.Terms(ctx, m.Indexes[0], fieldcrypt.Row{}, "MRN-1")
	index, _ := mrn.Index().Value()
	if err != nil || !bytes.Equal(terms[0], index.([]byte)) {
		t.Errorf("the model searches for %x, %v; stored is %x", terms, err, index)
	}
}

func TestSecretsOfTenants(t *testing.T) {
	type field struct {
		Clinic string `fieldcrypt:",tenant"`
		MRN    string `fieldcrypt:"medical,id=patients.mrn"`
	}
	keys := keymgrtest.NewPerTenant(t, "medical")
	if err := keys.Create(t.Context(), keymgr.Scope{Domain: "medical", Tenant: "bern"}); err != nil {
		t.Fatal(err)
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	bern := fieldcrypt.WithTenant(t.Context(), "bern")
	v := fieldcrypt.NewSecret[field]("MRN-1")
	if err := fc.SealSecrets(t.Context(), &v); !errors.Is(err, fieldcrypt.ErrNoTenant) {
		t.Errorf("without a tenant: %v", err)
	}
	if err := fc.SealSecrets(bern, &v); err != nil {
		t.Fatal(err)
	}
	stored, _ := v.Value()
	if err := errors.Join(v.Scan(stored), fc.OpenSecrets(bern, &v)); err != nil || v.MustReveal() != "MRN-1" {
		t.Errorf("with one: %v", err)
	}
}

func TestSecretsThatAreDeclaredWrong(t *testing.T) {
	type two struct {
		A string `fieldcrypt:"medical,id=t.a"`
		B string `fieldcrypt:"medical,id=t.b"`
	}
	type none struct{ A string }
	type bound struct {
		ID string
		A  string `fieldcrypt:"medical,id=t.a,bind=ID"`
	}
	type unindexed struct {
		A string `fieldcrypt:"medical,id=t.a"`
	}
	fc := secretCrypter(t)
	two1, none1, int1, bound1 := fieldcrypt.NewSecret[two]("x"), fieldcrypt.NewSecret[none]("x"), fieldcrypt.NewSecret[mrnField](7), fieldcrypt.NewSecret[bound]("x")
	ptr1, text1 := fieldcrypt.NewSecret[*mrnField]("x"), fieldcrypt.NewSecret[string]("x")
	for name, c := range map[string]struct {
		s    fieldcrypt.SecretPointer
		want error
	}{
		"two fields": {&two1, fieldcrypt.ErrModel}, "no field": {&none1, fieldcrypt.ErrModel}, "another type": {&int1, fieldcrypt.ErrModel},
		"bind=": {&bound1, fieldcrypt.ErrUnsupported}, "a pointer": {&ptr1, fieldcrypt.ErrModel}, "no struct": {&text1, fieldcrypt.ErrModel},
	} {
		if err := fc.SealSecrets(t.Context(), c.s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if v, err := c.s.Value(); err == nil {
			t.Errorf("%s: stored as %v", name, v)
		}
	}
	plain := fieldcrypt.NewSecret[unindexed]("x")
	if _, err := fc.SecretTerms(t.Context(), plain); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
		t.Errorf("search without an index: %v", err)
	}
	if _, err := fc.SecretTerms(t.Context(), MRN{}); !errors.Is(err, fieldcrypt.ErrUnsearchable) {
		t.Errorf("search for NULL: %v", err)
	}
}
