package fieldcrypt_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type address struct {
	Street string `fieldcrypt:"medical"`
	City   string
}

type Base struct {
	ID   uint64
	Seen string `fieldcrypt:"medical"`
}

type patient struct {
	Base
	Name    string   `fieldcrypt:"medical"`
	MRN     string   `fieldcrypt:"medical,index" gorm:"column:record_no;uniqueIndex"`
	SSN     string   `fieldcrypt:"finance,index=digits" db:"ssn_no"`
	Home    address  `gorm:"embedded;embeddedPrefix:home_"`
	Work    *address `gorm:"embedded;embeddedPrefix:work_"`
	Moved   string   `fieldcrypt:"medical,id=persons.maiden_name,index" gorm:"column:born_as"`
	Comment string
}

func (patient) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "ssn_last4_bidx", Parts: []fieldcrypt.Part{{Field: "SSN", Transform: "digits|last(4)"}}, Bits: 16},
		{Column: "name_mrn_bidx", ID: "people.name_mrn", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold|trim"}, {Field: "MRN"}}},
	}
}

func newCrypter(t *testing.T) *fieldcrypt.Crypter {
	t.Helper()
	return fieldcrypt.New(keymgrtest.New(t, "medical", "finance"), fieldcrypt.Config{})
}

func TestModelOfAStruct(t *testing.T) {
	m, err := newCrypter(t).Model([]*patient{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.Fields {
		got = append(got, f.Path+" "+f.Column+" "+f.Identity()+" "+f.Domain)
	}
	want := []string{
		"Base.Seen seen patients.seen medical",
		"Name name patients.name medical",
		"MRN record_no patients.record_no medical",
		"SSN ssn_no patients.ssn_no finance",
		"Home.Street home_street patients.home_street medical",
		"Work.Street work_street patients.work_street medical",
		"Moved born_as persons.maiden_name medical",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("fields:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = nil
	for _, ix := range m.Indexes {
		got = append(got, ix.Column+" "+ix.Table+"."+ix.Name)
	}
	want = []string{
		"record_no_bidx patients.record_no_bidx",
		"ssn_no_bidx patients.ssn_no_bidx",
		"born_as_bidx persons.maiden_name_bidx",
		"ssn_last4_bidx patients.ssn_last4_bidx",
		"name_mrn_bidx people.name_mrn",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("indexes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := m.Domains(); !reflect.DeepEqual(d, []string{"finance", "medical"}) {
		t.Errorf("domains: %v", d)
	}
	if ix := m.Field("SSN").SearchIndex(); ix == nil || ix.Column != "ssn_no_bidx" {
		t.Errorf("search index of SSN: %v", ix)
	}
	if ix := m.Field("Name").SearchIndex(); ix != nil {
		t.Errorf("Name is searched through %s, which is over two fields", ix.Column)
	}
}

type withTable struct {
	F string `fieldcrypt:"medical"`
}

func (*withTable) TableName() string { return "clinic.people" }

func TestASchemaIsNoPartOfTheIdentity(t *testing.T) {
	m, err := newCrypter(t).Model(withTable{})
	if err != nil || m.Fields[0].Identity() != "people.f" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestAModelWithoutTagsHasNoFields(t *testing.T) {
	m, err := newCrypter(t).Model(struct{ A int }{})
	if err != nil || len(m.Fields) != 0 {
		t.Errorf("got %v, %v", m, err)
	}
}

type (
	hidden struct {
		F string `fieldcrypt:"medical"`
	}
	keyed struct {
		F string `fieldcrypt:"medical" gorm:"primaryKey"`
	}
	badIndex struct {
		F string `fieldcrypt:"medical"`
	}
	twoDomains struct {
		F string `fieldcrypt:"medical"`
		G string `fieldcrypt:"finance"`
	}
	patientÄ struct {
		F string `fieldcrypt:"medical"`
	}
)

func (badIndex) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "x", Parts: []fieldcrypt.Part{{Field: "Nope"}}}}
}

func (twoDomains) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "x", Parts: []fieldcrypt.Part{{Field: "F"}, {Field: "G"}}}}
}

func TestWrongUseIsAnErrorThatNamesStructFieldAndCure(t *testing.T) {
	type T = struct {
		F string `fieldcrypt:"medical"`
	}
	for name, tc := range map[string]struct {
		model any
		field string
		want  string
	}{
		"not a struct": {7, "", "is not a struct"},
		"nil":          {nil, "", "is not a struct"},
		"without domain": {struct {
			F string `fieldcrypt:",index"`
		}{}, "F", "must begin with a key domain"},
		"unknown option": {struct {
			F string `fieldcrypt:"medical,idnex"`
		}{}, "F", "the options are index, pad"},
		"unknown domain": {struct {
			ID int
			F  string `fieldcrypt:"dental"`
		}{}, "", "no name"},
		"unsupported type": {struct {
			F chan int `fieldcrypt:"medical"`
		}{}, "", "no name"},
		"no table name":       {T{}, "", "add a method TableName"},
		"not ASCII":           {patientÄ{}, "", "add a method TableName"},
		"primary key":         {keyed{}, "F", "a primary key cannot be encrypted"},
		"bad index":           {badIndex{}, "", "Nope is no encrypted field"},
		"index of two domain": {twoDomains{}, "", "an index has one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newCrypter(t).Model(tc.model)
			var e *fieldcrypt.Error
			if !errors.As(err, &e) || !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v; want an ErrModel with %q", err, tc.want)
			}
			if e.Field != tc.field {
				t.Errorf("the error names field %q; want %q", e.Field, tc.field)
			}
		})
	}
}

// In the table below every struct is of the type wrong, which has a table.
type wrong[T any] struct {
	Body T `gorm:"embedded"`
}

func (wrong[T]) TableName() string { return "wrongs" }

func TestWrongFieldsAreErrorsThatNameTheCure(t *testing.T) {
	type outer struct {
		In hidden `gorm:"serializer:json"`
	}
	for name, tc := range map[string]struct {
		model any
		want  string
	}{
		"unknown domain": {wrong[struct {
			F string `fieldcrypt:"dental"`
		}]{}, "unknown key domain"},
		"unsupported type": {wrong[struct {
			F chan int `fieldcrypt:"medical"`
		}]{}, "is not supported: use a string"},
		"unexported": {wrong[struct {
			f string `fieldcrypt:"medical"`
		}]{}, "export it"},
		"unexported embed": {wrong[struct{ hidden }]{}, "export it"},
		"field named ID": {wrong[struct {
			ID string `fieldcrypt:"medical"`
		}]{}, "a primary key cannot be encrypted"},
		"gorm serializer": {wrong[struct {
			F []string `fieldcrypt:"medical" gorm:"serializer:json"`
		}]{}, "remove the gorm serializer"},
		"tags in a serialized": {wrong[outer]{}, "have no effect"},
		"tags in a sealed": {wrong[struct {
			F hidden `fieldcrypt:"medical"`
		}]{}, "have no effect"},
		"db and gorm differ": {wrong[struct {
			F string `fieldcrypt:"medical" gorm:"column:a" db:"b"`
		}]{}, "make them one"},
		"one identity twice": {wrong[struct {
			F string `fieldcrypt:"medical,id=a.b"`
			G string `fieldcrypt:"medical,id=a.b"`
		}]{}, "is that of field"},
		"one column twice": {wrong[struct {
			F string `fieldcrypt:"medical" gorm:"column:c"`
			G string `gorm:"column:c"`
		}]{}, "is that of Body.G too"},
		"index on a bool": {wrong[struct {
			F bool `fieldcrypt:"medical,index"`
		}]{}, "a bool would show its value"},
		"index on a float": {wrong[struct {
			F float64 `fieldcrypt:"medical,index"`
		}]{}, "no exact equality"},
		"index on a map": {wrong[struct {
			F map[string]int `fieldcrypt:"medical,index"`
		}]{}, "JSON"},
		"unknown transform": {wrong[struct {
			F string `fieldcrypt:"medical,index=lowercase"`
		}]{}, "lowercase"},
		"transform on a number": {wrong[struct {
			F int `fieldcrypt:"medical,index=digits"`
		}]{}, "transforms work on text"},
		"index column taken": {wrong[struct {
			F string `fieldcrypt:"medical,index"`
			G string `gorm:"column:f_bidx"`
		}]{}, "is that of Body.G too"},
		"bind to nothing": {wrong[struct {
			F string `fieldcrypt:"medical,bind=G"`
		}]{}, "no plain field"},
		"bind to an encrypted field": {wrong[struct {
			F string `fieldcrypt:"medical,bind=G"`
			G string `fieldcrypt:"medical"`
		}]{}, "no plain field"},
		"bind to a float": {wrong[struct {
			F string `fieldcrypt:"medical,bind=G"`
			G float64
		}]{}, "binds to an integer"},
		"bind to a key that the database makes": {wrong[struct {
			ID uint64
			F  string `fieldcrypt:"medical,bind=ID"`
		}]{}, "autoIncrement:false"},
		"two tenants": {wrong[struct {
			F string `fieldcrypt:"medical"`
			A string `fieldcrypt:",tenant"`
			B string `fieldcrypt:",tenant"`
		}]{}, "tenant field already"},
		"tenant that is no string": {wrong[struct {
			F string `fieldcrypt:"medical"`
			A int    `fieldcrypt:",tenant"`
		}]{}, "must be a string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newCrypter(t).Model(tc.model)
			var e *fieldcrypt.Error
			if !errors.As(err, &e) || !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v; want an ErrModel with %q", err, tc.want)
			}
			if !strings.Contains(err.Error(), "wrong[") {
				t.Errorf("the error does not name the struct: %v", err)
			}
		})
	}
}

func TestPerTenantDomainsNeedATenantColumn(t *testing.T) {
	fc := fieldcrypt.New(keymgrtest.NewPerTenant(t, "medical"), fieldcrypt.Config{})
	if _, err := fc.Model(hidden{}); !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), ",tenant") {
		t.Errorf("got %v", err)
	}
}

func TestCustomTransforms(t *testing.T) {
	type visit struct {
		Ward string `fieldcrypt:"medical,index=ward_v1"`
	}
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{Transforms: map[string]func(string) (string, error){
		"ward_v1": func(s string) (string, error) { return strings.TrimPrefix(s, "W"), nil },
	}})
	if _, err := fc.Model(visit{}); err != nil {
		t.Error(err)
	}
}
