package gormcrypt

// parsed is SQL text with the tables that it names.
type parsed struct {
	text   string
	tokens []token
	level  []int  // per token: the select that it stands in; 0 is the statement's own
	table  []bool // per token: part of a table's name or of its alias, not of a column
	levels []level
	opaque bool // holds something that databases do not read alike
	holes  bool // a placeholder stands in a literal or quoted name

	strange string // what the text holds that is not followed, in words; "" for nothing
}

// level is a select inside the text.
type level struct {
	parent int // -1 for the statement's own
	refs   []tableRef
}

// tableRef is a table in a FROM list or JOIN.
type tableRef struct {
	path  string // as written without quotes, lower case; "" for a sub-select
	alias string // what its columns are qualified with, lower case
}

// endsFrom are the words that end a list of tables.
var endsFrom = wordSet("where", "group", "order", "having", "limit", "offset", "union", "except", "intersect",
	"set", "returning", "window", "fetch", "for", "values")

// notName are further words that stand among tables and name none.
var notName = wordSet("on", "using", "join", "left", "right", "inner", "outer", "full", "cross", "natural",
	"and", "or", "not", "tablesample", "select", "when", "then", "else", "end", "is", "in", "like", "between", "do")

func wordSet(words ...string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

// A parser walks over the tokens once and finds the tables of each select.
type parser struct {
	*parsed
	open []paren
	from []fromList // per level
}

// paren is an open parenthesis.
type paren struct {
	level int  // to return to
	table bool // stands where a table is expected
}

// fromList is how far the list of tables of a level has been read.
type fromList struct {
	depth  int  // of parentheses of the level
	active bool // in the list
	table  bool // a table comes next
}

// parse reads text; tables says that it begins with a list of tables.
func parse(text string, values int, named map[string]any, tables bool) *parsed {
	p := parser{parsed: &parsed{text: text, tokens: lex(text, values, named), levels: []level{{parent: -1}}}}
	p.level = make([]int, len(p.tokens))
	p.table = make([]bool, len(p.tokens))
	p.from = []fromList{{active: tables, table: tables}}
	for _, t := range p.tokens {
		p.opaque = p.opaque || t.kind == opaque
		p.holes = p.holes || t.holes
	}
	for i, current := 0, 0; i < len(p.tokens); {
		p.level[i] = current
		i, current = p.step(i, current)
	}
	if what := p.strangeTokens(); what != "" {
		p.strange = what
	}
	return p.parsed
}

// step reads from token i on and returns what to read next, in which level.
func (p *parser) step(i, current int) (int, int) {
	t, from := p.tokens[i], &p.from[current]
	top := from.depth == len(p.open)
	switch {
	case t.is("("):
		p.open = append(p.open, paren{current, from.table})
		if from.table && !p.peek(i+1).is("select", "with", "values") && p.peek(i+1).kind != bind {
			p.strange = "tables in parentheses"
		}
		from.table = false
		if p.peek(i+1).is("select", "with", "values") {
			p.levels = append(p.levels, level{parent: current})
			p.from = append(p.from, fromList{depth: len(p.open)})
			current = len(p.levels) - 1
		}
	case t.is(")") && len(p.open) > 0:
		closed := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		current = closed.level
		p.level[i] = current
		if closed.table {
			alias, next := p.alias(i+1, current)
			p.refer(current, tableRef{"", alias})
			return next, current
		}
	case t.is("from") && top && !p.peek(i-1).is("distinct"), t.is("join") && top:
		from.active, from.table = true, true
	case t.is(",") && top && from.active:
		from.table = true
	case t.kind == word && top && endsFrom[t.name]:
		from.active, from.table = false, false
	case from.table && (t.kind == str || t.is("[")):
		from.table = false
		p.strange = "a table in quotes of another kind"
	case from.table && !t.is("only", "lateral"):
		from.table = false
		if !p.names(i) {
			break // no table
		}
		end, path := p.path(i)
		for j := i; j < end; j++ {
			p.level[j], p.table[j] = current, true
		}
		alias, next := p.alias(end, current)
		if alias == "" {
			alias = p.tokens[end-1].name
		}
		p.refer(current, tableRef{path, alias})
		return next, current
	}
	return i + 1, current
}

func (p *parser) refer(current int, ref tableRef) {
	p.levels[current].refs = append(p.levels[current].refs, ref)
}

// alias reads [AS] alias, if there is one, and returns what follows.
func (p *parser) alias(i, current int) (alias string, next int) {
	at := i
	if p.peek(at).is("as") {
		at++
	}
	if !p.names(at) {
		return "", i
	}
	for j := i; j <= at; j++ {
		p.level[j], p.table[j] = current, true
	}
	if p.peek(at + 1).is("(") {
		p.strange = "names for the columns of a table"
	}
	return p.tokens[at].name, at + 1
}

// names reports whether token i can be a table's name or alias.
func (p *parser) names(i int) bool {
	t := p.peek(i)
	return t.kind == quoted || t.kind == word && !endsFrom[t.name] && !notName[t.name]
}

// peek returns token i, or one that is nothing.
func (p *parsed) peek(i int) token {
	if i < 0 || i >= len(p.tokens) {
		return token{kind: symbol}
	}
	return p.tokens[i]
}

// path reads name[.name]... and returns what follows, and the path.
func (p *parsed) path(i int) (end int, path string) {
	path = p.tokens[i].name
	for end = i + 1; p.peek(end).is(".") && p.peek(end+1).ident(); end += 2 {
		path += "." + p.tokens[end+1].name
	}
	return end, path
}

// pathAt returns the path that begins at token i.
func (p *parsed) pathAt(i int) string {
	_, path := p.path(i)
	return path
}
