package fieldcrypttest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// written lists ways in which a careless application stores a value.
func written(value string) map[string]any {
	b := []byte(value)
	inJSON, _ := json.Marshal(map[string]string{"note": value})
	var wide []byte
	for _, u := range utf16.Encode([]rune(value)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	return map[string]any{
		"text":              "so " + value + ".",
		"upper case":        strings.ToUpper(value),
		"lower case":        strings.ToLower(value),
		"bytes":             append([]byte{1, 2, 3}, b...),
		"hex":               hex.EncodeToString(b),
		"upper-case hex":    strings.ToUpper(hex.EncodeToString(b)),
		"hex in bytes":      []byte("x" + hex.EncodeToString(b)),
		"base64":            base64.StdEncoding.EncodeToString(b),
		"base64 after one":  base64.StdEncoding.EncodeToString(append([]byte("?"), b...)) + "x",
		"base64 after two":  base64.URLEncoding.EncodeToString(append([]byte("??"), b...)),
		"base64 in between": base64.StdEncoding.EncodeToString([]byte("?" + value + "??")),
		"JSON":              string(inJSON),
		"Go":                fmt.Sprintf("%q", value),
		"Go bytes":          fmt.Sprint(b),
		"UTF-16":            wide,
	}
}

// quoted lists how Postgres writes a text or bytes: alone, in an array, and in a
// literal in the log.
func quoted(stored any) map[string]string {
	text, isText := stored.(string)
	if !isText {
		text = fmt.Sprintf(`\x%x`, stored)
	}
	array := `{1,"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"}`
	return map[string]string{
		"alone":             text,
		"array":             array,
		"row":               `(1,"` + strings.NewReplacer(`\`, `\\`, `"`, `""`).Replace(text) + `")`,
		"literal":           `SELECT '` + strings.ReplaceAll(text, "'", "''") + `'`,
		"array in literal":  `$1 = '` + strings.ReplaceAll(array, "'", "''") + `'`,
		"literal in JSON":   jsonOf(`SELECT '`+strings.ReplaceAll(text, "'", "''")+`'`, true),
		"escape in literal": `SELECT E'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + `'`,
	}
}

func whereIn(data, value string) []string {
	s := &search{found: map[string]bool{}, forms: [][]form{formsOf(value)}}
	s.look("here", []byte(data))
	return s.lines
}

// TestEveryFormIsFound: however a careless application has stored a value.
func TestEveryFormIsFound(t *testing.T) {
	for _, value := range []string{"4111 1111 1111 1111", `Allergic to "penicillin" & cats, says O'Brien`, "Zoë Quillfeather", `C:\Temp\x`, "a\nnew line", "1234567"} {
		for form, stored := range written(value) {
			for how, data := range quoted(stored) {
				if whereIn(data, value) == nil {
					t.Errorf("%q as %s, %s: not found in %q", value, form, how, data)
				}
				if lines := whereIn(data, "another value"); lines != nil {
					t.Errorf("found what is not there: %v", lines)
				}
			}
		}
	}
}

// TestDigitsOfHexAreNotDigits: in the bytes that Postgres writes as hex, a number
// is not found by chance.
func TestDigitsOfHexAreNotDigits(t *testing.T) {
	for _, data := range []string{`\xab4111111111111111cd`, `{"\\x4111111111111111"}`, `INSERT INTO x VALUES ('\x4111111111111111')`} {
		if lines := whereIn(data, "4111 1111 1111 1111"); lines != nil {
			t.Errorf("%s: %v", data, lines)
		}
	}
}
