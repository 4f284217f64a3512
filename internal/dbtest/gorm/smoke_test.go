package gorm_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

type Vitals struct{ Pulse, Systolic int }

type Doctor struct {
	gormcrypt.Encrypted
	ID    uint64
	Name  string
	Email string `fieldcrypt:"medical,index"`
}

type Visit struct {
	ID        uint64
	PatientID uint64
	Reason    string
}

func (Visit) plain() {}

type Patient struct {
	gormcrypt.Encrypted
	ID        uint64
	Age       int
	Name      string  `fieldcrypt:"medical,index=fold"`
	MRN       string  `fieldcrypt:"medical,index"  gorm:"uniqueIndex"`
	Card      string  `fieldcrypt:"finance,index=digits"`
	Notes     *string `fieldcrypt:"medical,pad=64"`
	Vitals    Vitals  `fieldcrypt:"medical"`
	Born      time.Time `fieldcrypt:"medical"`
	DoctorID  *uint64
	Doctor    *Doctor
	Visits    []Visit
	DeletedAt gorm.DeletedAt
}

func TestSmoke(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &Doctor{}, &Patient{}, Visit{})
		defer func() { t.Log(l.String()) }()
		p := Patient{Name: "Ada", MRN: "MRN-1", Card: "4242 4242", Vitals: Vitals{60, 120}, Age: 40, Doctor: &Doctor{Name: "Who", Email: "who@x"}, Visits: []Visit{{Reason: "r"}}}
		must(t, db.Create(&p))
		var got Patient
		must(t, db.Where("mrn = ?", "MRN-1").Preload("Visits").Joins("Doctor").First(&got))
		t.Logf("%+v %+v", got, got.Doctor)
		must(t, db.Model(&got).Updates(map[string]any{"mrn": "MRN-2", "age": 41}))
		must(t, db.Model(&got).Update("Card", "1111"))
		got.Name = "Bob"
		must(t, db.Save(&got))
		var again Patient
		must(t, db.First(&again, Patient{Name: "BOB", Card: "11-11"}))
		t.Logf("%+v", again)
		must(t, db.Delete(&again))
	})
}
