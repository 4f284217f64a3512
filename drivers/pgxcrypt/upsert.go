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
	if !update.MatchString(sql) {
		return nil
	}
	for _, match := range conflict.FindAllStringSubmatch(sql, -1) {
		var target []string
		for _, name := range strings.Split(match[1], ",") {
			target = append(target, strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`)))
		}
		if err := t.inTarget(op, target, columns); err != nil {
			return err
		}
	}
	return nil
}

// inTarget checks the target of one upsert.
func (t *table) inTarget(op string, target []string, columns []*column) error {
	for _, c := range columns {
		if c == nil || !c.encrypted() {
			continue
		}
		needs := []*column{c.bound}
		if c.field.PerTenant {
			needs = append(needs, t.tenant)
		}
		for _, n := range needs {
			if n != nil && !slices.Contains(target, strings.ToLower(n.name)) {
				return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"ON CONFLICT DO UPDATE may keep another %s than the value is sealed for; name that column in the conflict's target", n.name))
			}
		}
	}
	return nil
}
