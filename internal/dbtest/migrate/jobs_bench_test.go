package migrate_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// jobsBench has four encrypted columns.
type jobsBench struct {
	gormcrypt.Encrypted
	ID int64  `gorm:"autoIncrement:false"`
	C1 string `fieldcrypt:"medical"`
	C2 string `fieldcrypt:"medical"`
	C3 string `fieldcrypt:"medical"`
	C4 string `fieldcrypt:"medical"`
}

func (jobsBench) TableName() string { return "bench" }

// fill makes a table of 200,000 rows, as the application seals them.
func (j *jobs) fill(b testing.TB) {
	m, err := j.app.fc.Model(&jobsBench{})
	ok(b, err)
	j.exec(b, `TRUNCATE bench`)
	names := []string{"id"}
	for _, f := range m.Fields {
		names = append(names, f.Column)
	}
	rows := make([][]any, 10_000)
	for i := range rows {
		s := j.app.fc.Sealer(context.Background(), fieldcrypt.Row{})
		rows[i] = make([]any, 1, len(names))
		for _, f := range m.Fields {
			v, err := s.Seal(f, reflect.ValueOf("sixteen bytes..."))
			ok(b, err)
			rows[i] = append(rows[i], v)
		}
	}
	for at := 0; at < benchRows; at += len(rows) {
		_, err := j.pool.CopyFrom(context.Background(), pgx.Identifier{"bench"}, names, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			rows[i][0] = int64(at + i)
			return rows[i], nil
		}))
		ok(b, err)
	}
	j.exec(b, `VACUUM (FREEZE, ANALYZE) bench`)
	j.exec(b, `CHECKPOINT`)
}

// BenchmarkReencrypt measures the job as an operator runs it, with two workers and
// the default limits, on a table with its CHECKs, against the one UPDATE that sets
// the same columns.
func BenchmarkReencrypt(b *testing.B) {
	j := jobsAt(b, benchEngine(b).url, nil, &jobsBench{})
	j.fill(b)
	ctx, rates, limits := context.Background(), 0.0, 0.0
	for b.Loop() {
		j.fill(b)
		limits += j.plainLimit(b)
		j.fill(b)
		old := j.primary(b, jobsMedical)
		id, err := j.project.Keys.AddKey(ctx, jobsMedical, keymgr.Seal)
		ok(b, err)
		eventually(b, "the application has the key", func() bool {
			return j.project.Keys.PromoteKey(ctx, jobsMedical, keymgr.Seal, id) == nil
		})
		j.primary(b, jobsMedical) // evicts
		plan, err := j.project.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, KeyIDs: []uint32{old}})
		ok(b, err)
		ids, err := j.project.Start(ctx, plan, migrate.Limits{})
		ok(b, err)
		began := time.Now()
		ok(b, j.project.Work(ctx, ids, migrate.Options{}))
		rates += benchRows / time.Since(began).Seconds()
		if n := j.named(b, old); n != 0 {
			b.Fatalf("%d values are left", n)
		}
		ok(b, migrate.Cancel(ctx, j.project.DB, ids[0], "tester"))
	}
	b.ReportMetric(rates/float64(b.N), "rows/s")
	b.ReportMetric(limits/float64(b.N), "limit/s")
	b.ReportMetric(rates/limits, "of-limit")
}
