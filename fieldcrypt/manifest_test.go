package fieldcrypt_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type uuid [16]byte

func (u uuid) MarshalText() ([]byte, error)     { return hex.AppendEncode(nil, u[:]), nil }
func (u *uuid) UnmarshalText(text []byte) error { _, err := hex.Decode(u[:], text); return err }

// visit has a column of each kind.
type visit struct {
	Key    uuid   `gorm:"primaryKey"`
	Clinic string `gorm:"primaryKey"`
	Number uint64
	Text   string         `fieldcrypt:"medical,index=trim|mrn_v1,bind=Key" gorm:"index:one,unique"`
	Maybe  *string        `fieldcrypt:"medical,pad=32,plain=maybe_old,fallback,bind=Number"`
	Bytes  []byte         `fieldcrypt:"medical,index,bind=Clinic"`
	Array  [4]byte        `fieldcrypt:"medical,index"`
	Small  int8           `fieldcrypt:"medical,index" gorm:"uniqueIndex:two"`
	Big    uint64         `fieldcrypt:"finance,index"`
	Ratio  float32        `fieldcrypt:"finance"`
	Yes    bool           `fieldcrypt:"finance"`
	At     time.Time      `fieldcrypt:"finance,index"`
	JSON   map[string]any `fieldcrypt:"finance"`
	UUID   uuid           `fieldcrypt:"finance,index,id=visits_v1.uid"`
	Any    stamp          `fieldcrypt:"finance"`
}

type stamp struct{ b byte }

func (s stamp) MarshalBinary() ([]byte, error) { return []byte{s.b}, nil }
func (s *stamp) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return errors.New("want 1 byte")
	}
	s.b = b[0]
	return nil
}

func (visit) TableName() string { return "clinic.visits" }

func (visit) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "text_small", ID: "old.text_small", Bits: 12, Parts: []fieldcrypt.Part{{Field: "Text", Transform: "fold|first(3)"}, {Field: "Small"}}}}
}

type visitText struct {
	Text string `fieldcrypt:"medical,index=trim|mrn_v1,bind=Key"`
	Key  uuid
}

func (visitText) TableName() string { return "clinic.visits" }

type chart struct {
	ID     int
	Tenant string `fieldcrypt:",tenant" db:"org"`
	Body   string `fieldcrypt:"tenants,index"`
}

// models of manifests, with the Config that they need.
func manifestCrypter(t testing.TB) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{
		Transforms:             map[string]func(string) (string, error){"mrn_v1": func(s string) (string, error) { return strings.TrimPrefix(s, "MRN-"), nil }},
		AllowPlaintextFallback: true, Observer: watcher{},
	})
}

type watcher struct{}

func (watcher) Observe(context.Context, fieldcrypt.Event) {}

func TestManifestIsWhatIsCommitted(t *testing.T) {
	fc := manifestCrypter(t)
	got, err := fc.Manifest(&visit{}, patient{}, []visitText{})
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/manifest.json"
	if os.Getenv("UPDATE_MANIFEST") == "1" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := fc.CheckManifest(want, visitText{}, &patient{}, visit{}); err != nil {
		t.Errorf("%v; got\n%s", err, got)
	}
	if err := fc.CheckManifest(bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n")), visitText{}, &patient{}, visit{}); err != nil {
		t.Errorf("with the line ends of Windows: %v", err)
	}
	err = fc.CheckManifest(bytes.Replace(want, []byte(`"medical"`), []byte(`"finance"`), 1), visitText{}, &patient{}, visit{})
	if !errors.Is(err, fieldcrypt.ErrManifest) || !strings.Contains(err.Error(), "line ") {
		t.Errorf("another domain: %v", err)
	}
	m, err := fieldcrypt.ParseManifest(got)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := json.MarshalIndent(m, "", "  ")
	if string(again)+"\n" != string(got) {
		t.Errorf("read and written it is\n%s", again)
	}
	if table := m.Table("clinic.visits"); table == nil || !reflect.DeepEqual(table.PrimaryKey, []string{"key", "clinic"}) ||
		!reflect.DeepEqual(table.Domains(), []string{"finance", "medical"}) || m.Table("visits") != nil {
		t.Errorf("clinic.visits is %+v", table)
	}
}

func TestManifestOfTenants(t *testing.T) {
	fc := fieldcrypt.New(keymgrtest.NewPerTenant(t, "tenants"), fieldcrypt.Config{})
	b, err := fc.Manifest(chart{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fieldcrypt.ParseManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	table := m.Table("charts")
	if table.Tenant != "org" || !table.Columns[0].PerTenant || !reflect.DeepEqual(table.PrimaryKey, []string{"id"}) {
		t.Errorf("got %+v", table)
	}
	if _, err := fc.Table(table); err != nil {
		t.Error(err)
	}
	if _, err := fieldcrypt.New(keymgrtest.New(t, "tenants"), fieldcrypt.Config{}).Table(table); !errors.Is(err, fieldcrypt.ErrManifest) {
		t.Errorf("keys that are not per tenant: %v", err)
	}
	if _, err := newCrypter(t).Table(table); !errors.Is(err, fieldcrypt.ErrUnknownDomain) {
		t.Errorf("keys of another application: %v", err)
	}
}

type visitOtherwise struct {
	Text string `fieldcrypt:"medical"`
}

func (visitOtherwise) TableName() string { return "clinic.visits" }

type longID struct {
	Text string `fieldcrypt:"medical,id=t.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
}

func TestModelsThatHaveNoManifest(t *testing.T) {
	fc := manifestCrypter(t)
	for name, models := range map[string][]any{
		"of one table that differ": {visit{}, visitOtherwise{}},
		"without tags":             {struct{ A int }{}},
		"none":                     {},
		"a long id":                {longID{}},
		"no struct":                {1},
	} {
		if b, err := fc.Manifest(models...); !errors.Is(err, fieldcrypt.ErrModel) || b != nil {
			t.Errorf("%s: %s, %v", name, b, err)
		}
	}
}

func TestManifestThatIsRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 64)
	for name, change := range map[string][2]string{
		"another format":        {`"format": 1`, `"format": 2`},
		"no format":             {`"format": 1,`, ``},
		"an unknown member":     {`"format": 1`, `"format": 1, "extra": 1`},
		"a member of elsewhere": {`"format": 1`, `"format": 1, "pad": 1`},
		"a capital":             {`"format": 1,`, `"format": 1, "Tables": [],`},
		"twice":                 {`"format": 1`, `"format": 1, "format": 1`},
		"null":                  {`"primary_key": [`, `"tenant": null, "primary_key": [`},
		"a long table":          {`"table": "visits"`, `"table": "` + long + `"`},
		"a long column":         {`"column": "ratio"`, `"column": "` + long + `"`},
		"a long id":             {`"id": "visits.ratio"`, `"id": "visits.` + long + `"`},
		"an id of one part":     {`"id": "visits.ratio"`, `"id": "ratio"`},
		"a quote":               {`"column": "ratio"`, `"column": "ra\"tio"`},
		"a NUL":                 {`"column": "ratio"`, `"column": "ra\u0000tio"`},
		"half a rune":           {`"column": "ratio"`, "\"column\": \"ra\xfftio\""},
		"a column twice":        {`"column": "ratio"`, `"column": "YES"`},
		"an id twice":           {`"id": "visits.ratio"`, `"id": "visits.yes"`},
		"an encrypted key":      {`"clinic"` + "\n      ]", `"yes"` + "\n      ]"},
		"another type":          {`"type": "float32"`, `"type": "float31"`},
		"a type that is long":   {`"type": "bytes(4)"`, `"type": "bytes(4000000)"`},
		"a type like a number":  {`"type": "bytes(4)"`, `"type": "bytes(04)"`},
		"a float in an index":   {`"type": "int8"`, `"type": "float64"`},
		"a large pad":           {`"pad": 32`, `"pad": 4097`},
		"a pad of text":         {`"pad": 32`, `"pad": "32"`},
		"many bits":             {`"bits": 12`, `"bits": 129`},
		"a domain with capital": {`"domain": "finance"`, `"domain": "Finance"`},
		"a domain of both":      {`"domain": "medical",`, `"domain": "medical", "per_tenant": true,`},
		"another part":          {`"column": "small"` + "\n            }\n", `"column": "large"` + "\n            }\n"},
		"a transform of bytes":  {`"column": "array"` + "\n            }", `"column": "array", "transform": "lower"}`},
		"a bind to floats":      {`"type": "bytes(16)"`, `"type": "float64"`},
		"a bind to ciphertext":  {`"column": "key"`, `"column": "yes"`},
		"something after it":    {"\n}\n", "\n} {}"},
		"nothing":               {string(good), ""},
		"a list":                {string(good), "[]"},
	} {
		if !strings.Contains(string(good), change[0]) {
			t.Fatalf("%s: %s is not in the manifest", name, change[0])
		}
		_, err := fieldcrypt.ParseManifest([]byte(strings.Replace(string(good), change[0], change[1], 1)))
		if !errors.Is(err, fieldcrypt.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	good, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, s := range []string{"", "{}", "[", `{"format":1}`, `{"format":1,"tables":[]}`, `{"format":1,"tables":null}`, `{"format":1,"tables":[null]}`,
		`{"format":1,"tables":[{"table":"t","models":[],"columns":[{"column":"c","id":"t.c","domain":"d","type":"text","bind":{"column":"b","type":"bytes(16)"}}],"indexes":[{"column":"i","id":"t.i","parts":[{"column":"c"}],"bits":8}]}]}`} {
		f.Add([]byte(s))
	}
	fc := manifestCrypter(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := fieldcrypt.ParseManifest(data)
		if err != nil {
			if m != nil || !errors.Is(err, fieldcrypt.ErrManifest) {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := fieldcrypt.ParseManifest(again); err != nil || !reflect.DeepEqual(same, m) {
			t.Fatalf("written and read again: %v", err)
		}
		for i := range m.Tables {
			if _, err := fc.Table(&m.Tables[i]); err != nil && !errors.Is(err, fieldcrypt.ErrManifest) && !errors.Is(err, fieldcrypt.ErrUnknownDomain) {
				t.Fatal(err)
			}
		}
	})
}
