package pgxcrypt

import (
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// written checks the columns that a statement names as a whole: what is sealed
// must be found and opened again.
//
// Errors: ErrUnsupported.
func (t *table) written(op string, columns []*column) error {
	has := func(c *column) bool { return slices.Contains(columns, c) }
	if err := t.paired(op, has); err != nil {
		return err
	}
	for _, c := range t.columns {
		switch {
		case !c.encrypted() || !has(c):
		case c.bound != nil && !has(c.bound):
			return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"the value is bound to %s, which is not named; write it too, or make it a condition", c.bound.name))
		case c.field.PerTenant && !has(t.tenant):
			return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"its keys are those of the row's tenant, but %s is not named; write it too, or make it a condition", t.tenant.name))
		}
	}
	return nil
}

// paired checks columns that hold the same: an encrypted one, its indexes and its
// plaintext.
//
// Errors: ErrUnsupported.
func (t *table) paired(op string, has func(*column) bool) error {
	for _, ix := range t.indexes {
		if has(ix.next) && !has(ix) {
			return fieldErr(op, ix.members[0].field, fieldcrypt.ErrUnsupported, fmt.Sprintf("the column %s is named without %s; write both", ix.next.name, ix.name))
		}
		for _, member := range ix.members {
			switch {
			case has(ix) && !has(member):
				return fieldErr(op, member.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"the index column %s is named without the column %s; write both together, and search by pgxcrypt.Eq", ix.name, member.name))
			case has(member) && !has(ix):
				return fieldErr(op, member.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"the column %s is named without its index column %s, which would no longer fit; write both together, and search by pgxcrypt.Eq", member.name, ix.name))
			}
		}
	}
	for _, c := range t.columns {
		if c.clear != nil && has(c) != has(c.clear) {
			return fieldErr(op, c.field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
				"one of the columns %s and %s is named without the other; while the field is adopted (plain=) write both together", c.name, c.clear.name))
		}
	}
	return nil
}

// reindexed checks that a statement writes the second column of indexes that are
// being moved to another key.
func (r *rowSealer) reindexed(op string, st *statement) error {
	for _, columns := range [][]*column{st.columns, st.updated} {
		for _, c := range columns {
			if c == nil || c.kind != indexColumn || slices.Contains(columns, c.next) {
				continue
			}
			moving, err := r.moving(c)
			if err != nil {
				return err
			}
			if moving {
				return fieldErr(op, c.members[0].field, fieldcrypt.ErrUnsupported, fmt.Sprintf(
					"the index %s is being moved to another key, and its second column %s is not named; write both", c.name, c.next.name))
			}
		}
	}
	return nil
}
