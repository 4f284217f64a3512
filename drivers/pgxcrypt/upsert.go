package pgxcrypt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// onConflict finds an upsert, and the columns of its target, if it names some. It
// takes what stands in comments and literals for SQL: such a statement is refused
// without need, and none goes through that should not.
var (
	onConflict = regexp.MustCompile(`(?is)\bon\s+conflict\b(?:\s*\(([^()]*)\))?`)
	doUpdate   = regexp.MustCompile(`(?is)\bdo\s+update\b`)
)

// upserted refuses an upsert that may leave the conflicting row's tenant, or a
// column that values are bound to, as it is, and take the new row's values, which
// would not open there: these columns must be in the target of the conflict.
//
// Errors: ErrUnsupported.
func (t *table) upserted(op, sql string, columns []*column) error {
	match := onConflict.FindStringSubmatch(sql)
	if match == nil || !doUpdate.MatchString(sql) {
		return nil
	}
	var target []string
	for _, name := range strings.Split(match[1], ",") {
		target = append(target, strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`)))
	}
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
