package fieldcrypt_test

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"
)

func TestNullable(t *testing.T) {
	type pair struct{ A, B int }
	type model struct {
		ID      uint64
		Text    string            `fieldcrypt:"medical"`
		Pointer *string           `fieldcrypt:"medical"`
		Null    sql.NullString    `fieldcrypt:"medical"`
		Generic sql.Null[int]     `fieldcrypt:"medical"`
		Bytes   []byte            `fieldcrypt:"medical"`
		Array   [4]byte           `fieldcrypt:"medical"`
		Raw     json.RawMessage   `fieldcrypt:"medical"`
		Map     map[string]string `fieldcrypt:"medical"`
		Struct  pair              `fieldcrypt:"medical"`
		Time    time.Time         `fieldcrypt:"medical"`
		Number  int               `fieldcrypt:"medical"`
		Home    address           `gorm:"embedded;embeddedPrefix:home_"`
		Work    *address          `gorm:"embedded;embeddedPrefix:work_"`
	}
	m, err := newCrypter(t).Model(model{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"Text": false, "Pointer": true, "Null": true, "Generic": true, "Bytes": true, "Array": false, "Raw": true, "Map": true,
		"Struct": false, "Time": false, "Number": false, "Home.Street": false, "Work.Street": true,
	}
	for _, f := range m.Fields {
		if nullable, ok := want[f.Path]; !ok || f.Nullable() != nullable {
			t.Errorf("%s: %v", f.Path, f.Nullable())
		}
	}
	if len(m.Fields) != len(want) {
		t.Errorf("%d fields", len(m.Fields))
	}
}
