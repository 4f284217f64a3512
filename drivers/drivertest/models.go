package drivertest

import (
	"database/sql"
	"encoding/json"
	"math/big"
	"net/netip"
	"net/url"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Models returns a pointer to a zero value of each model of the suite.
//
// Their plain columns are of the types int64, text and, for a [Key], bytes; those
// of the type *string may be NULL.
func Models() []any { return []any{&Person{}, &Twin{}, &Values{}, &Resident{}, &Sample{}} }

// Person has one field of each kind of index.
type Person struct {
	ID    int64   `gorm:"column:id;primaryKey;autoIncrement:false" db:"id"`
	Ward  string  `gorm:"column:ward" db:"ward"`
	Name  string  `fieldcrypt:"medical,index=fold" gorm:"column:name" db:"name"`
	MRN   string  `fieldcrypt:"medical,index" gorm:"column:mrn;uniqueIndex" db:"mrn"`
	Card  string  `fieldcrypt:"finance,index=digits" gorm:"column:card" db:"card"`
	Notes *string `fieldcrypt:"medical,pad=64" gorm:"column:notes" db:"notes"`
}

// TableName names the table.
func (Person) TableName() string { return "drivertest_people" }

// FieldcryptIndexes declares an index over two fields and a truncated one.
func (Person) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{
		{Column: "name_mrn_bidx", Parts: []fieldcrypt.Part{{Field: "Name", Transform: "fold|trim"}, {Field: "MRN"}}},
		{Column: "card_last4_bidx", Parts: []fieldcrypt.Part{{Field: "Card", Transform: "digits|last(4)"}}, Bits: 16},
	}
}

// Twin has columns of Person's names in another table.
type Twin struct {
	ID   int64  `gorm:"column:id;primaryKey;autoIncrement:false" db:"id"`
	Name string `fieldcrypt:"medical,index=fold" gorm:"column:name" db:"name"`
	MRN  string `fieldcrypt:"medical,index" gorm:"column:mrn" db:"mrn"`
}

// TableName names the table.
func (Twin) TableName() string { return "drivertest_twins" }

// Level is a named integer.
type Level int16

// Grade is a named string.
type Grade string

// Address is stored as JSON.
type Address struct {
	Street string
	Lines  []string
}

// Values has a field of every kind of Go type.
type Values struct {
	ID int64 `gorm:"column:id;primaryKey;autoIncrement:false" db:"id"`

	Text    string  `fieldcrypt:"medical,index" gorm:"column:v_text" db:"v_text"`
	Bytes   []byte  `fieldcrypt:"medical,index" gorm:"column:v_bytes" db:"v_bytes"`
	Int     int64   `fieldcrypt:"medical,index" gorm:"column:v_int" db:"v_int"`
	Uint    uint64  `fieldcrypt:"medical,index" gorm:"column:v_uint" db:"v_uint"`
	Small   int8    `fieldcrypt:"medical" gorm:"column:v_small" db:"v_small"`
	Level   Level   `fieldcrypt:"medical,index" gorm:"column:v_level" db:"v_level"`
	Grade   Grade   `fieldcrypt:"medical,index" gorm:"column:v_grade" db:"v_grade"`
	Bool    bool    `fieldcrypt:"medical" gorm:"column:v_bool" db:"v_bool"`
	Float   float64 `fieldcrypt:"medical" gorm:"column:v_float" db:"v_float"`
	Float32 float32 `fieldcrypt:"medical" gorm:"column:v_float32" db:"v_float32"`

	Time time.Time  `fieldcrypt:"medical,index" gorm:"column:v_time" db:"v_time"`
	UUID [16]byte   `fieldcrypt:"medical,index" gorm:"column:v_uuid" db:"v_uuid"`
	Addr netip.Addr `fieldcrypt:"medical,index" gorm:"column:v_addr" db:"v_addr"`
	Big  big.Int    `fieldcrypt:"medical" gorm:"column:v_big" db:"v_big"`
	URL  url.URL    `fieldcrypt:"medical" gorm:"column:v_url" db:"v_url"`

	Raw     json.RawMessage   `fieldcrypt:"medical" gorm:"column:v_raw" db:"v_raw"`
	Address Address           `fieldcrypt:"medical" gorm:"column:v_address" db:"v_address"`
	List    []string          `fieldcrypt:"medical" gorm:"column:v_list" db:"v_list"`
	Map     map[string]string `fieldcrypt:"medical" gorm:"column:v_map" db:"v_map"`
	Any     any               `fieldcrypt:"medical" gorm:"column:v_any" db:"v_any"`

	TextPtr  *string                   `fieldcrypt:"medical,index" gorm:"column:v_text_ptr" db:"v_text_ptr"`
	IntPtr   *int64                    `fieldcrypt:"medical" gorm:"column:v_int_ptr" db:"v_int_ptr"`
	TimePtr  *time.Time                `fieldcrypt:"medical" gorm:"column:v_time_ptr" db:"v_time_ptr"`
	Struct   *Address                  `fieldcrypt:"medical" gorm:"column:v_struct_ptr" db:"v_struct_ptr"`
	NullText sql.NullString            `fieldcrypt:"medical,index" gorm:"column:v_null_text" db:"v_null_text"`
	NullInt  sql.NullInt64             `fieldcrypt:"medical" gorm:"column:v_null_int" db:"v_null_int"`
	NullTime sql.Null[time.Time]       `fieldcrypt:"medical" gorm:"column:v_null_time" db:"v_null_time"`
	NullJSON sql.Null[json.RawMessage] `fieldcrypt:"medical" gorm:"column:v_null_json" db:"v_null_json"`
}

// TableName names the table.
func (Values) TableName() string { return "drivertest_values" }
