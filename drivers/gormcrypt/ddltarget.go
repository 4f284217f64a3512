package gormcrypt

import "slices"

// defines reports whether a statement makes a column.
func (d *ddl) defines(column string) bool {
	return slices.ContainsFunc(d.elements(), func(e element) bool { return e.from < e.to && d.tokens[e.from].text == column })
}

func (d *ddl) starts(words ...string) bool {
	return len(d.tokens) >= len(words) && slices.Equal(d.words(element{0, len(words)}), words)
}

// table returns the table that a statement is about, "" if it is about none.
func (d *ddl) table() string {
	path, _ := d.target()
	return path
}

// target returns the table and the number of the token that follows its name.
func (d *ddl) target() (path string, next int) {
	after := "table"
	if d.makesIndex() {
		after = "on"
	}
	i := slices.IndexFunc(d.tokens, func(t ddlToken) bool { return t.text == after }) + 1
	if i == 0 {
		return "", len(d.tokens)
	}
	for d.peek(i, "if", "not", "exists", "only") {
		i++
	}
	if i < len(d.tokens) {
		path, i = d.tokens[i].text, i+1
	}
	for ; d.peek(i, ".") && i+1 < len(d.tokens); i += 2 {
		path += "." + d.tokens[i+1].text
	}
	return path, i
}

func (d *ddl) makesIndex() bool {
	return d.starts("create", "index") || d.starts("create", "unique", "index")
}

// several reports whether the text holds more than one statement.
func (d *ddl) several() bool {
	i := slices.IndexFunc(d.tokens, func(t ddlToken) bool { return t.text == ";" })
	return i >= 0 && i < len(d.tokens)-1
}

func (d *ddl) peek(i int, words ...string) bool {
	return i < len(d.tokens) && slices.Contains(words, d.tokens[i].text)
}
