//go:build unix

package pgx_test

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// The benchmarks of this file measure CPU time, not wall time, which on a busy
// machine says nothing: that of this process, and that of the server's process
// for the one connection, per row, in microseconds.
//
// floor is the same seals, index terms and opens without a database. over/floor is
// what pgxcrypt costs above plain pgx, in floors: it should be at most 1.5.

// benchRows is how many rows one operation is about.
const benchRows = 10_000

type plainBench struct {
	ID    int64  `db:"id"`
	Name  string `db:"name"`
	MRN   string `db:"mrn"`
	Notes string `db:"notes"`
}

type sealedBench struct {
	ID    int64  `db:"id"`
	Name  string `db:"name" fieldcrypt:"medical"`
	MRN   string `db:"mrn" fieldcrypt:"medical,index"`
	Notes string `db:"notes" fieldcrypt:"medical"`
}

// TableName names the table.
func (sealedBench) TableName() string { return "sealed_bench" }

// bench is a connection with the tables.
type bench struct {
	b      *testing.B
	db     *pgxpool.Pool
	fc     *fieldcrypt.Crypter
	model  *fieldcrypt.Model
	pid    int // of the server's process
	plain  []plainBench
	sealed []sealedBench
}

func newBench(b *testing.B) *bench {
	x := &bench{b: b, fc: newCrypter(b)}
	x.db = pool(b, pgtest.DB(b), func(cfg *pgxpool.Config) {
		cfg.MaxConns = 1
		cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
		cfg.AfterConnect = pgxcrypt.AfterConnect(x.fc)
	})
	exec(b, x.db, `CREATE TABLE plain_bench (id bigint, name text, mrn text, notes text); CREATE INDEX ON plain_bench (mrn); CREATE TABLE sealed_bench (id bigint)`)
	migrate(b, x.db, x.fc, sealedBench{})
	x.db.Reset() // so that the connection knows the type
	if err := x.db.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&x.pid); err != nil {
		b.Fatal(err)
	}
	var err error
	if x.model, err = x.fc.Model(sealedBench{}); err != nil {
		b.Fatal(err)
	}
	for i := range benchRows {
		p := plainBench{int64(i), fmt.Sprintf("Ada Lovelace %03d", i%1000), fmt.Sprintf("MRN-%07d", i), strings.Repeat("A note. ", 25)}
		x.plain = append(x.plain, p)
		x.sealed = append(x.sealed, sealedBench(p))
	}
	return x
}

// cost is CPU time.
type cost struct{ client, server time.Duration }

func (c *cost) add(d cost) { c.client += d.client; c.server += d.server }

// spent returns the CPU time of both processes so far.
func (x *bench) spent() (c cost) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		x.b.Fatal(err)
	}
	c.client = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(x.pid) + "/schedstat"); err == nil { // Linux
		ns, _, _ := strings.Cut(string(stat), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		c.server = time.Duration(n)
	}
	return c
}

// measure runs something and returns what it cost.
func (x *bench) measure(run func() error) cost {
	x.b.Helper()
	before := x.spent()
	if err := run(); err != nil {
		x.b.Fatal(err)
	}
	after := x.spent()
	return cost{after.client - before.client, after.server - before.server}
}

// report reports a cost per row.
func (x *bench) report(name string, c cost, rows int) {
	x.b.ReportMetric(float64(c.client.Nanoseconds())/1000/float64(rows), name+"-client-µs/row")
	x.b.ReportMetric(float64(c.server.Nanoseconds())/1000/float64(rows), name+"-server-µs/row")
}

// compare measures plain pgx, the floor and pgxcrypt in turns, with prepare before
// each.
func compare(b *testing.B, prepare func(x *bench), plain, floor, sealed func(x *bench) error) {
	x := newBench(b)
	var p, f, s cost
	n := 0
	for b.Loop() {
		prepare(x)
		p.add(x.measure(func() error { return plain(x) }))
		f.add(x.measure(func() error { return floor(x) }))
		prepare(x)
		s.add(x.measure(func() error { return sealed(x) }))
		n += benchRows
	}
	b.ReportMetric(0, "ns/op")
	x.report("plain", p, n)
	x.report("sealed", s, n)
	b.ReportMetric(float64(f.client.Nanoseconds())/1000/float64(n), "floor-µs/row")
	b.ReportMetric(float64(s.client-p.client)/float64(f.client), "over/floor")
}

func empty(x *bench) { exec(x.b, x.db, "TRUNCATE plain_bench, sealed_bench") }

// sealAll seals what the rows hold.
func sealAll(x *bench) error {
	v := reflect.ValueOf(x.sealed)
	for i := range x.sealed {
		s := x.fc.Sealer(ctx, fieldcrypt.Row{})
		for _, f := range x.model.Fields {
			if _, err := s.Seal(f, v.Index(i).FieldByIndex(f.Index)); err != nil {
				return err
			}
		}
		if _, err := s.Index(x.model.Indexes[0], v.Index(i).Field(2)); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkCopy(b *testing.B) {
	compare(b, empty, func(x *bench) error {
		_, err := x.db.CopyFrom(ctx, pgx.Identifier{"plain_bench"}, []string{"id", "name", "mrn", "notes"}, pgx.CopyFromSlice(len(x.plain), func(i int) ([]any, error) {
			p := &x.plain[i]
			return []any{p.ID, p.Name, p.MRN, p.Notes}, nil
		}))
		return err
	}, sealAll, func(x *bench) error {
		return second(pgxcrypt.CopyInto(ctx, x.db, x.fc, pgx.Identifier{"sealed_bench"}, x.sealed))
	})
}

const (
	insertPlainBench  = "INSERT INTO plain_bench (id, name, mrn, notes) VALUES (@id, @name, @mrn, @notes)"
	insertSealedBench = "INSERT INTO sealed_bench (id, name, mrn, mrn_bidx, notes) VALUES (@id, @name, @mrn, @mrn_bidx, @notes)"
)

// perBatch is how many rows a batch has.
const perBatch = 100

// inBatches sends rows in batches.
func inBatches(ctx context.Context, db *pgxpool.Pool, sql string, args func(i int) pgx.QueryRewriter) error {
	for at := 0; at < benchRows; at += perBatch {
		batch := &pgx.Batch{}
		for i := range perBatch {
			batch.Queue(sql, args(at+i))
		}
		if err := db.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkBatch(b *testing.B) {
	compare(b, empty, func(x *bench) error {
		return inBatches(ctx, x.db, insertPlainBench, func(i int) pgx.QueryRewriter { return pgx.StructArgs(&x.plain[i]) })
	}, sealAll, func(x *bench) error {
		return inBatches(ctx, x.db, insertSealedBench, func(i int) pgx.QueryRewriter { return pgxcrypt.Args(x.fc, &x.sealed[i]) })
	})
}

func BenchmarkSelect(b *testing.B) {
	var stored [][3][]byte
	compare(b, func(x *bench) {
		if len(stored) > 0 && x.filled() {
			return
		}
		empty(x)
		if _, err := pgxcrypt.CopyInto(ctx, x.db, x.fc, pgx.Identifier{"sealed_bench"}, x.sealed); err != nil {
			b.Fatal(err)
		}
		if err := inBatches(ctx, x.db, insertPlainBench, func(i int) pgx.QueryRewriter { return pgx.StructArgs(&x.plain[i]) }); err != nil {
			b.Fatal(err)
		}
		stored = nil
		var name, mrn, notes []byte
		rows, err := x.db.Query(ctx, "SELECT name, mrn, notes FROM sealed_bench")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pgx.ForEachRow(rows, []any{&name, &mrn, &notes}, func() error {
			stored = append(stored, [3][]byte{name, mrn, notes})
			name, mrn, notes = nil, nil, nil
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}, func(x *bench) error {
		return second(query(x.db, pgx.RowToStructByName[plainBench], "SELECT * FROM plain_bench"))
	}, func(x *bench) error {
		opened := make([]sealedBench, len(stored))
		v := reflect.ValueOf(opened)
		for i := range stored {
			for k, f := range x.model.Fields {
				if err := x.fc.Open(ctx, f, stored[i][k], v.Index(i).FieldByIndex(f.Index), fieldcrypt.Row{}); err != nil {
					return err
				}
			}
		}
		return nil
	}, func(x *bench) error {
		return second(query(x.db, pgxcrypt.RowToStructByName[sealedBench](ctx, x.fc), "SELECT * FROM sealed_bench"))
	})
}

// filled reports whether the tables hold their rows.
func (x *bench) filled() bool {
	n := collect(x.b, x.db, pgx.RowTo[int], "SELECT count(*)::int FROM sealed_bench")
	return n[0] == benchRows
}
