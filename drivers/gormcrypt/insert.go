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
	sealer  *fieldcrypt.Sealer
	size    int // of a row's sealed values, in bytes

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
	at     []int
	moving bool  // a row has a term for the second column
	second []any // its terms, by row
}

func (sc *scope) insertion(values clause.Values) (*insertion, error) {
	in := &insertion{scope: sc, columns: make([]*column, len(values.Columns)), names: make([]clause.Column, len(values.Columns), len(values.Columns)+4)}
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
		} else if in.again(in.tenantAt) {
			return nil, givenTwice(in.tenant)
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

// again reports whether the column at a place is given a second time.
func (in *insertion) again(at int) bool {
	for i := at + 1; i < len(in.columns); i++ {
		if strings.EqualFold(unquote(in.names[i].Name), unquote(in.names[at].Name)) {
			return true
		}
	}
	return false
}

func (in *insertion) placeBound(i int, c *column) error {
	at := in.plainPlace(c.bound.name)
	if at == len(in.columns) {
		return fieldErr("write", c.field, fieldcrypt.ErrUnsupported,
			"its value is bound to "+c.bound.field.Path+", which the statement does not give; insert both")
	}
	if in.again(at) {
		return givenTwice(c.bound)
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

func (in *insertion) run(values clause.Values) (clause.Expression, error) {
	out := clause.Values{Values: make([][]any, len(values.Values))}
	inputs := make([]reflect.Value, len(in.columns))
	for i, row := range values.Values {
		if len(row) != len(in.columns) {
			out.Values[i] = row // of a nil among structs: GORM has refused it already
			continue
		}
		var err error
		if out.Values[i], err = in.row(row, inputs, i, len(values.Values)); err != nil {
			return nil, err
		}
	}
	for _, ix := range in.indexes {
		if !ix.moving {
			continue
		}
		in.names = append(in.names, clause.Column{Name: ix.next()})
		for i := range out.Values {
			out.Values[i] = append(out.Values[i], ix.second[i])
		}
	}
	out.Columns = in.names
	return out, nil
}

// row seals row number n of count.
func (in *insertion) row(row []any, inputs []reflect.Value, n, count int) ([]any, error) {
	out := make([]any, len(row), len(in.names)+len(in.indexes))
	companions, err := in.companions(row)
	if err != nil {
		return nil, err
	}
	if in.sealer == nil {
		in.sealer = in.b.crypter.Sealer(in.stmt.Context, companions)
	} else {
		in.sealer.Next(companions)
	}
	buf := make([]byte, 0, in.size)
	for i, v := range row {
		if c := in.columns[i]; c != nil {
			out[i], inputs[i], buf, err = in.b.appendSealed(buf, in.sealer, c, v)
		} else {
			out[i], _, err = in.value(v)
		}
		if err != nil {
			return nil, err
		}
	}
	if in.tenant != nil {
		if in.tenantAt == len(row) {
			out = append(out, companions.Tenant)
		} else {
			out[in.tenantAt] = companions.Tenant
		}
	}
	for i := range in.indexes {
		from := len(buf)
		var null bool
		if buf, null, err = in.indexes[i].term(buf, in.sealer, inputs, n, count); err != nil {
			return nil, err
		}
		if null {
			out = append(out, nil)
		} else {
			out = append(out, sealed(buf[from:len(buf):len(buf)]))
		}
	}
	in.size = max(in.size, len(buf))
	for _, i := range in.adopted {
		plain, err := adoptedOf(in.columns[i], inputs[i])
		if err != nil {
			return nil, err
		}
		out = append(out, plain)
	}
	return out, nil
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

// term computes the index of row number n, and notes that of its second column
// while it is moved to another key.
func (ix *placedIndex) term(buf []byte, sealer *fieldcrypt.Sealer, inputs []reflect.Value, n, count int) (out []byte, null bool, err error) {
	parts := inputs[ix.at[0] : ix.at[0]+1]
	if len(ix.at) > 1 {
		parts = make([]reflect.Value, len(ix.at))
		for i, at := range ix.at {
			parts[i] = inputs[at]
		}
	}
	next, moving, err := sealer.NextIndex(ix.blind, parts...)
	if err != nil {
		return buf, false, err
	}
	if moving {
		if ix.second == nil {
			ix.moving, ix.second = true, make([]any, count)
		}
		ix.second[n] = term(next)
	}
	return sealer.AppendIndex(buf, ix.blind, parts...)
}
