// Package keymgrtest helps to test what uses keymgr: keys in memory for unit
// tests ([New], [NewPerTenant]), a clock that tests move ([Clock]), a KMS key that refuses,
// fails or hangs on demand ([KEK]), and the conformance suites that every KEK
// and every store passes ([ExerciseKEK], [ExerciseStore]).
package keymgrtest
