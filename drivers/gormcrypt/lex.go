package gormcrypt

import (
	"regexp"
	"strings"
)

// kind is what a token of SQL text is.
type kind uint8

const (
	word   kind = iota // identifier or keyword
	quoted             // "identifier" or `identifier`
	str                // 'literal'
	number
	bind   // ? or @name: a placeholder that GORM fills in
	symbol // one of ( ) , . ; [ ] or a run of operator characters
	opaque // a comment, or quoting whose end depends on the database
)

// token is a piece of SQL text, white space left out. Its place in the text is
// text[at:end].
type token struct {
	kind    kind
	name    string // of a word or quoted: the identifier, lower case; of a symbol: itself; of a @name: the name
	at, end int
	holes   bool // GORM would look for placeholders inside this literal, comment or quoted name
	value   int  // of a bind: index of its value; -1 for a @name
}

func (t token) is(names ...string) bool {
	if t.kind != word && t.kind != symbol {
		return false
	}
	for _, n := range names {
		if t.name == n {
			return true
		}
	}
	return false
}

// ident reports whether t can name a table or column.
func (t token) ident() bool { return t.kind == word || t.kind == quoted }

// A lexer cuts text as GORM and databases read it. GORM takes each ? for a
// placeholder while there are values, and in named text each @, wherever they
// stand.
type lexer struct {
	text   string
	named  map[string]any // nil: @ is no placeholder
	values int            // how many ? are placeholders
	next   int
	tokens []token
}

func lex(text string, values int, named map[string]any) []token {
	l := lexer{text: text, named: named, values: values}
	for at := 0; at < len(text); {
		at = l.token(at)
	}
	return l.tokens
}

func (l *lexer) add(k kind, name string, at, end int) int {
	t := token{kind: k, name: name, at: at, end: end, value: -1}
	if k == str || k == quoted || k == opaque {
		s := l.text[at:end]
		marks := strings.Count(s, "?")
		t.holes = marks > 0 && l.next < l.values || l.named != nil && strings.Contains(s, "@")
		l.next += marks
	}
	l.tokens = append(l.tokens, t)
	return end
}

func (l *lexer) token(at int) int {
	c, rest := l.text[at], l.text[at:]
	switch {
	case strings.IndexByte(" \t\n\r\f", c) >= 0:
		return at + 1
	case isWordByte(c) && !isDigit(c):
		end := at + span(rest, func(c byte) bool { return isWordByte(c) || c == '$' })
		return l.add(word, strings.ToLower(l.text[at:end]), at, end)
	case isDigit(c):
		end := at + len(numeral.FindString(rest))
		if end < len(l.text) && isWordByte(l.text[end]) {
			return l.add(opaque, "", at, len(l.text)) // 0.mrn: a column to some databases
		}
		return l.add(number, "", at, end)
	case c == '\'' || c == '"' || c == '`':
		return l.quote(at, c)
	case c == '$' && positional.MatchString(rest):
		return l.add(number, "", at, at+1+span(rest[1:], isDigit)) // $1: GORM has filled it in already
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "/*"), c == '$', c == '\\', c < ' ':
		// What follows may be read in more than one way. One opaque token is
		// enough for the text not to be understood where that matters.
		return l.add(opaque, "", at, len(l.text))
	case c == '?' && l.next < l.values:
		l.next++
		l.add(bind, "", at, at+1)
		l.tokens[len(l.tokens)-1].value = l.next - 1
		return at + 1
	case c == '@' && l.named != nil:
		return l.at(at)
	case strings.IndexByte("(),.;[]?", c) >= 0:
		return l.add(symbol, string(c), at, at+1)
	}
	end := at + 1
	for end < len(l.text) && strings.IndexByte("=<>!~+-*/%^&|#:@", l.text[end]) >= 0 && (l.text[end] != '@' || l.named == nil) {
		if s := l.text[end:]; strings.HasPrefix(s, "--") || strings.HasPrefix(s, "/*") {
			break
		}
		end++
	}
	return l.add(symbol, l.text[at:end], at, end)
}

// quote reads a quoted name or literal, in which the quote is doubled.
func (l *lexer) quote(at int, q byte) int {
	end := at + 1
	for ; end < len(l.text); end++ {
		if l.text[end] != q {
			continue
		}
		if end+1 < len(l.text) && l.text[end+1] == q {
			end++
			continue
		}
		return l.quotedToken(at, end+1, q)
	}
	return l.add(opaque, "", at, len(l.text)) // no end
}

func (l *lexer) quotedToken(at, end int, q byte) int {
	inside := l.text[at+1 : end-1]
	if strings.Contains(inside, `\`) || l.prefixed(at) {
		return l.add(opaque, "", at, len(l.text)) // E'\'', U&"\0061": the end or the name may be another
	}
	if q == '\'' {
		return l.add(str, "", at, end)
	}
	return l.add(quoted, strings.ToLower(strings.ReplaceAll(inside, string([]byte{q, q}), string(q))), at, end)
}

// prefixed reports whether a quote has a prefix, such as E or U&.
func (l *lexer) prefixed(at int) bool {
	if at == 0 {
		return false
	}
	before := l.text[at-1]
	return isWordByte(before) || before == '&' && at > 1 && isWordByte(l.text[at-2])
}

// at reads a @name as GORM does: up to one of a few characters.
func (l *lexer) at(at int) int {
	end := at + 1
	for end < len(l.text) && strings.IndexByte(" ,)\"'`\r\n;", l.text[end]) < 0 {
		end++
	}
	name := l.text[at+1 : end]
	if _, ok := l.named[name]; !ok {
		return l.add(opaque, "", at, end) // GORM writes it as it is
	}
	return l.add(bind, name, at, end)
}

var numeral = regexp.MustCompile(`^(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)`)

// positional is a parameter of Postgres. $1( and $1: are more to SQLite, and $a$
// begins a literal.
var positional = regexp.MustCompile(`^\$[0-9]+(?:[^$:(0-9A-Za-z_\x80-\xff]|$)`)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_' || c >= 0x80
}

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}
