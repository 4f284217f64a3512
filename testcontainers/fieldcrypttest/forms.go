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
	name     string
	text     []byte
	unquoted bool // looked for in what unquote returns
}

// minDigits is how long a number must be to be looked for without its separators.
const minDigits = 8

// formsOf lists the forms of a value, without repetition.
func formsOf(value string) []form {
	l := formList{seen: map[string]bool{}}
	digits := digitsOf(value)
	for _, cased := range []string{value, strings.ToLower(value), strings.ToUpper(value)} {
		ascii := strconv.QuoteToASCII(cased)
		ascii = ascii[1 : len(ascii)-1]
		l.text("text", cased, jsonOf(cased, true), jsonOf(cased, false), ascii, upperEscapes(ascii))
		l.text("URL", url.QueryEscape(cased), url.PathEscape(cased))
		l.coded(cased)
	}
	if len(digits) >= minDigits {
		l.text("digits", digits)
		l.coded(digits)
	}
	return l.forms
}

type formList struct {
	forms []form
	seen  map[string]bool
}

func (l *formList) add(name, text string, unquoted bool) {
	key := strconv.FormatBool(unquoted) + text
	if text != "" && !l.seen[key] {
		l.seen[key] = true
		l.forms = append(l.forms, form{name, []byte(text), unquoted})
	}
}

// text adds forms that quoting may have changed, once or several times: as JSON
// in an array in a literal.
func (l *formList) text(name string, texts ...string) {
	for _, text := range texts {
		l.add(name, text, false)
		if bare := unquote([]byte(text)); len(bare) >= MinPlaintext {
			l.add(name, string(bare), true)
		}
	}
}

// coded adds forms without quotes.
func (l *formList) coded(text string) {
	digits := hex.EncodeToString([]byte(text))
	l.add("hex", digits, false)
	l.add("hex", strings.ToUpper(digits), false)
	for _, code := range base64Of([]byte(text)) {
		l.add("base64", code, false)
	}
	decimal := strings.Trim(fmt.Sprint([]byte(text)), "[]")
	for _, between := range []string{" ", ", ", ","} {
		l.add("decimal bytes", strings.ReplaceAll(decimal, " ", between), false)
	}
	l.add("UTF-16", wide(text, 0), false)
	l.add("UTF-16", wide(text, 1), false)
}

// unquote drops what quoting adds, however deep it goes.
func unquote(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, b := range text {
		if b != '\\' && b != '"' && b != '\'' {
			out = append(out, b)
		}
	}
	return out
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
