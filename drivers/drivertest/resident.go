package drivertest

import "fmt"

// Resident has keys per tenant, beside a field whose keys all tenants share. Its
// tenant column stands last, where a row that is read in order meets it last.
type Resident struct {
	ID     int64   `gorm:"column:id;primaryKey;autoIncrement:false" db:"id"`
	Ward   string  `gorm:"column:ward" db:"ward"`
	Name   string  `fieldcrypt:"clinical,index=fold" gorm:"column:name" db:"name"`
	MRN    string  `fieldcrypt:"clinical,index" gorm:"column:mrn;uniqueIndex" db:"mrn"`
	Notes  *string `fieldcrypt:"clinical,index,pad=64" gorm:"column:notes" db:"notes"`
	Card   string  `fieldcrypt:"finance,index=digits" gorm:"column:card" db:"card"`
	Clinic string  `fieldcrypt:",tenant" gorm:"column:clinic" db:"clinic"`
}

// TableName names the table.
func (Resident) TableName() string { return "drivertest_residents" }

// resident is a sample row that names no tenant. Those of two tenants have one
// number if their ids are n and n+100.
func resident(id int64) Resident {
	n := id % 100
	return Resident{ID: id, Ward: "A", Name: fmt.Sprintf("Ünal %d", n), MRN: fmt.Sprintf("MRN-%d", n), Notes: ptr("note"), Card: fmt.Sprintf("4242 %d", n)}
}

// residentOf is a row that names its tenant.
func residentOf(tenant string, id int64) Resident {
	r := resident(id)
	r.Clinic = tenant
	return r
}

// twoClinics inserts rows of two tenants with the same values: 1 and 2 of one,
// 101 and 102 of the other.
func (s *suite) twoClinics() {
	s.Helper()
	rows := []Resident{residentOf(acme, 1), residentOf(acme, 2), residentOf(hill, 101), residentOf(hill, 102)}
	s.ok(s.InsertMany(s.ctx, &rows))
}
