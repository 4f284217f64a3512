package gormcrypt

import (
	"reflect"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// insertion is how an INSERT seals its rows. It is planned once per statement.
type insertion struct {
	*scope
	names   []clause.Column // of the statement as it will be
	columns []*column       // encrypted ones, by their place in a row; nil for plain ones
	seals   bool            // there is one
	bulk    bool            // written as bulkValues

	indexes []placedIndex
	adopted []int // places of the columns whose plaintext is written too

	tenant   *companion
	tenantAt int // its place; len(columns) if the caller gave none

	bound []int // place of the column that a column's value is bound to, -1 for none; nil if none is
}

// placedIndex is an index all of whose columns are written. One over a missing,
// and so NULL, column is NULL.
type placedIndex struct {
	*index
	at []int
}

func (sc *scope) insertion(values clause.Values) (*insertion, error) {
	in := &insertion{scope: sc, bulk: sc.inBulk(values), columns: make([]*column, len(values.Columns)), names: make([]clause.Column, len(values.Columns), len(values.Columns)+4)}
	copy(in.names, values.Columns)
	for i, col := range values.Columns {
		c, err := sc.target(col.Name)
		if err != nil {
			return nil, err
		}
		if c != nil && in.place(c) >= 0 {
			return nil, twice(c)
		}
		in.columns[i] = c
		in.seals = in.seals || c != nil
	}
	if in.tenant = sc.main().tenant(); in.tenant != nil {
		if in.tenantAt = in.plainPlace(in.tenant.name); in.tenantAt == len(in.columns) {
			in.names = append(in.names, clause.Column{Name: in.tenant.name})
		}
	}
	for _, ix := range sc.main().indexes() {
		placed := placedIndex{index: ix, at: make([]int, len(ix.columns))}
		missing := false
		for i, c := range ix.columns {
			placed.at[i] = in.place(c)
			missing = missing || placed.at[i] < 0
		}
		if !missing {
			in.indexes = append(in.indexes, placed)
			in.names = append(in.names, clause.Column{Name: ix.name})
		}
	}
	for i, c := range in.columns {
		if c == nil {
			continue
		}
		if c.plain != "" {
			in.adopted = append(in.adopted, i)
			in.names = append(in.names, clause.Column{Name: c.plain})
		}
		if c.bound != nil {
			if err := in.placeBound(i, c); err != nil {
				return nil, err
			}
		}
	}
	return in, nil
}

// place returns where a column stands, or -1. Two models of one table have each
// their own column of one name.
func (in *insertion) place(c *column) int {
	for i, other := range in.columns {
		if other != nil && (other == c || other.key() == c.key()) {
			return i
		}
	}
	return -1
}

// plainPlace is place for a plain column, len(columns) if it is not there.
func (in *insertion) plainPlace(name string) int {
	for i := range in.columns {
		if strings.EqualFold(unquote(in.names[i].Name), name) {
			return i
		}
	}
	return len(in.columns)
}

func (in *insertion) placeBound(i int, c *column) error {
	at := in.plainPlace(c.bound.name)
	if at == len(in.columns) {
		return fieldErr("write", c.field, fieldcrypt.ErrUnsupported,
			"its value is bound to "+c.bound.field.Path+", which the statement does not give; insert both")
	}
	if in.bound == nil {
		in.bound = make([]int, len(in.columns))
		for j := range in.bound {
			in.bound[j] = -1
		}
	}
	in.bound[i] = at
	return nil
}

// companions returns what the values of a row depend on.
func (in *insertion) companions(row []any) (out fieldcrypt.Row, err error) {
	if in.tenant != nil {
		var given any
		if in.tenantAt < len(row) {
			given = row[in.tenantAt]
		}
		if out.Tenant, err = in.tenantOf("write", in.tenant, given); err != nil {
			return out, err
		}
	}
	if in.bound != nil {
		out.Bound = func(f *fieldcrypt.Field) (reflect.Value, error) {
			for i, c := range in.columns {
				if c == nil || c.field != f {
					continue
				}
				if _, ok := constant(row[in.bound[i]]); !ok {
					return reflect.Value{}, fieldErrOf(c.bound, "values are bound to it, and it is NULL or computed by the database; give it as a value")
				}
				return c.bound.field.Convert(row[in.bound[i]])
			}
			return reflect.Value{}, nil
		}
	}
	return out, nil
}
