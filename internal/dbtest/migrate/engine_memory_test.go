package migrate_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/fieldcrypt/go/migrate"
)

// BenchmarkEngineMemory reports the most memory that a job has in use, which is
// not to grow with the table.
func BenchmarkEngineMemory(b *testing.B) {
	e, r := benchEngine(b), newResealer(b)
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			var most uint64
			for b.Loop() {
				e.benchTable(b, r, n)
				r.rotate()
				job := e.start(b, "bench", r)
				runtime.GC()
				stop, stopped := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(stopped)
					sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
					for tick := time.NewTicker(5 * time.Millisecond); ; {
						metrics.Read(sample)
						most = max(most, sample[0].Value.Uint64())
						select {
						case <-stop:
							return
						case <-tick.C:
						}
					}
				}()
				ok(b, migrate.Work(context.Background(), e.db, job.ID, r, migrate.Options{}))
				close(stop)
				<-stopped
				if s := e.check(b, job); s.Changed != int64(n) {
					b.Fatalf("%+v", s)
				}
				ok(b, migrate.Cancel(context.Background(), e.db, job.ID, "tester"))
			}
			b.ReportMetric(float64(most)/(1<<20), "peak-heap-MB")
		})
	}
}
