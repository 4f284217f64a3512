package gorm_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Clinic has a relation of every kind to models with encrypted fields.
type Clinic struct {
	gormcrypt.Encrypted
	ID        uint64
	Name      string `fieldcrypt:"medical,index" gorm:"unique"`
	Beds      int
	ParentID  *uint64
	Parent    *Clinic    // of the same table
	Director  *Director  // has one
	Rooms     []Room     // has many
	Partners  []*Partner `gorm:"many2many:clinic_partners"`
	Remarks   []Remark   `gorm:"polymorphic:Owner"`
	DeletedAt gorm.DeletedAt
}

type Director struct {
	gormcrypt.Encrypted
	ID       uint64
	Name     string `fieldcrypt:"medical,index"`
	ClinicID *uint64
}

type Room struct {
	gormcrypt.Encrypted
	ID       uint64
	Name     string `fieldcrypt:"medical,index"`
	Floor    int
	ClinicID *uint64
}

type Partner struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"finance,index"`
}

// ClinicPartner is what two clinics agreed on: a join table with an encrypted
// column of its own.
type ClinicPartner struct {
	gormcrypt.Encrypted
	ClinicID  uint64 `gorm:"primaryKey"`
	PartnerID uint64 `gorm:"primaryKey"`
	Terms     string `fieldcrypt:"finance,index"`
}

// Remark belongs to anything.
type Remark struct {
	gormcrypt.Encrypted
	ID        uint64
	Name      string `fieldcrypt:"medical,index"`
	OwnerID   *uint64
	OwnerType string
}

// clinics opens a database with two clinics.
func (m mode) clinics(t testing.TB, d dialector) (*gorm.DB, *log) {
	t.Helper()
	db, l := m.use(t, d, &Clinic{}, &Director{}, &Room{}, &Partner{}, &Remark{})
	if err := db.SetupJoinTable(&Clinic{}, "Partners", &ClinicPartner{}); err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec("DROP TABLE clinic_partners"))
	if err := db.AutoMigrate(&ClinicPartner{}); err != nil {
		t.Fatal(err)
	}
	seedClinics(t, db)
	return db, l
}

var clinicTables = []string{"clinic_partners", "remarks", "partners", "rooms", "directors", "clinics"}

func seedClinics(t testing.TB, db *gorm.DB) {
	t.Helper()
	db = db.Begin()
	defer func() { must(t, db.Commit()) }()
	must(t, db.Exec("UPDATE clinics SET parent_id = NULL"))
	for _, name := range clinicTables {
		must(t, db.Exec("DELETE FROM "+name))
	}
	first := Clinic{
		ID: 1, Name: secret(1), Beds: 10, Director: &Director{ID: 1, Name: secret(1)},
		Rooms:    []Room{{ID: 1, Name: secret(1), Floor: 2}, {ID: 2, Name: secret(2), Floor: 1}},
		Partners: []*Partner{{ID: 1, Name: secret(1)}, {ID: 2, Name: secret(2)}},
		Remarks:  []Remark{{ID: 1, Name: secret(1)}},
	}
	must(t, db.Create(&first))
	second := Clinic{ID: 2, Name: secret(2), Beds: 20, ParentID: &first.ID, Partners: first.Partners[:1]}
	must(t, db.Omit("Partners.*").Create(&second))
	must(t, db.Model(&ClinicPartner{}).Where("partner_id = 2").Update("terms", secret(7)))
	if db.Dialector.Name() == "postgres" { // keys that were given are not counted
		for _, name := range clinicTables[1:] {
			must(t, db.Exec("SELECT setval(pg_get_serial_sequence(?, 'id'), 100)", name))
		}
	}
}

const seeded = `clinics 1 2>1; directors 1>1; rooms 1>1 2>1; partners 1 2; terms -@1-1 7@1-2 -@2-1; remarks 1>1`

// state reads all clinics through the plugin: the name of each row, without the
// canary, and what it belongs to. It fails where a row is not found by its own
// values.
func state(t testing.TB, db *gorm.DB) string {
	t.Helper()
	var clinics []Clinic
	var directors []Director
	var rooms []Room
	var partners []Partner
	var terms []ClinicPartner
	var remarks []Remark
	for _, list := range []any{&clinics, &directors, &rooms, &partners, &remarks} {
		must(t, db.Order("id").Find(list))
	}
	must(t, db.Order("clinic_id, partner_id").Find(&terms))
	var out strings.Builder
	row := func(model any, column, value, format string, args ...any) {
		var n int64
		tx := db.Model(model).Where(column+" = ?", value)
		if value == "" {
			tx = tx.Or(column + " IS NULL")
		}
		if must(t, tx.Count(&n)); n == 0 {
			t.Errorf("%T: %s is not found by its own value", model, column)
		}
		if value = strings.ReplaceAll(value, canary, ""); value == "" {
			value = "-"
		}
		fmt.Fprintf(&out, " %s"+format, append([]any{value}, args...)...)
	}
	owner := func(id *uint64) string {
		if id == nil {
			return ""
		}
		return fmt.Sprintf(">%d", *id)
	}
	out.WriteString("clinics")
	for _, c := range clinics {
		row(&Clinic{}, "name", c.Name, "%s", owner(c.ParentID))
	}
	out.WriteString("; directors")
	for _, d := range directors {
		row(&Director{}, "name", d.Name, "%s", owner(d.ClinicID))
	}
	out.WriteString("; rooms")
	for _, r := range rooms {
		row(&Room{}, "name", r.Name, "%s", owner(r.ClinicID))
	}
	out.WriteString("; partners")
	for _, p := range partners {
		row(&Partner{}, "name", p.Name, "")
	}
	out.WriteString("; terms")
	for _, a := range terms {
		row(&ClinicPartner{}, "terms", a.Terms, "@%d-%d", a.ClinicID, a.PartnerID)
	}
	out.WriteString("; remarks")
	for _, r := range remarks {
		row(&Remark{}, "name", r.Name, "%s", owner(r.OwnerID))
	}
	return out.String()
}

// changed is the seeded state with some tables replaced.
func changed(tables string) string {
	out := strings.Split(seeded, "; ")
	for _, now := range strings.Split(tables, "; ") {
		name, _, _ := strings.Cut(now, " ")
		for i := range out {
			if strings.HasPrefix(out[i], name+" ") && now != "" {
				out[i] = now
			}
		}
	}
	return strings.Join(out, "; ")
}
