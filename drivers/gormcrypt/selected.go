package gormcrypt

import (
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/utils"
)

// selected returns the columns of the statement's own table that SELECT brings,
// lower case, nil for all. ok is false if it does more than bring columns.
func (sc *scope) selected() (names []string, ok bool) {
	list, isList := sc.stmt.Clauses["SELECT"].Expression.(clause.Select)
	several := len(sc.sources()) > 1
	switch {
	case !isList || list.Expression != nil:
		return nil, false
	case len(list.Columns) == 0:
		return nil, !several
	}
	names = []string{}
	all := false
	for _, col := range list.Columns {
		if !col.Raw {
			own := col.Table == "" || col.Table == clause.CurrentTable || strings.EqualFold(unquote(col.Table), sc.main().alias)
			name := strings.ToLower(unquote(col.Name))
			switch {
			case col.Alias == "" && !own && sc.main().column(name) != nil:
				return nil, false
			case col.Alias == "":
				names = append(names, name)
			case col.Alias != utils.NestedRelationName(col.Table, col.Name):
				return nil, false
			}
			continue
		}
		more, star, ok := sc.selectedText(col.Name)
		if !ok {
			return nil, false
		}
		names, all = append(names, more...), all || star
	}
	if all {
		return nil, true
	}
	return names, true
}

// selectedText is selected for a text: name, alias.name, * or alias.*, separated
// by commas.
func (sc *scope) selectedText(text string) (names []string, star, ok bool) {
	r := rewriter{scope: sc, parsed: parse(text, 0, nil, false)}
	for i := 0; i < len(r.tokens); i++ {
		if r.tokens[i].is("*") {
			star = true
			if len(r.sources()) > 1 {
				return nil, false, false
			}
		} else if !r.tokens[i].ident() {
			return nil, false, false
		} else {
			end, path := r.path(i)
			qualifier, name := splitPath(path)
			if r.peek(end).is(".") && r.peek(end+1).is("*") {
				qualifier, name, end = path, "*", end+2
			}
			_, alias := splitPath(qualifier)
			own := qualifier == "" || alias == r.main().alias
			switch {
			case !own && (name == "*" || r.main().column(name) != nil):
				return nil, false, false // of another table, in place of the own column
			case name == "*":
				star = true
			default:
				names = append(names, name)
			}
			i = end - 1
		}
		if i++; i < len(r.tokens) && (!r.tokens[i].is(",") || i == len(r.tokens)-1) {
			return nil, false, false
		}
	}
	return names, star, true
}
