package gorm_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// Parcel has columns of the types that a database may read differently in a
// SELECT than in VALUES.
type Parcel struct {
	gormcrypt.Encrypted
	ID     uint64
	Name   string    `fieldcrypt:"medical,index"`
	Note   *string   `fieldcrypt:"medical"`
	State  string    `gorm:"type:hostile_state"`
	Tags   string    `gorm:"type:text[]"`
	Doc    *string   `gorm:"type:jsonb"`
	Price  string    `gorm:"type:numeric(10,2)"`
	Code   string    `gorm:"type:varchar(5)"`
	Fixed  string    `gorm:"type:char(4)"`
	At     time.Time `gorm:"type:timestamptz(3)"`
	Day    time.Time `gorm:"type:date"`
	Mail   string    `gorm:"type:hostile_mail"`
	Must   string    `gorm:"type:hostile_must"`
	Small  int16     `gorm:"type:smallint"`
	Digits int       `gorm:"type:numeric"`
	Double float64   `gorm:"type:numeric"`
	Raw    []byte
	Flag   bool
	Bits   string `gorm:"type:bit(3)"`
	Addr   string `gorm:"type:inet"`
	Maybe  sql.NullInt64
	Auto   int `gorm:"default:7"`
	Twice  int `gorm:"->;type:integer GENERATED ALWAYS AS (small * 2) STORED"`
}

func parcels(n int) []Parcel {
	all := make([]Parcel, n)
	for i := range all {
		all[i] = Parcel{Name: fmt.Sprint("p", i), State: "new", Tags: "{a,b}", Price: "1.005", Code: "abcde", Fixed: "ab",
			At: time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.FixedZone("", 3600)), Day: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
			Mail: "a@b", Must: "m", Small: int16(i), Digits: i, Double: 0.1, Raw: []byte{0, 1, byte(i)}, Flag: i%2 == 0, Bits: "101", Addr: "10.0.0.1", Auto: 3}
		if i%3 == 0 {
			note, doc := fmt.Sprint("n", i), `{"a": 1}`
			all[i].Note, all[i].Doc, all[i].Maybe = &note, &doc, sql.NullInt64{Int64: int64(i), Valid: true}
		}
	}
	return all
}

func TestHostileBulkInsertStoresWhatRowsDo(t *testing.T) {
	for name, simple := range map[string]bool{"extended": false, "simple": true} {
		t.Run(name, func(t *testing.T) {
			db, _ := open(t, postgres.New(postgres.Config{DSN: pgtest.DB(t), PreferSimpleProtocol: simple}), gorm.Config{})
			must(t, db.Exec("CREATE TYPE hostile_state AS ENUM ('new', 'old')"))
			must(t, db.Exec("CREATE DOMAIN hostile_mail AS text CHECK (VALUE LIKE '%@%')"))
			must(t, db.Exec("CREATE DOMAIN hostile_must AS text NOT NULL"))
			if err := db.Use(gormcrypt.New(newCrypter(t), &Parcel{})); err != nil {
				t.Fatal(err)
			}
			if err := db.AutoMigrate(&Parcel{}); err != nil {
				t.Fatal(err)
			}
			many := parcels(40)
			err := db.Create(&many).Error
			if err != nil {
				t.Error("bulk:", err)
			}
			one := parcels(40)
			err2 := db.CreateInBatches(&one, 8).Error
			if err2 != nil {
				t.Error("by eights:", err2)
			}
			var dump []string
			must(t, gormcrypt.AllowRaw(db).Raw("SELECT (to_jsonb(p) - 'id' - 'note' - 'name' - 'name_bidx')::text FROM parcels p ORDER BY id").Scan(&dump))
			if len(dump) != 80 {
				t.Fatalf("%d rows", len(dump))
			}
			for i := range 40 {
				if dump[i] != dump[i+40] {
					t.Errorf("row %d: %s\n%s", i, dump[i], dump[i+40])
					break
				}
			}
			var all []Parcel
			must(t, db.Order("id").Find(&all))
			for i, p := range append(many, one...) {
				if all[i].ID != p.ID || all[i].Name != p.Name || all[i].Small != p.Small || (all[i].Note == nil) != (p.Note == nil) || all[i].Twice != 2*int(p.Small) || all[i].Auto != 3 {
					t.Errorf("row %d: %+v, %+v", i, all[i], p)
					break
				}
			}
			long := parcels(20)
			long[7].Code = "toolong"
			if err := db.Create(&long).Error; err == nil {
				t.Error("a value that is too long was stored")
			}
			mixed := parcels(20)
			mixed[3].Auto, mixed[4].ID = 0, 9999
			must(t, db.Create(&mixed))
			if mixed[3].Auto != 7 || mixed[4].ID != 9999 {
				t.Errorf("defaults: %d, %d", mixed[3].Auto, mixed[4].ID)
			}
			exprs := make([]map[string]any, 20)
			for i := range exprs {
				exprs[i] = map[string]any{"name": fmt.Sprint("e", i), "state": "new", "must": "x", "mail": "a@b", "small": gorm.Expr("?::int + 1", i)}
			}
			must(t, db.Model(&Parcel{}).Create(&exprs))
			onID := clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "code"})}
			for i := range many {
				many[i].Name = fmt.Sprint("again", i)
			}
			must(t, db.Clauses(onID).Create(&many))
			must(t, db.Clauses(clause.OnConflict{DoNothing: true}).Create(&many))
			must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&many))
			must(t, db.Save(&many))
			var n int64
			must(t, db.Model(&Parcel{}).Where("name = ?", "again7").Count(&n))
			if n != 1 {
				t.Errorf("%d rows after upserts", n)
			}
		})
	}
}

// Money and the others are the names of types of Postgres too.
type Money struct {
	gormcrypt.Encrypted
	ID     uint64
	Amount string `fieldcrypt:"finance"`
}

// oneName calls every table the same.
type oneName struct {
	schema.NamingStrategy
	name string
}

func (n oneName) TableName(string) string { return n.name }

func TestHostileBulkInsertIntoTablesOfAnyName(t *testing.T) {
	for _, name := range []string{"money", "date", "name", "user", "json", "Odd Name", "interval", "record", "integer", "Upper"} {
		t.Run(name, func(t *testing.T) {
			db, _ := open(t, postgresServer(t), gorm.Config{NamingStrategy: oneName{name: name}})
			if err := db.Use(gormcrypt.New(newCrypter(t), &Money{})); err != nil {
				t.Skip(err)
			}
			if err := db.AutoMigrate(&Money{}); err != nil {
				t.Skip(err)
			}
			for _, n := range []int{5, 20} {
				rows := make([]Money, n)
				for i := range rows {
					rows[i].Amount = fmt.Sprint(i)
				}
				if err := db.Create(&rows).Error; err != nil {
					t.Errorf("%d rows: %v", n, err)
				}
			}
		})
	}
}

func TestHostileBulkInsertElsewhere(t *testing.T) {
	db, _ := open(t, postgresServer(t), gorm.Config{NamingStrategy: oneName{name: "parcel"}})
	if err := db.Use(gormcrypt.New(newCrypter(t), &Money{})); err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec(valueDomain))
	must(t, db.Exec("CREATE TABLE base (gone int, id bigint GENERATED ALWAYS AS IDENTITY, amount fieldcrypt_value, kind text DEFAULT 'k')"))
	must(t, db.Exec("ALTER TABLE base DROP COLUMN gone"))
	db = gormcrypt.AllowRaw(db).Session(&gorm.Session{})
	must(t, db.Exec("CREATE VIEW parcel AS SELECT id, amount FROM base"))
	must(t, db.Exec("CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO base (amount) VALUES (NEW.amount) RETURNING id INTO NEW.id; RETURN NEW; END'"))
	must(t, db.Exec("CREATE TRIGGER put INSTEAD OF INSERT ON parcel FOR EACH ROW EXECUTE FUNCTION put()"))
	rows := make([]Money, 20)
	for i := range rows {
		rows[i].Amount = fmt.Sprint(i)
	}
	err := db.Create(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	var all []Money
	must(t, db.Order("id").Find(&all))
	for i, r := range rows {
		if all[i].ID != r.ID || all[i].Amount != r.Amount {
			t.Errorf("%d: %+v, %+v", i, all[i], r)
		}
	}
}

const valueDomain = `CREATE DOMAIN fieldcrypt_value AS bytea CHECK (octet_length(VALUE) >= 36 AND substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea)`

// Split is partitioned, with row level security.
type Split struct {
	gormcrypt.Encrypted
	ID   uint64
	Kind int
	Text string `fieldcrypt:"medical,index"`
}

func TestHostileBulkInsertIntoPartitionsWithRowSecurity(t *testing.T) {
	db, _ := open(t, postgresServer(t), gorm.Config{})
	if err := db.Use(gormcrypt.New(newCrypter(t), &Split{})); err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec(valueDomain))
	must(t, db.Exec(`CREATE TABLE splits (id bigserial NOT NULL, kind int, text fieldcrypt_value, text_bidx bytea) PARTITION BY LIST (kind)`))
	must(t, db.Exec(`CREATE TABLE splits_0 (text_bidx bytea, id bigint NOT NULL, text fieldcrypt_value, kind int)`))
	must(t, db.Exec(`ALTER TABLE splits ATTACH PARTITION splits_0 FOR VALUES IN (0)`))
	must(t, db.Exec(`CREATE TABLE splits_1 PARTITION OF splits FOR VALUES IN (1)`))
	must(t, db.Exec(`ALTER TABLE splits ENABLE ROW LEVEL SECURITY`))
	must(t, db.Exec(`CREATE ROLE clerk; GRANT INSERT ON splits TO clerk; GRANT SELECT (id) ON splits TO clerk; GRANT USAGE ON SEQUENCE splits_id_seq TO clerk; CREATE POLICY p ON splits FOR INSERT WITH CHECK (kind < 2); CREATE POLICY q ON splits FOR SELECT USING (true)`))
	rows := make([]Split, 40)
	for i := range rows {
		rows[i] = Split{Kind: i % 2, Text: fmt.Sprint("s", i)}
	}
	err := db.Connection(func(tx *gorm.DB) error {
		if err := tx.Exec("SET ROLE clerk").Error; err != nil {
			return err
		}
		defer tx.Exec("RESET ROLE")
		return tx.Create(&rows).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec("RESET ROLE"))
	var all []Split
	must(t, db.Order("id").Find(&all))
	for i, r := range rows {
		if all[i].ID != r.ID || all[i].Text != r.Text || all[i].Kind != r.Kind {
			t.Errorf("%d: %+v, %+v", i, all[i], r)
		}
	}
}

func TestHostileBulkInsertManyRows(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for _, prepared := range []bool{false, true} {
			db, _ := useWith(t, d(t), gorm.Config{PrepareStmt: prepared}, &Visit{})
			n := 3000
			rows := make([]Visit, n)
			for i := range rows {
				rows[i] = Visit{PatientID: uint64(i), Reason: fmt.Sprint("r", i)}
			}
			must(t, db.CreateInBatches(&rows, 900))
			var all []Visit
			must(t, db.Order("patient_id").Find(&all))
			for i := range all {
				if all[i].ID != rows[i].ID || all[i].Reason != rows[i].Reason {
					t.Fatalf("%d: %+v, %+v", i, all[i], rows[i])
				}
			}
		}
	})
}
