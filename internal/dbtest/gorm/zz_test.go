package gorm_test

import "testing"

func BenchmarkZFind(b *testing.B) {
	db := costDB(b, postgresServer, true)
	must(b, db.Create(costRows(newSealedRow)))
	must(b, db.Create(costRows(newPlainRow)))
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			must(b, db.Find(new([]plainRow)))
		}
	})
	b.Run("sealed", func(b *testing.B) {
		for b.Loop() {
			must(b, db.Find(new([]sealedRow)))
		}
	})
}

func BenchmarkZCreate(b *testing.B) {
	db := costDB(b, postgresServer, true)
	for b.Loop() {
		must(b, db.Create(costRows(newSealedRow)))
	}
}

func BenchmarkZOne(b *testing.B) {
	db := costDB(b, sqliteFile, true)
	must(b, db.Create(costRows(newSealedRow)))
	must(b, db.Create(costRows(newPlainRow)))
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			must(b, db.Where("mrn = ?", "MRN-500").First(&plainRow{}))
		}
	})
	b.Run("sealed", func(b *testing.B) {
		for b.Loop() {
			must(b, db.Where("mrn = ?", "MRN-500").First(&sealedRow{}))
		}
	})
}
