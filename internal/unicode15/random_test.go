package unicode15

import "math/rand/v2"

// randomTexts makes texts that are rich in what normalization and case
// conversion act on. The same seed gives the same texts under every Go release:
// PCG is specified, and nothing else of math/rand is used.
type randomTexts struct {
	pcg   *rand.PCG
	alpha []rune
}

func newRandomTexts(seed uint64) *randomTexts {
	alpha := []rune{0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3}
	for _, e := range decompositions {
		if e.r < 0xF900 || e.r > 0xFAD9 && e.r < 0x2F800 { // few CJK singletons
			alpha = append(alpha, e.r)
		}
	}
	for _, e := range compositions {
		alpha = append(alpha, e.first, e.second, e.second)
	}
	for _, e := range normRanges {
		if e.ccc != 0 {
			alpha = append(alpha, e.lo, e.hi, e.lo, e.hi)
		}
	}
	for _, table := range [][]caseRange{lowerRanges, upperRanges, foldRanges} {
		for _, e := range table {
			alpha = append(alpha, e.lo, e.hi)
		}
	}
	for _, table := range [][]expansion{upperFull, foldFull} {
		for _, e := range table {
			alpha = append(alpha, e.r)
		}
	}
	return &randomTexts{pcg: rand.NewPCG(seed, 15), alpha: alpha}
}

// next returns a text of 0..max code points.
func (t *randomTexts) next(max uint64) string {
	s := make([]rune, t.pcg.Uint64()%(max+1))
	for i := range s {
		if t.pcg.Uint64()%16 == 0 {
			s[i] = rune(t.pcg.Uint64() % 0xD800)
		} else {
			s[i] = t.alpha[t.pcg.Uint64()%uint64(len(t.alpha))]
		}
	}
	return string(s)
}
