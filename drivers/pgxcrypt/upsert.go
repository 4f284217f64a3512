package pgxcrypt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// conflict finds upserts, and the columns of their targets, if they name some;
// merge finds what MERGE compares, up to its last ON, and word the names in that.
// Comments and literals are not told from SQL: a statement may be refused without
// need, and none goes through that should not.
var (
	conflict = regexp.MustCompile(`(?is)\bconflict\b(?:\s*\(([^()]*)\))?`)
	merge    = regexp.MustCompile(`(?is)\bmerge\b(.*?)\bwhen\b`)
	on       = regexp.MustCompile(`(?i)\bon\b`)
	word     = regexp.MustCompile(`[\pL\pN_$]+`)
	update   = regexp.MustCompile(`(?i)\bupdate\b`)
	assigned = regexp.MustCompile(`(?is)(?:\bset|,)\s*(?:("(?:[^"]|"")+"|[\pL\pN_$]+)|\(([^()]*)\))\s*=`)
)

// upserted refuses an upsert that may leave the conflicting row's tenant, or a
// column that values are bound to, as it is, and take the new row's values, which
// would not open there: these columns must be in the target of the conflict.
//
// Errors: ErrUnsupported.
func (t *table) upserted(op, sql string, columns []*column) error {
	for _, target := range targets(sql) {
		for _, c := range columns {
			if c == nil || !c.encrypted() {
				continue
			}
			if err := target.holds(op, c.field); err != nil {
				return err
			}
		}
	}
	sets := t.updated(sql)
	return t.paired(op, func(c *column) bool { return slices.Contains(sets, c) })
}

// updated returns the columns that the upserts in a statement change.
func (t *table) updated(sql string) (columns []*column) {
	names := updated(sql)
	if names == nil {
		return nil
	}
	for name, c := range t.byName {
		if slices.Contains(names, strings.ToLower(name)) {
			columns = append(columns, c)
		}
	}
	return columns
}

// updated returns the names of the columns that the upserts in a statement change
// in the row that is there, in lower case: all that is assigned after the first.
func updated(sql string) (names []string) {
	from := len(sql)
	for _, begins := range []*regexp.Regexp{conflict, merge} {
		if at := begins.FindStringIndex(sql); at != nil {
			from = min(from, at[1])
		}
	}
	for _, match := range assigned.FindAllStringSubmatch(sql[from:], -1) {
		names = append(names, columnNames(match[1]+match[2])...)
	}
	return names
}

// columnNames splits a list of columns.
func columnNames(list string) (names []string) {
	for _, name := range strings.Split(list, ",") {
		names = append(names, strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`)))
	}
	return names
}

// target is the columns of an upsert's target, in lower case.
type target []string

// targets returns those of the upserts in a statement.
func targets(sql string) (list []target) {
	if !update.MatchString(sql) {
		return nil
	}
	for _, match := range conflict.FindAllStringSubmatch(sql, -1) {
		list = append(list, columnNames(match[1]))
	}
	for _, match := range merge.FindAllStringSubmatch(sql, -1) {
		var names target
		if ons := on.FindAllStringIndex(match[1], -1); ons != nil {
			names = word.FindAllString(strings.ToLower(match[1][ons[len(ons)-1][1]:]), -1)
		}
		list = append(list, names)
	}
	return list
}

// holds refuses a field whose values depend on a column that the target has not.
func (t target) holds(op string, f *fieldcrypt.Field) error {
	needs := []*fieldcrypt.PlainField{f.Bind}
	if f.PerTenant {
		needs = append(needs, f.Model.Tenant)
	}
	for _, n := range needs {
		if n != nil && !slices.Contains(t, strings.ToLower(n.Column)) {
			return fieldErr(op, f, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"an upsert may keep another %s than the value is sealed for; name that column in the target of ON CONFLICT, or compare it in MERGE", n.Column))
		}
	}
	return nil
}

// updates refuses an upsert that changes a Secret's column without its index, or
// the other way round. moving says that the index has a second column.
func updates(op, sql string, f *fieldcrypt.Field, moving bool) error {
	names := updated(sql)
	if names == nil || f.SearchIndex() == nil {
		return nil
	}
	has := func(name string) bool { return slices.Contains(names, strings.ToLower(name)) }
	ix := f.SearchIndex().Column
	if has(f.Column) != has(ix) || moving && has(ix) != has(ix+fieldcrypt.NextSuffix) {
		return fieldErr(op, f, fieldcrypt.ErrUnsupported, fmt.Sprintf("an upsert changes some of the columns %s and %s, and %s%s while the index is moved to another key; set them together", f.Column, ix, ix, fieldcrypt.NextSuffix))
	}
	return nil
}
