package gorm_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// plainRow and sealedRow are one table, without and with three encrypted fields
// and an index.
type plainRow struct {
	ID   uint64
	Name string
	MRN  string `gorm:"index"`
	Card string
	Age  int
	City string
}

type sealedRow struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string `fieldcrypt:"medical"`
	MRN  string `fieldcrypt:"medical,index"`
	Card string `fieldcrypt:"medical"`
	Age  int
	City string
}

const rowsPerCall = 1000

// BenchmarkCreate and BenchmarkFind write and read 1,000 rows per operation:
// plain GORM, a plain model with the plugin in use, and an encrypted model.
func BenchmarkCreate(b *testing.B) {
	benchmark(b, func(b *testing.B, db *gorm.DB, table string, create func(q), _ func(q)) {
		for b.Loop() {
			create(db)
			b.StopTimer()
			db.Exec("DELETE FROM " + table)
			b.StartTimer()
		}
	})
}

func BenchmarkFind(b *testing.B) {
	benchmark(b, func(b *testing.B, db *gorm.DB, table string, create func(q), find func(q)) {
		create(db)
		for b.Loop() {
			find(db)
		}
		b.StopTimer()
		db.Exec("DELETE FROM " + table)
	})
}

func benchmark(b *testing.B, run func(b *testing.B, db *gorm.DB, table string, create, find func(q))) {
	for name, d := range map[string]dialector{"SQLite": sqliteFile, "Postgres": postgresServer} {
		for _, plugin := range []bool{false, true} {
			db, err := gorm.Open(d(b), &gorm.Config{Logger: logger.Discard})
			if err != nil {
				b.Fatal(err)
			}
			pool, _ := db.DB()
			b.Cleanup(func() { pool.Close() })
			models := []any{&plainRow{}}
			if plugin {
				if err := db.Use(gormcrypt.New(newCrypter(b), &sealedRow{})); err != nil {
					b.Fatal(err)
				}
				models = append(models, &sealedRow{})
			}
			if err := db.AutoMigrate(models...); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/plain/plugin=%v", name, plugin), func(b *testing.B) {
				run(b, db, "plain_rows", func(db q) {
					rows := make([]plainRow, rowsPerCall)
					for i := range rows {
						rows[i] = plainRow{Name: "Ada Lovelace", MRN: fmt.Sprint("MRN-", i), Card: "4242424242424242", Age: i, City: "Bern"}
					}
					must(b, db.Create(&rows))
				}, func(db q) { var rows []plainRow; must(b, db.Find(&rows)) })
			})
			if !plugin {
				continue
			}
			b.Run(name+"/encrypted", func(b *testing.B) {
				run(b, db, "sealed_rows", func(db q) {
					rows := make([]sealedRow, rowsPerCall)
					for i := range rows {
						rows[i] = sealedRow{Name: "Ada Lovelace", MRN: fmt.Sprint("MRN-", i), Card: "4242424242424242", Age: i, City: "Bern"}
					}
					must(b, db.Create(&rows))
				}, func(db q) { var rows []sealedRow; must(b, db.Find(&rows)) })
			})
		}
	}
}

// BenchmarkOne finds one row by an indexed column.
func BenchmarkOne(b *testing.B) {
	benchmark(b, func(b *testing.B, db *gorm.DB, table string, create func(q), _ func(q)) {
		create(db)
		for b.Loop() {
			if table == "plain_rows" {
				must(b, db.Where("mrn = ?", "MRN-500").First(&plainRow{}))
			} else {
				must(b, db.Where("mrn = ?", "MRN-500").First(&sealedRow{}))
			}
		}
		b.StopTimer()
		db.Exec("DELETE FROM " + table)
	})
}
