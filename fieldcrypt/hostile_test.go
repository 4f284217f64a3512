package fieldcrypt_test

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

type (
	secretAddress struct {
		Street string `fieldcrypt:"medical"`
	}
	valuerAddress struct {
		Street string `fieldcrypt:"medical"`
	}
	valuerList []secretAddress
	tree       map[string]tree
	list       []list
	self       *self
	orphan     struct{ A int }
)

func (valuerAddress) Value() (driver.Value, error) { return "", nil }
func (valuerList) Value() (driver.Value, error)    { return "", nil }
func (orphan) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "x", Parts: []fieldcrypt.Part{{Field: "A"}}}}
}

// A tag that no one reads would leave its field in the clear.
func TestNoTagIsPassedOver(t *testing.T) {
	ok := reflect.StructTag(`fieldcrypt:"medical"`)
	model := func(name string, typ reflect.Type, tag reflect.StructTag) any {
		inner := reflect.StructOf([]reflect.StructField{
			{Name: "Good", Type: reflect.TypeFor[string](), Tag: ok},
			{Name: name, Type: typ, Tag: tag},
		})
		return inner
	}
	text := reflect.TypeFor[string]()
	for name, m := range map[string]any{
		"a comma between tags":       model("F", text, `gorm:"size:100", fieldcrypt:"medical"`),
		"a space behind the colon":   model("F", text, `fieldcrypt: "medical"`),
		"a capital":                  model("F", text, `Fieldcrypt:"medical"`),
		"tags in a Valuer":           model("F", reflect.TypeFor[valuerAddress](), ``),
		"tags in a list with Valuer": model("F", reflect.TypeFor[valuerList](), ``),
		"misspelt in a serialized": model("F", reflect.TypeFor[struct {
			S string `Fieldcrypt:"medical"`
		}](), `gorm:"serializer:json"`),
	} {
		_, err := newCrypter(t).Model(m)
		if !errors.Is(err, fieldcrypt.ErrModel) || strings.Contains(err.Error(), "no name") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, m := range map[string]any{
		"embedded with an empty value": wrong[struct {
			Home secretAddress `gorm:"embedded:"`
		}]{},
		"ignored in a way that GORM does not know": wrong[struct {
			secretAddressAlias `gorm:"-:foo"`
		}]{},
	} {
		got, err := newCrypter(t).Model(m)
		if err == nil && len(got.Fields) != 1 {
			t.Errorf("%s: the field was passed over", name)
		}
	}
}

func TestTagsThatAreTooDeepAreNotPassedOver(t *testing.T) {
	typ := reflect.TypeFor[SecretAddress]()
	for range 20 {
		typ = reflect.StructOf([]reflect.StructField{{Name: "Inner", Type: typ, Tag: `gorm:"embedded"`}})
	}
	if _, err := newCrypter(t).Model(typ); !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

type secretAddressAlias = SecretAddress

// SecretAddress is exported, so that embedding it exports its fields.
type SecretAddress struct {
	Street string `fieldcrypt:"medical"`
}

func TestTypesThatReferToThemselvesAreAnsweredNotFollowed(t *testing.T) {
	for _, m := range []any{
		wrong[struct {
			F tree `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F list `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F self `fieldcrypt:"medical"`
		}]{},
		wrong[struct{ F self }]{},
	} {
		newCrypter(t).Model(m) // must return
	}
	if _, err := newCrypter(t).Model(orphan{}); !errors.Is(err, fieldcrypt.ErrModel) {
		t.Errorf("indexes without fields: %v", err)
	}
}

// pointerJSON keeps what its JSON form hides, by marshalers with pointer receivers.
type pointerJSON struct {
	secret string
	X      int
}

func (p *pointerJSON) MarshalJSON() ([]byte, error) { return json.Marshal([]any{p.secret, p.X}) }
func (p *pointerJSON) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil || len(raw) != 2 {
		return errors.New("not a pair")
	}
	return errors.Join(json.Unmarshal(raw[0], &p.secret), json.Unmarshal(raw[1], &p.X))
}

// keeper keeps the bytes it was given, which Unmarshalers must not.
type keeper struct{ b []byte }

func (k keeper) MarshalJSON() ([]byte, error)  { return json.Marshal(string(k.b)) }
func (k *keeper) UnmarshalJSON(b []byte) error { k.b = b[1 : len(b)-1]; return nil }

// nullable carries its own NULL, as uuid.NullUUID does.
type nullable struct {
	S     string
	Valid bool
}

func (n nullable) Value() (driver.Value, error) {
	if !n.Valid {
		return nil, nil
	}
	return n.S, nil
}
func (n nullable) MarshalText() ([]byte, error) { return []byte(n.S), nil }
func (n *nullable) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return errors.New("empty")
	}
	*n = nullable{string(b), true}
	return nil
}

type namedByte byte

type odd struct {
	Pointer  pointerJSON    `fieldcrypt:"medical"`
	Keeper   keeper         `fieldcrypt:"medical"`
	Nullable nullable       `fieldcrypt:"medical"`
	Code     [4]namedByte   `fieldcrypt:"medical"`
	Map      map[string]any `fieldcrypt:"medical"`
	Texts    []string       `fieldcrypt:"medical"`
	Text     string         `fieldcrypt:"medical,index"`
	Number   int            `fieldcrypt:"medical,index"`
}

func TestOddTypesComeBackAsTheyWere(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, odd{})
	in := odd{Pointer: pointerJSON{"s", 4}, Keeper: keeper{[]byte("kept")}, Nullable: nullable{"n", true}, Code: [4]namedByte{1, 2, 3, 4},
		Map: map[string]any{"a": 1.5, "b": []any{"x", nil, true}}, Texts: []string{"\ufffd", `\ufffd`}, Text: "a\x00b"}
	var out odd
	for _, f := range m.Fields {
		stored := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, reflect.ValueOf(in).FieldByIndex(f.Index).Interface())
		if err := fc.Open(ctx, f, stored, reflect.ValueOf(&out).Elem().FieldByIndex(f.Index), fieldcrypt.Row{}); err != nil {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	for range 100 { // buffers that are used again must not show through
		seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), m.Field("Text"), strings.Repeat("z", 300))
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("got %+v; want %+v", out, in)
	}
	if b := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), m.Field("Nullable"), nullable{}); b != nil {
		t.Error("a type that says it is NULL was not stored as NULL")
	}
}

func TestWhatWouldComeBackChangedIsRefused(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, odd{})
	for _, tc := range []struct {
		field string
		value any
	}{
		{"Map", map[string]any{"n": int64(9007199254740993)}},
		{"Map", map[string]any{"t": "\xff"}},
		{"Texts", []string{"\xff"}},
		{"Texts", []string{`\` + "\xff"}},
		{"Text", 42},
		{"Text", (*string)(nil)},
		{"Number", "42"},
		{"Number", int64(42)},
	} {
		if b, err := fc.Sealer(ctx, fieldcrypt.Row{}).Seal(m.Field(tc.field), reflect.ValueOf(tc.value)); !errors.Is(err, fieldcrypt.ErrWrongType) {
			t.Errorf("%s: %T was sealed (%d bytes), %v", tc.field, tc.value, len(b), err)
		}
	}
	if b, err := fc.Sealer(ctx, fieldcrypt.Row{}).Seal(m.Field("Text"), reflect.Value{}); b != nil || err != nil {
		t.Errorf("no value: %x, %v", b, err)
	}
	if _, err := fc.Sealer(ctx, fieldcrypt.Row{}).Index(m.Field("Text").SearchIndex(), reflect.ValueOf(42)); !errors.Is(err, fieldcrypt.ErrWrongType) {
		t.Errorf("an index of another type: %v", err)
	}
	if err := fc.Open(ctx, m.Field("Text"), nil, reflect.ValueOf(new(int)).Elem(), fieldcrypt.Row{}); !errors.Is(err, fieldcrypt.ErrWrongType) {
		t.Errorf("a destination of another type: %v", err)
	}
}

func TestTypesThatJSONWouldLoseAreRefused(t *testing.T) {
	type lost struct{ a int }
	type hiddenField struct {
		A int
		B int `json:"-"`
	}
	_ = lost{}.a
	for _, m := range []any{
		wrong[struct {
			F []lost `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F map[string]lost `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F struct{ E error } `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F []chan int `fieldcrypt:"medical"`
		}]{},
		wrong[struct {
			F hiddenField `fieldcrypt:"medical"`
		}]{},
	} {
		if _, err := newCrypter(t).Model(m); !errors.Is(err, fieldcrypt.ErrModel) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

type shortened struct {
	Card  string `fieldcrypt:"finance,index=digits|last(4)"`
	Other string `fieldcrypt:"finance"`
}

func (shortened) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "other_full", Parts: []fieldcrypt.Part{{Field: "Other", Transform: "digits"}}}}
}

func TestAnIndexOfAPartDoesNotAnswerEquality(t *testing.T) {
	m := modelOf(t, newCrypter(t), shortened{})
	if ix := m.Field("Card").SearchIndex(); ix != nil {
		t.Errorf("Card is searched through %s, which keeps four digits", ix.Column)
	}
	if ix := m.Field("Other").SearchIndex(); ix == nil {
		t.Error("Other is not searched through its index")
	}
}

func TestColumnsThatMeetAreRefused(t *testing.T) {
	long := strings.Repeat("x", 64)
	for name, m := range map[string]any{
		"on the tenant column": wrong[struct {
			T string `fieldcrypt:",tenant" gorm:"column:c"`
			F string `fieldcrypt:"medical" gorm:"column:c"`
		}]{},
		"plain is its own column": wrong[struct {
			F string `fieldcrypt:"medical,plain=f"`
		}]{},
		"but for case": wrong[struct {
			F string `fieldcrypt:"medical" gorm:"column:c"`
			G string `fieldcrypt:"medical" gorm:"column:C"`
		}]{},
	} {
		if _, err := newCrypter(t).Model(m); !errors.Is(err, fieldcrypt.ErrModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	inner := reflect.StructOf([]reflect.StructField{{Name: "F", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf(`fieldcrypt:"medical" gorm:"column:%s"`, long))}})
	if _, err := newCrypter(t).Model(inner); !errors.Is(err, fieldcrypt.ErrModel) {
		t.Errorf("a long name: %v", err)
	}
}

func TestBindTargetsThatTheDatabaseMakesAreRefused(t *testing.T) {
	for name, m := range map[string]any{
		"Id": wrong[struct {
			Id uint64
			F  string `fieldcrypt:"medical,bind=Id"`
		}]{},
		"default": wrong[struct {
			K [16]byte `gorm:"primaryKey;default:gen_random_uuid()"`
			F string   `fieldcrypt:"medical,bind=K"`
		}]{},
		"auto increment": wrong[struct {
			N int64  `gorm:"autoIncrement"`
			F string `fieldcrypt:"medical,bind=N"`
		}]{},
		"read only": wrong[struct {
			N int64  `gorm:"->"`
			F string `fieldcrypt:"medical,bind=N"`
		}]{},
	} {
		if _, err := newCrypter(t).Model(m); !errors.Is(err, fieldcrypt.ErrModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type pointerValuer struct{ S string }

func (p *pointerValuer) Value() (driver.Value, error) { return "enc:" + p.S, nil }

func TestConvertAsksValuersAndMarshalers(t *testing.T) {
	f := modelOf(t, newCrypter(t), odd{}).Field("Text")
	for _, tc := range []struct {
		in   any
		want string
	}{{&pointerValuer{"a"}, "enc:a"}, {net.IPv4(49, 50, 51, 52), "49.50.51.52"}, {[]byte("b"), "b"}} {
		if got, err := f.Convert(tc.in); err != nil || got.String() != tc.want {
			t.Errorf("%T: %v, %v", tc.in, got, err)
		}
	}
}
