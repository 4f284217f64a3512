package fieldcrypttest_test

import "testing"

// BenchmarkStart is an environment to its first query, on a server that runs.
func BenchmarkStart(b *testing.B) {
	start(b)
	for b.Loop() {
		ok(b, start(b).Pool.Ping(ctx))
	}
}

// BenchmarkReset is a reset after a write to the first query.
func BenchmarkReset(b *testing.B) {
	env := start(b)
	for b.Loop() {
		ok(b, env.GORM.Create(&Patient{MRN: "MRN-1042"}).Error)
		env.Reset(b)
		ok(b, env.Pool.Ping(ctx))
	}
}
