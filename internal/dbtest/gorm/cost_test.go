package gorm_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// BenchmarkCost says what encryption costs with GORM, as ratios to plain GORM in
// the same run: 1,000 rows with three encrypted fields and one index, created and
// found; the same rows of a model without tags while the plugin is in use; and one
// row that is searched for. Rounds of all are interleaved, and the ratios are of
// the medians. Rows are found in a database of their own, which nobody writes to.
// It is measured on a heap as a service has one, and on next to none, which is
// collected in the middle of every call.
//
//	go test -run '^$' -bench Cost -benchtime 200x ./internal/dbtest/gorm
func BenchmarkCost(b *testing.B) {
	for name, d := range map[string]dialector{"SQLite": sqliteFile, "Postgres": postgresServer} {
		for _, heap := range []int{64, 0} {
			b.Run(fmt.Sprintf("%s/heap=%dMiB", name, heap), func(b *testing.B) { benchmarkCost(b, d, heap<<20) })
		}
	}
}

func benchmarkCost(b *testing.B, d dialector, size int) {
	heap := make([]byte, size)
	defer runtime.KeepAlive(heap)
	plain, used := costDBs(b, d, false), costDBs(b, d, true)
	plainRows := func() any { return costRows(newPlainRow) }
	sealedRows := func() any { return costRows(newSealedRow) }
	contenders := []*contender{
		{dbs: plain, rows: plainRows, found: func() any { return new([]plainRow) }, one: func() any { return new(plainRow) }, table: "plain_rows"},
		{dbs: used, rows: plainRows, found: func() any { return new([]plainRow) }, one: func() any { return new(plainRow) }, table: "plain_rows"},
		{dbs: used, rows: sealedRows, found: func() any { return new([]sealedRow) }, one: func() any { return new(sealedRow) }, table: "sealed_rows"},
	}
	for _, c := range contenders {
		must(b, c.finding.Create(c.rows()))
		c.round(b) // opens keys, prepares statements
		c.times = [3][]time.Duration{}
	}
	must(b, plain.finding.Exec("VACUUM"))
	must(b, used.finding.Exec("VACUUM"))
	for b.Loop() {
		for _, c := range contenders {
			c.round(b)
		}
	}
	for op, what := range []string{"create", "find", "one"} {
		base := median(contenders[0].times[op])
		b.ReportMetric(float64(base.Nanoseconds())/1e3, what+"-plain-µs")
		b.ReportMetric(float64(median(contenders[1].times[op]))/float64(base), what+"-untagged-x")
		b.ReportMetric(float64(median(contenders[2].times[op]))/float64(base), what+"-encrypted-x")
	}
	b.ReportMetric(0, "ns/op")
}

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

// contender is one of what is compared.
type contender struct {
	dbs
	rows, found, one func() any
	table            string
	times            [3][]time.Duration // of create, find, one
}

// dbs are a database in which rows are created and deleted again, and one in which
// they are found.
type dbs struct{ creating, finding *gorm.DB }

func costDBs(b *testing.B, d dialector, plugin bool) dbs {
	return dbs{costDB(b, d, plugin), costDB(b, d, plugin)}
}

// round measures each operation some times.
func (c *contender) round(b *testing.B) {
	for range 3 {
		rows := c.rows()
		c.measure(0, func() { must(b, c.creating.Create(rows)) })
	}
	for range 5 {
		found := c.found()
		c.measure(1, func() { must(b, c.finding.Find(found)) })
	}
	for range 20 {
		one := c.one()
		c.measure(2, func() { must(b, c.finding.Where("mrn = ?", "MRN-500").First(one)) })
	}
	must(b, c.creating.Exec("DELETE FROM "+c.table))
}

func (c *contender) measure(op int, run func()) {
	began := time.Now()
	run()
	c.times[op] = append(c.times[op], time.Since(began))
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func costDB(b *testing.B, d dialector, plugin bool) *gorm.DB {
	db, err := gorm.Open(d(b), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		b.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
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
	return db
}

func costRows[T any](row func(i int) T) *[]T {
	rows := make([]T, rowsPerCall)
	for i := range rows {
		rows[i] = row(i)
	}
	return &rows
}

func newPlainRow(i int) plainRow {
	return plainRow{Name: "Ada Lovelace", MRN: fmt.Sprint("MRN-", i), Card: "4242424242424242", Age: i, City: "Bern"}
}

func newSealedRow(i int) sealedRow {
	return sealedRow{Name: "Ada Lovelace", MRN: fmt.Sprint("MRN-", i), Card: "4242424242424242", Age: i, City: "Bern"}
}
