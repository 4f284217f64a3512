package drivertest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Canary is text that no honest output holds. [FindCanary] finds it in whatever
// form it left the process.
const Canary = `Canäry'"\Zebra 7391-7391`

// canaryForms are ways to write a value down.
func canaryForms(canary string) map[string][]byte {
	b := []byte(canary)
	quoted := strconv.Quote(canary)
	ascii := strconv.QuoteToASCII(canary)
	return map[string][]byte{
		"plain":            b,
		"hex":              []byte(hex.EncodeToString(b)),
		"upper-case hex":   []byte(strings.ToUpper(hex.EncodeToString(b))),
		"quoted":           []byte(quoted[1 : len(quoted)-1]),
		"quoted to ASCII":  []byte(ascii[1 : len(ascii)-1]),
		"SQL literal":      []byte(strings.ReplaceAll(canary, "'", "''")),
		"SQL identifier":   []byte(strings.ReplaceAll(canary, `"`, `""`)),
		"URL":              []byte(url.QueryEscape(canary)),
		"bytes in decimal": []byte(strings.Trim(fmt.Sprint(b), "[]")),
		"a part of it":     []byte("Zebra"),
		"its digits":       []byte("7391-7391"),
		"digits alone":     []byte("73917391"),
	}
}

// FindCanary says in what form data holds the canary, or "".
func FindCanary(data []byte) string {
	for form, b := range canaryForms(Canary) {
		if bytes.Contains(data, b) {
			return form
		}
	}
	for shift := range 3 { // base64 at every alignment
		b := append(make([]byte, shift), Canary...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(b)
			if s = s[4 : len(s)-4]; bytes.Contains(data, []byte(s)) {
				return "base64"
			}
		}
	}
	return ""
}
