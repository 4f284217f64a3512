package pgxcrypt

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// indexDDL is an index of the database with a blind index column in it.
type indexDDL struct {
	name   string
	unique bool
	where  string
	keys   []indexKey
}

type indexKey struct {
	column   string
	priority int
}

// create writes the statement.
func (ix *indexDDL) create(t *table) string {
	slices.SortStableFunc(ix.keys, func(a, b indexKey) int { return cmp.Compare(a.priority, b.priority) })
	var keys []string
	for _, k := range ix.keys {
		keys = append(keys, quoteName(k.column))
	}
	unique, where := "", ""
	if ix.unique {
		unique = "UNIQUE "
	}
	if ix.where != "" {
		where = " WHERE " + ix.where
	}
	return fmt.Sprintf("CREATE %sINDEX IF NOT EXISTS %s ON %s (%s)%s;\n", unique, quoteName(ix.name), t.sqlName(), strings.Join(keys, ", "), where)
}

// indexesDDL returns the indexes on index columns: those that the gorm tags of
// their fields ask for, or else a plain one.
func (t *table) indexesDDL() (list []*indexDDL, err error) {
	byName := map[string]*indexDDL{}
	add := func(name string, column string) *indexDDL {
		ix := byName[name]
		if ix == nil {
			ix = &indexDDL{name: name}
			byName[name] = ix
			list = append(list, ix)
		}
		ix.keys = append(ix.keys, indexKey{column, 10}) // GORM's priority
		return ix
	}
	ours := map[string]bool{}
	for _, c := range t.columns {
		column := c.name
		if c.encrypted() {
			column = ""
			if ix := c.field.SearchIndex(); ix != nil {
				column = ix.Column
			}
		}
		settings := c.indexSettings(t)
		if len(settings) > 0 && column == "" {
			return nil, fieldErr("ddl", c.field, fieldcrypt.ErrModel, `its gorm tag asks for an index, which ciphertext cannot have; add the option "index" to its fieldcrypt tag`)
		}
		for _, s := range settings {
			key, value, _ := strings.Cut(s, ":")
			name, options, _ := strings.Cut(value, ",")
			if name == "" {
				name = t.indexName(cmp.Or(option(options, "composite"), column))
			}
			ix := add(name, column)
			ix.unique = ix.unique || !strings.EqualFold(strings.TrimSpace(key), "index")
			if bad := ix.options(options); bad != "" {
				return nil, modelErr("ddl", t.model, fieldcrypt.ErrUnsupported, fmt.Sprintf("the gorm index setting %q of the column %s; write that index by hand", bad, column))
			}
			ours[name] = ours[name] || c.encrypted()
		}
	}
	list = slices.DeleteFunc(list, func(ix *indexDDL) bool { return !ours[ix.name] })
	for _, c := range t.indexes {
		if !slices.ContainsFunc(list, func(ix *indexDDL) bool { return ix.has(c.name) }) {
			list = append(list, &indexDDL{name: t.indexName(c.name), keys: []indexKey{{c.name, 0}}})
		}
	}
	return list, nil
}

func (ix *indexDDL) has(column string) bool {
	return slices.ContainsFunc(ix.keys, func(k indexKey) bool { return k.column == column })
}

// options reads the options of an index setting and returns one that it does not
// know.
func (ix *indexDDL) options(s string) string {
	for _, o := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(o), ":")
		switch strings.ToLower(key) {
		case "", "composite":
		case "unique":
			ix.unique = true
		case "where":
			ix.where = value
		case "priority":
			n, err := strconv.Atoi(value)
			if err != nil {
				return o
			}
			ix.keys[len(ix.keys)-1].priority = n
		default:
			return o
		}
	}
	return ""
}

func option(options, key string) string {
	for _, o := range strings.Split(options, ",") {
		if k, value, _ := strings.Cut(strings.TrimSpace(o), ":"); strings.EqualFold(k, key) {
			return value
		}
	}
	return ""
}

// indexSettings returns the settings of a field's gorm tag that ask for an index.
func (c *column) indexSettings(t *table) (list []string) {
	for _, s := range c.gormSettings(t) {
		key, _, _ := strings.Cut(s, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "index", "uniqueindex":
			list = append(list, s)
		case "unique":
			list = append(list, "unique")
		}
	}
	return list
}

func (c *column) gormSettings(t *table) []string {
	return strings.Split(t.model.Type.FieldByIndex(c.index).Tag.Get("gorm"), ";")
}

// gormSetting returns the value of a setting of a field's gorm tag.
func (c *column) gormSetting(t *table, name string) (value string, ok bool) {
	for _, s := range c.gormSettings(t) {
		if key, value, _ := strings.Cut(s, ":"); strings.EqualFold(strings.TrimSpace(key), name) {
			return value, !strings.EqualFold(value, "false")
		}
	}
	return "", false
}

// indexName makes the name that GORM's default naming strategy gives an index.
func (t *table) indexName(column string) string {
	const longest = 63 // bytes: Postgres cuts longer names off
	name := strings.ReplaceAll("idx_"+t.model.Table+"_"+column, ".", "_")
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name)) // only to tell names apart
	return name[:longest-8] + hex.EncodeToString(sum[:])[:8]
}
