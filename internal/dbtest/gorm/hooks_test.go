package gorm_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Hooked says in its hooks what it sees.
type Hooked struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical,index"`
	Code string `fieldcrypt:"medical,index"`
	Note string
	saw  []string
}

func (h *Hooked) BeforeSave(*gorm.DB) error  { h.saw = append(h.saw, "save "+h.Name); return nil }
func (h *Hooked) AfterCreate(*gorm.DB) error { h.saw = append(h.saw, "created "+h.Name); return nil }
func (h *Hooked) AfterFind(*gorm.DB) error   { h.saw = append(h.saw, "found "+h.Name); return nil }
func (h *Hooked) AfterUpdate(*gorm.DB) error { h.saw = append(h.saw, "updated "+h.Name); return nil }
func (h *Hooked) BeforeCreate(tx *gorm.DB) error {
	tx.Statement.SetColumn("Code", "code of "+h.Name)
	return nil
}

func (h *Hooked) BeforeUpdate(tx *gorm.DB) error {
	for _, name := range []string{"Name", "Code", "Note"} {
		if tx.Statement.Changed(name) {
			h.saw = append(h.saw, "changed "+name)
		}
	}
	if m, ok := tx.Statement.Dest.(map[string]any); ok {
		h.saw = append(h.saw, fmt.Sprintf("map %v", m["name"]))
	}
	if tx.Statement.Changed("Name") {
		tx.Statement.SetColumn("Code", "new code")
	}
	return nil
}

// TestHooksSeePlaintext: what Changed and SetColumn do is as for plain columns.
func TestHooksSeePlaintext(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := use(t, d(t), &Hooked{})
		h := Hooked{Name: canary}
		must(t, db.Create(&h))
		expect(t, "Create", h.saw, "save "+canary, "created "+canary)
		if h.Code != "code of "+canary {
			t.Errorf("SetColumn set %q", h.Code)
		}
		var got Hooked
		must(t, db.First(&got, "code = ?", "code of "+canary))
		expect(t, "First", got.saw, "found "+canary)

		got.saw = nil
		given := map[string]any{"name": "b" + canary}
		must(t, db.Model(&got).Updates(given))
		expect(t, "Updates(map)", got.saw, "save "+canary, "changed Name", "map b"+canary, "updated b"+canary)
		must(t, db.First(&Hooked{}, "code = ? AND name = ?", "new code", "b"+canary))

		got.saw = nil
		must(t, db.Model(&got).Updates(map[string]any{"name": "b" + canary, "note": "n"}))
		expect(t, "Updates(map) of the same", got.saw, "save b"+canary, "changed Note", "map b"+canary, "updated b"+canary)

		got.saw = nil
		must(t, db.Model(&got).Updates(Hooked{Name: "b" + canary, Note: "m"}))
		expect(t, "Updates(struct)", got.saw, "save b"+canary, "changed Note", "updated b"+canary)

		got.saw = nil
		must(t, db.Model(&got).Select("Name").Updates(Hooked{Name: "c" + canary, Note: "no"}))
		expect(t, "Updates of a selection", got.saw, "save b"+canary, "changed Name", "updated c"+canary)
		noCanary(t, "hooks", nil, l)
	})
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: the hooks saw %q, want %q", what, got, want)
	}
}

// TestAssociations: what hangs on a row is sealed as the row is.
func TestAssociations(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db, l := practice(t, d, gorm.Config{})
		p := patient(1)
		p.Doctor = &Doctor{Name: "Who", Email: secret(1)}
		p.Visits = []Visit{{Reason: secret(1)}, {Reason: secret(2)}}
		p.Labels = []Label{{Name: "a"}, {Name: "b"}}
		must(t, db.Create(&p))

		visits := func() string {
			var got Patient
			must(t, db.Preload("Visits", func(db q) q { return db.Order("id") }).First(&got, p.ID))
			s := ""
			for _, v := range got.Visits {
				s += v.Reason + " "
			}
			return s
		}
		ok := func(what string, err error) {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		ok("Append", db.Model(&p).Association("Visits").Append(&Visit{Reason: secret(3)}))
		if got := visits(); got != secret(1)+" "+secret(2)+" "+secret(3)+" " {
			t.Errorf("after Append: %q", got)
		}
		p.Visits[0].Reason = secret(4)
		ok("FullSaveAssociations", db.Session(&gorm.Session{FullSaveAssociations: true}).Updates(&p).Error)
		if got := visits(); got != secret(4)+" "+secret(2)+" "+secret(3)+" " {
			t.Errorf("after FullSaveAssociations: %q", got)
		}
		must(t, db.First(&Visit{}, "reason = ?", secret(4)))
		if err := db.First(&Visit{}, "reason = ?", secret(1)).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("the old reason is still found: %v", err)
		}
		ok("Delete", db.Model(&p).Association("Visits").Delete(&p.Visits[0]))
		ok("Replace", db.Model(&p).Association("Visits").Replace(&Visit{Reason: secret(5)}))
		if got := visits(); got != secret(5)+" " {
			t.Errorf("after Replace: %q", got)
		}
		ok("Clear", db.Model(&p).Association("Visits").Clear())
		ok("Replace a belongs-to", db.Model(&p).Association("Doctor").Replace(&Doctor{Email: secret(6)}))
		var got Patient
		must(t, db.Joins("Doctor").Preload("Labels").First(&got, p.ID))
		if got.Doctor.Email != secret(6) || len(got.Labels) != 2 {
			t.Errorf("%q, %d labels", got.Doctor.Email, len(got.Labels))
		}
		ok("many2many", db.Model(&p).Association("Labels").Append(&Label{Name: "c"}))
		ok("Select.Delete", db.Select("Visits", "Labels").Delete(&p).Error)
		checkStored(t, db, l)
	})
}
