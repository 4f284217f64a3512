package pgxcrypt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// conflict finds upserts, and the columns of their targets, if they name some.
// Comments and literals are not told from SQL: a statement may be refused without
// need, and none goes through that should not.
var (
	conflict = regexp.MustCompile(`(?is)\bconflict\b(?:\s*\(([^()]*)\))?`)
	update   = regexp.MustCompile(`(?i)\bupdate\b`)
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
	return nil
}

// target is the columns of an upsert's target, in lower case.
type target []string

// targets returns those of the upserts in a statement.
func targets(sql string) (list []target) {
	if !update.MatchString(sql) {
		return nil
	}
	for _, match := range conflict.FindAllStringSubmatch(sql, -1) {
		var names target
		for _, name := range strings.Split(match[1], ",") {
			names = append(names, strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`)))
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
				"ON CONFLICT DO UPDATE may keep another %s than the value is sealed for; name that column in the conflict's target", n.Column))
		}
	}
	return nil
}
