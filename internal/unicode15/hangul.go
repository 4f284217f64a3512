package unicode15

// Hangul syllables are composed by arithmetic: The Unicode Standard, section
// 3.12, Conjoining Jamo Behavior.
const (
	hangulS = 0xAC00 // first syllable
	hangulL = 0x1100 // first leading consonant
	hangulV = 0x1161 // first vowel
	hangulT = 0x11A7 // one before the first trailing consonant

	hangulVCount = 21
	hangulTCount = 28
	hangulLCount = 19
	hangulSCount = hangulLCount * hangulVCount * hangulTCount
)

func isHangulSyllable(r rune) bool { return hangulS <= r && r < hangulS+hangulSCount }

func decomposeHangul(dst []char, syllable rune) []char {
	i := syllable - hangulS
	dst = append(dst,
		char{r: hangulL + i/(hangulVCount*hangulTCount)},
		char{r: hangulV + i/hangulTCount%hangulVCount})
	if t := i % hangulTCount; t != 0 {
		dst = append(dst, char{r: hangulT + t})
	}
	return dst
}

func composeHangul(first, second rune) (rune, bool) {
	switch {
	case hangulL <= first && first < hangulL+hangulLCount &&
		hangulV <= second && second < hangulV+hangulVCount:
		return hangulS + ((first-hangulL)*hangulVCount+second-hangulV)*hangulTCount, true
	case isHangulSyllable(first) && (first-hangulS)%hangulTCount == 0 &&
		hangulT < second && second < hangulT+hangulTCount:
		return first + second - hangulT, true
	}
	return 0, false
}
