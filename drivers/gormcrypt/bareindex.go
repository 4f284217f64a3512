package gormcrypt

import (
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// An index column that a condition names is compared as it is. Whoever compares it
// with a value in place of a term would find nothing, and have the value logged.

// termsOnly refuses values that are no index terms for what may be an index
// column.
func (sc *scope) termsOnly(qualifier, name string, values ...any) error {
	name = strings.ToLower(unquote(name))
	if _, known := sc.reg.words[name]; !known {
		return nil
	}
	_, alias := splitPath(strings.ToLower(unquote(qualifier)))
	for i, s := range sc.sources() {
		ix := s.index(name)
		if ix == nil || alias != "" && alias != s.alias && !(i == 0 && qualifier == clause.CurrentTable) {
			continue
		}
		for _, v := range values {
			if !isTerm(v) {
				return indexErr(ix, "its column "+ix.name+" is compared with something that is no index term; compare the field, or use gormcrypt.Match, or terms of gormcrypt.Terms")
			}
		}
	}
	return nil
}

// isTerm reports whether a value is one that an index column may be compared
// with: bytes, a list of bytes, NULL, or what the database computes.
func isTerm(v any) bool {
	switch v := v.(type) {
	case nil, []byte, [][]byte, sealed, clause.Expression, clause.Column, clause.Table, *gorm.DB:
		return true
	case []any:
		for _, each := range v {
			if !isTerm(each) {
				return false
			}
		}
		return true
	}
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// indexCompared is termsOnly for what stands behind the name in tokens[i:end] of
// a text.
func (r *rewriter) indexCompared(path string, end int) error {
	qualifier, name := splitPath(path)
	if _, known := r.reg.words[name]; !known {
		return nil
	}
	at := end
	if r.peek(at).is("not") {
		at++
	}
	if !r.peek(at).is("=", "<>", "!=", "in", "<", ">", "<=", ">=", "like", "between") {
		return nil
	}
	var values []any
	for at++; r.peek(at).is("(", ",") || r.peek(at).kind == bind; at++ {
		if r.peek(at).kind == bind {
			values = append(values, r.bound(r.peek(at)))
		}
	}
	if r.peek(at).kind == str {
		values = append(values, "")
	}
	return r.termsOnly(qualifier, name, values...)
}
