package main

import "math/rand/v2"

// random is a stream of choices that is the same on every machine and with
// every Go release: of math/rand/v2 it uses the PCG generator alone, which is
// specified, and none of the functions whose results may change.
type random struct{ src *rand.PCG }

func newRandom(seed uint64) random { return random{rand.NewPCG(seed, 0)} }

// below returns a number in [0, n).
func (r random) below(n int) int { return int(r.src.Uint64() % uint64(n)) }

// percent is true p times in a hundred.
func (r random) percent(p int) bool { return r.below(100) < p }

// one returns one of the choices.
func one[T any](r random, choices []T) T { return choices[r.below(len(choices))] }
