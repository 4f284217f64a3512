package migrate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/migrate"
)

const benchRows = 200_000

// benchEngine is on a server that is as safe as one in use.
func benchEngine(b testing.TB) *engine {
	return engineAt(b, pgtest.Start(b, pgtest.Options{Settings: map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "autovacuum": "off"}}).DB(b))
}

// benchTable makes a table of n rows with four values each, as the resealer seals them.
func (e *engine) benchTable(b testing.TB, r *resealer, n int) {
	e.exec(b, `DROP TABLE IF EXISTS bench`)
	e.exec(b, `CREATE TABLE bench (id bigint PRIMARY KEY, c1 bytea, c2 bytea, c3 bytea, c4 bytea)`)
	values := make([][]any, min(n, 10_000))
	for i := range values {
		values[i] = make([]any, 5)
		for j, v := range r.row(b) {
			values[i][j+1] = v
		}
	}
	for at := 0; at < n; at += len(values) {
		_, err := e.pool.CopyFrom(context.Background(), pgx.Identifier{"bench"}, append([]string{"id"}, r.columns...),
			pgx.CopyFromSlice(min(len(values), n-at), func(i int) ([]any, error) {
				values[i][0] = int64(at + i)
				return values[i], nil
			}))
		ok(b, err)
	}
	e.exec(b, `VACUUM (FREEZE, ANALYZE) bench`)
	e.exec(b, `CHECKPOINT`)
}

// plainLimit is how many rows a second the one UPDATE changes that sets the same columns.
func (e *engine) plainLimit(b testing.TB) float64 {
	began := time.Now()
	e.exec(b, `UPDATE bench SET c1 = c1 || '', c2 = c2 || '', c3 = c3 || '', c4 = c4 || ''`)
	return benchRows / time.Since(began).Seconds()
}

// cpu is the time that the processors spent for the server and for us.
func (e *engine) cpu(b testing.TB) (server, client time.Duration) {
	var pid string
	ok(b, e.pool.QueryRow(context.Background(), `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)`).Scan(&pid))
	list, _ := filepath.Glob("/proc/[0-9]*/stat") // nothing where there is no /proc
	for _, name := range list {
		stat, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			continue
		}
		ticks := func(at ...int) (d time.Duration) {
			for _, i := range at {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				d += time.Duration(n) * 10 * time.Millisecond
			}
			return d
		}
		switch id := filepath.Base(filepath.Dir(name)); {
		case id == strconv.Itoa(os.Getpid()):
			client += ticks(11, 12)
		case f[1] == pid:
			server += ticks(11, 12)
		case id == pid:
			server += ticks(11, 12, 13, 14)
		}
	}
	return server, client
}

// BenchmarkEngine measures a whole job, its second pass over the table included,
// against the one UPDATE that sets the same columns: with real keys, and with a
// rewriter that costs nothing.
func BenchmarkEngine(b *testing.B) {
	e, r := benchEngine(b), newResealer(b)
	for _, order := range []string{"plain", "interleaved"} {
		for workers := 1; workers <= 2; workers++ {
			for _, free := range []bool{false, true} {
				name := "reencrypt"
				if free {
					name = "copy"
				}
				b.Run(fmt.Sprintf("%s/%s/workers=%d", name, order, workers), func(b *testing.B) {
					var limits, rates float64
					var server, client time.Duration
					for b.Loop() {
						e.benchTable(b, r, benchRows)
						limits += e.plainLimit(b)
						e.benchTable(b, r, benchRows)
						r.rotate()
						var rw migrate.Rewriter = r
						if free {
							rw = copier{r}
						}
						before := e.int(b, `SELECT pg_relation_size('bench')`)
						job := e.start(b, "bench", rw, func(s *migrate.Spec) { s.Order = order })
						s0, c0 := e.cpu(b)
						began := time.Now()
						ok(b, migrate.Work(context.Background(), e.db, job.ID, rw, migrate.Options{Workers: workers}))
						rates += benchRows / time.Since(began).Seconds()
						s1, c1 := e.cpu(b)
						server, client = server+s1-s0, client+c1-c0
						b.ReportMetric(float64(e.int(b, `SELECT pg_relation_size('bench')`))/float64(before), "growth")
						if s := e.check(b, job); s.Changed != benchRows {
							b.Fatalf("%+v", s)
						}
						ok(b, migrate.Cancel(context.Background(), e.db, job.ID, "tester"))
					}
					n := float64(b.N)
					b.ReportMetric(rates/n, "rows/s")
					b.ReportMetric(limits/n, "limit/s")
					b.ReportMetric(rates/limits, "of-limit")
					b.ReportMetric(float64(server.Microseconds())/n/benchRows, "server-µs/row")
					b.ReportMetric(float64(client.Microseconds())/n/benchRows, "client-µs/row")
				})
			}
		}
	}
}

// copier costs nothing: it changes the key id alone.
type copier struct{ *resealer }

func (c copier) Rewrite(_ context.Context, rows []migrate.Row) error {
	for i := range rows {
		rows[i].New = make([][]byte, len(rows[i].Old))
		for j, old := range rows[i].Old {
			v := append([]byte{}, old...)
			v[3], v[4], v[5], v[6] = byte(c.key>>24), byte(c.key>>16), byte(c.key>>8), byte(c.key)
			rows[i].New[j] = v
		}
	}
	return nil
}
