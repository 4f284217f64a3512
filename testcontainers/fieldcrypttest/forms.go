package fieldcrypttest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
)

// form is a way in which a value may have been written down.
type form struct {
	name string
	text []byte
}

// minDigits is how long a number must be to be looked for without its separators.
const minDigits = 8

// formsOf lists the forms of a value, without repetition.
func formsOf(value string) []form {
	var forms []form
	seen := map[string]bool{}
	add := func(name string, texts ...string) {
		for _, text := range texts {
			if text != "" && !seen[text] {
				seen[text] = true
				forms = append(forms, form{name, []byte(text)})
			}
		}
	}
	b := []byte(value)
	add("text", value, strings.ToLower(value), strings.ToUpper(value))
	if digits := digitsOf(value); len(digits) >= minDigits {
		add("digits", digits)
	}
	for _, cased := range []string{value, strings.ToLower(value), strings.ToUpper(value), digitsOf(value)} {
		if len(cased) >= MinPlaintext {
			digits := hex.EncodeToString([]byte(cased))
			add("hex", digits, strings.ToUpper(digits))
			add("base64", base64Of([]byte(cased))...)
		}
	}
	add("JSON", jsonOf(value, true), jsonOf(value, false))
	ascii := strconv.QuoteToASCII(value)
	add("escaped text", strings.Trim(strconv.Quote(value), `"`), ascii[1:len(ascii)-1], upperEscapes(ascii[1:len(ascii)-1]))
	add("SQL", strings.ReplaceAll(value, "'", "''"), strings.ReplaceAll(value, `"`, `""`),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
	add("URL", url.QueryEscape(value), url.PathEscape(value))
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	add("decimal bytes", decimal, strings.ReplaceAll(decimal, " ", ", "), strings.ReplaceAll(decimal, " ", ","))
	add("UTF-16", wide(value, 0), wide(value, 1))
	return forms
}

// digitsOf returns the digits of a number with separators; "" for other texts.
func digitsOf(value string) string {
	var digits []byte
	for _, r := range value {
		switch {
		case '0' <= r && r <= '9':
			digits = append(digits, byte(r))
		case !strings.ContainsRune(" -./_\u00a0", r):
			return ""
		}
	}
	return string(digits)
}

// base64Of lists what a value looks like in base64, which depends on how many
// bytes come before it: the characters that are its own alone.
func base64Of(b []byte) (list []string) {
	for shift := range 3 {
		text := append(make([]byte, shift), b...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			code := encoding.EncodeToString(text)
			from := (shift*8 + 5) / 6      // the first character that holds no bit of what is before
			to := (shift + len(b)) * 8 / 6 // the last that holds none of what comes after
			list = append(list, code[from:to])
		}
	}
	return list
}

// jsonOf is a value inside a JSON string.
func jsonOf(value string, html bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if err := enc.Encode(value); err != nil {
		return ""
	}
	text := strings.TrimSpace(b.String())
	return text[1 : len(text)-1]
}

// upperEscapes turns \u00e4 into \u00E4.
func upperEscapes(text string) string {
	parts := strings.Split(text, `\u`)
	for i := 1; i < len(parts); i++ {
		n := min(4, len(parts[i]))
		parts[i] = strings.ToUpper(parts[i][:n]) + parts[i][n:]
	}
	return strings.Join(parts, `\u`)
}

// wide is a value in UTF-16, low bytes first or high bytes first.
func wide(value string, high int) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(value)) {
		pair := [2]byte{byte(unit), byte(unit >> 8)}
		b = append(b, pair[high], pair[1-high])
	}
	return string(b)
}
