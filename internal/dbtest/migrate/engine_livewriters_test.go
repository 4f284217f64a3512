package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/migrate"
)

const (
	liveEnv     = "FIELDCRYPT_LIVE_WRITERS"
	liveWriters = 4
	livePause   = 2 * time.Millisecond // 500 a second each
)

// TestLiveWritersChild is an application in a process of its own: it prints how
// long each of its transactions took, in µs, until it is interrupted.
func TestLiveWritersChild(t *testing.T) {
	url, duration, _ := strings.Cut(os.Getenv(liveEnv), "|")
	if url == "" {
		t.Skip("only as a child of BenchmarkLiveWriters")
	}
	d, err := time.ParseDuration(duration)
	ok(t, err)
	r := newResealer(t)
	all := make([][]int64, liveWriters)
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for i := range all {
		conn, err := pgx.Connect(t.Context(), url)
		ok(t, err)
		defer conn.Close(context.Background())
		wg.Go(func() {
			tick := time.NewTicker(livePause)
			defer tick.Stop()
			for now := range tick.C {
				if now.After(end) {
					return
				}
				values := r.row(t)
				began := time.Now()
				_, err := conn.Exec(context.Background(), `UPDATE bench SET c1 = $2, c2 = $3, c3 = $4, c4 = $5 WHERE id = $1`,
					rand.Int64N(benchRows), values[0], values[1], values[2], values[3])
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = append(all[i], time.Since(began).Microseconds())
			}
		})
	}
	wg.Wait()
	b, err := json.Marshal(slices.Concat(all...))
	ok(t, err)
	fmt.Printf("\nlive %s\n", b)
}

// liveWriters lets the application write for so long, and returns what its transactions took.
func (e *engine) liveWriters(b *testing.B, d time.Duration) []int64 {
	self, err := os.Executable()
	ok(b, err)
	cmd := exec.Command(self, "-test.run=^TestLiveWritersChild$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s", liveEnv, e.url, d))
	out, err := cmd.CombinedOutput()
	ok(b, err)
	_, text, _ := strings.Cut(string(out), "\nlive ")
	text, _, _ = strings.Cut(text, "\n")
	var took []int64
	ok(b, json.Unmarshal([]byte(text), &took))
	return took
}

// quantile returns one of some µs, in ms.
func quantile(took []int64, q float64) float64 {
	slices.Sort(took)
	return float64(took[int(q*float64(len(took)-1))]) / 1000
}

// BenchmarkLiveWriters measures how long the transactions of an application take
// while a job runs at the default limits, against without it, and what the job
// moves meanwhile, against the one UPDATE of the same columns.
func BenchmarkLiveWriters(b *testing.B) {
	e, r := benchEngine(b), newResealer(b)
	const d = 4 * time.Second
	var without, with []int64
	var rate, limit float64
	for b.Loop() {
		e.benchTable(b, r, benchRows)
		limit += e.plainLimit(b)
		e.benchTable(b, r, benchRows)
		without = append(without, e.liveWriters(b, d)...)
		e.benchTable(b, r, benchRows) // the writers' own keys are none of ours
		job, err := migrate.Start(context.Background(), e.db, migrate.Spec{Kind: "toy", Table: "bench"}, endless{r}, migrate.Limits{}, "tester")
		ok(b, err)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- migrate.Work(ctx, e.db, job.ID, endless{r}, migrate.Options{}) }()
		with = append(with, e.liveWriters(b, d)...)
		stop()
		<-done
		rate += float64(e.check(b, job).Changed) / time.Since(began).Seconds()
		ok(b, migrate.Cancel(context.Background(), e.db, job.ID, "tester"))
	}
	n := float64(b.N)
	b.ReportMetric(quantile(without, 0.5), "p50-without-ms")
	b.ReportMetric(quantile(without, 0.99), "p99-without-ms")
	b.ReportMetric(quantile(with, 0.5), "p50-with-ms")
	b.ReportMetric(quantile(with, 0.99), "p99-with-ms")
	b.ReportMetric(quantile(with, 0.99)/quantile(without, 0.99), "p99-ratio")
	b.ReportMetric(float64(len(with))/float64(len(without)), "writes-ratio")
	b.ReportMetric(rate/n, "rows/s")
	b.ReportMetric(rate/limit, "of-limit")
}

// endless seals every value anew that is of our keys, in every pass.
type endless struct{ *resealer }

func (endless) Todo() string { return "" }

func (r endless) Rewrite(ctx context.Context, rows []migrate.Row) error {
	batch := r.table.Batch(ctx)
	for i := range rows {
		out := make([][]byte, len(r.columns))
		n, err := batch.Reseal(&fieldcrypt.StoredRow{Values: rows[i].Old}, out, r.key)
		if err != nil {
			return err
		}
		if n == len(out) { // else the application's
			rows[i].New = out
		}
	}
	return nil
}
