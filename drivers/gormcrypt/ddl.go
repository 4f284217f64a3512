package gormcrypt

import (
	"slices"
	"strings"
)

// ddl is a statement that makes or changes a table, cut where its parts end.
type ddl struct {
	text   string
	tokens []ddlToken
}

// ddlToken is a piece of it. Names lose their quotes and case, so that two ways
// to write the same thing compare equal.
type ddlToken struct {
	text    string
	at, end int
}

// parseDDL cuts a statement. It knows literals, quoted names and comments, as
// people write them into what SQLite keeps of a table.
func parseDDL(text string) *ddl {
	d := &ddl{text: text}
	for at := 0; at < len(text); {
		at = d.token(at)
	}
	return d
}

func (d *ddl) token(at int) int {
	c, rest := d.text[at], d.text[at:]
	add := func(name string, n int) int {
		d.tokens = append(d.tokens, ddlToken{name, at, at + n})
		return at + n
	}
	switch {
	case strings.IndexByte(" \t\n\r\f", c) >= 0:
		return at + 1
	case strings.HasPrefix(rest, "--"):
		return at + until(rest, "\n", 2)
	case strings.HasPrefix(rest, "/*"):
		return at + until(rest, "*/", 2)
	case c == '\'':
		n := quotedLen(rest, c, false)
		return add(rest[:n], n)
	case c == '"' || c == '`':
		n := quotedLen(rest, c, false)
		q := string(c)
		return add(strings.ToLower(strings.ReplaceAll(strings.Trim(rest[:n], q), q+q, q)), n)
	case c == '[':
		if n := until(rest, "]", 1); n > 2 && isWordByte(rest[1]) {
			return add(strings.ToLower(rest[1:n-1]), n)
		}
		return add("[", 1)
	case !isWordByte(c):
		return add(string(c), 1)
	}
	n := span(rest, func(c byte) bool { return isWordByte(c) || c == '$' })
	if n == 1 && len(rest) > 1 && rest[1] == '\'' && strings.IndexByte("xXeEbB", c) >= 0 {
		n += quotedLen(rest[1:], '\'', c == 'e' || c == 'E')
	}
	return add(strings.ToLower(rest[:n]), n)
}

// until returns how far it is to the end of what s ends with, looked for from
// byte from on, or to the end of s.
func until(s, end string, from int) int {
	if i := strings.Index(s[min(from, len(s)):], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// quotedLen returns the length of a quoted text with its quotes, which are
// doubled inside, or escaped by a backslash.
func quotedLen(s string, q byte, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] != q:
		case i+1 < len(s) && s[i+1] == q:
			i++
		default:
			return i + 1
		}
	}
	return len(s)
}

// element is a column or constraint in the list of a statement: tokens[from:to].
type element struct{ from, to int }

// elements returns what stands, between commas, in the first parentheses.
func (d *ddl) elements() []element {
	for i, t := range d.tokens {
		if t.text == "(" {
			return d.split(i + 1)
		}
	}
	return nil
}

// split cuts at the commas from token from on, up to the end or to a closing
// parenthesis.
func (d *ddl) split(from int) (elements []element) {
	depth, start := 0, from
	i := from
	for ; i < len(d.tokens) && depth >= 0; i++ {
		switch d.tokens[i].text {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			if depth == 0 {
				elements = append(elements, element{start, i})
				start = i + 1
			}
		}
	}
	if depth < 0 {
		i--
	}
	return append(elements, element{start, i})
}

// words returns the tokens of an element.
func (d *ddl) words(e element) (words []string) {
	for _, t := range d.tokens[e.from:e.to] {
		words = append(words, t.text)
	}
	return words
}

// check looks for the CHECK that an encrypted column of that name must have.
func (d *ddl) check(column string) place {
	found := nowhere
	want := checkWords(column)
	for _, e := range d.elements() {
		words := d.words(e)
		if !containsRun(words, want) {
			continue
		}
		found = atTable
		if words[0] == strings.ToLower(column) {
			return atColumn
		}
	}
	return found
}

// constraint reports whether a constraint has that name.
func (d *ddl) constraint(name string) bool {
	return containsRun(d.words(element{0, len(d.tokens)}), []string{"constraint", strings.ToLower(name)})
}

func checkWords(column string) []string {
	d := parseDDL("CHECK (" + sqliteCheck(column) + ")")
	return d.words(element{0, len(d.tokens)})
}

func containsRun(words, run []string) bool {
	for i := range words {
		if i+len(run) <= len(words) && slices.Equal(words[i:i+len(run)], run) {
			return true
		}
	}
	return false
}
