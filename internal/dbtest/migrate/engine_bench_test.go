package migrate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/migrate"
)

const benchRows = 200_000

// bench makes a table of 200,000 rows with four values of 60 bytes.
func (e *engine) bench(b *testing.B) {
	e.exec(b, `DROP TABLE IF EXISTS bench`)
	e.exec(b, `CREATE TABLE bench (id bigint PRIMARY KEY, c1 bytea, c2 bytea, c3 bytea, c4 bytea)`)
	for at := 0; at < benchRows; at += 20_000 {
		ids, values := make([]int64, 20_000), make([][]byte, 20_000)
		for i := range ids {
			ids[i], values[i] = int64(at+i), seal(1, "sixteen bytes...0123456789ab")
		}
		e.exec(b, `INSERT INTO bench SELECT i, v, v, v, v FROM unnest($1::int8[], $2::bytea[]) u(i, v)`, ids, values)
	}
	e.exec(b, `VACUUM (FREEZE, ANALYZE) bench`)
	e.exec(b, `CHECKPOINT`)
}

// plainRewriter does what costs nothing: it changes the key id alone.
type plainRewriter struct{ *toy }

func (r plainRewriter) Rewrite(_ context.Context, rows []migrate.Row) error {
	for i := range rows {
		fresh := make([][]byte, len(rows[i].Old))
		for j, old := range rows[i].Old {
			fresh[j] = append([]byte{0, 0, 0, 2}, old[4:]...)
		}
		rows[i].New = fresh
	}
	return nil
}

// BenchmarkEngine measures a whole job, its second pass over the table included,
// against the one UPDATE that sets the same columns.
func BenchmarkEngine(b *testing.B) {
	e := engineAt(b, pgtest.Start(b, pgtest.Options{Settings: map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "autovacuum": "off"}}).DB(b))
	limit := func(b *testing.B) float64 {
		e.bench(b)
		began := time.Now()
		e.exec(b, `UPDATE bench SET c1 = c1 || '', c2 = c2 || '', c3 = c3 || '', c4 = c4 || ''`)
		return benchRows / time.Since(began).Seconds()
	}
	for _, rw := range []struct {
		name string
		migrate.Rewriter
	}{{"plain", plainRewriter{newToy("c1", "c2", "c3", "c4")}}, {"AES", newToy("c1", "c2", "c3", "c4")}} {
		for _, order := range []string{"plain", "interleaved"} {
			for workers := 1; workers <= 2; workers++ {
				b.Run(fmt.Sprintf("%s/%s/workers=%d", rw.name, order, workers), func(b *testing.B) {
					var limits, rates float64
					for b.Loop() {
						limits += limit(b)
						e.bench(b)
						before := e.int(b, `SELECT pg_relation_size('bench')`)
						job := e.start(b, "bench", rw.Rewriter, func(s *migrate.Spec) { s.Order = order })
						began := time.Now()
						ok(b, migrate.Work(context.Background(), e.db, job.ID, rw.Rewriter, migrate.Options{Workers: workers}))
						rates += benchRows / time.Since(began).Seconds()
						b.ReportMetric(float64(e.int(b, `SELECT pg_relation_size('bench')`))/float64(before), "growth")
						if s := e.check(b, job); s.Changed != benchRows {
							b.Fatalf("%+v", s)
						}
						ok(b, migrate.Cancel(context.Background(), e.db, job.ID, "tester"))
					}
					b.ReportMetric(rates/float64(b.N), "rows/s")
					b.ReportMetric(limits/float64(b.N), "limit/s")
					b.ReportMetric(rates/limits, "of-limit")
				})
			}
		}
	}
}
