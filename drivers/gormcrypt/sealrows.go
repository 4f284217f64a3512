package gormcrypt

import (
	"reflect"
	"runtime"
	"sync"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// rowsApart is how many rows of an INSERT a goroutine seals at least.
const rowsApart = 64

// run seals the rows of an INSERT.
func (in *insertion) run(values clause.Values) (clause.Expression, error) {
	out := clause.Values{Values: make([][]any, len(values.Values))}
	for i, row := range values.Values {
		if len(row) != len(in.columns) {
			out.Values[i] = row // of a nil among structs: GORM has refused it already
			continue
		}
		built := make([]any, len(row), len(in.names)+len(in.indexes))
		for j, v := range row {
			if in.columns[j] != nil {
				continue
			}
			var err error
			if built[j], _, err = in.value(v); err != nil {
				return nil, err
			}
		}
		out.Values[i] = built
	}
	parts := in.apart(len(values.Values))
	eachPart(parts, func(p *part) { p.run(values.Values, out.Values) })
	for _, p := range parts {
		if p.err != nil {
			return nil, p.err
		}
	}
	for i, ix := range in.indexes {
		if terms := secondTerms(parts, i); terms != nil {
			in.names = append(in.names, clause.Column{Name: ix.next()})
			for n := range out.Values {
				out.Values[n] = append(out.Values[n], terms[n])
			}
		}
	}
	out.Columns = in.names
	if in.bulk {
		return bulkValues{out}, nil
	}
	return out, nil
}

// part is some rows of an INSERT, which one goroutine seals.
type part struct {
	*insertion
	from, to int
	sealer   *fieldcrypt.Sealer
	inputs   []reflect.Value // of a row, by the places of its columns
	size     int             // of a row's sealed values, in bytes
	second   [][]any         // by index: the terms of its second column, nil unless it is moved to another key
	err      error
}

// apart cuts the rows into parts: one, unless they are many and sealing them
// calls no methods of the caller's types.
func (in *insertion) apart(rows int) []*part {
	n := min(runtime.GOMAXPROCS(0), rows/rowsApart)
	if isMap(elem(in.stmt.Dest)) { // of any types
		n = 1
	}
	for _, c := range in.columns {
		if c != nil && !c.field.Simple() {
			n = 1
		}
	}
	n = max(n, 1)
	parts := make([]*part, n)
	for i := range parts {
		parts[i] = &part{insertion: in, from: rows * i / n, to: rows * (i + 1) / n,
			inputs: make([]reflect.Value, len(in.columns)), second: make([][]any, len(in.indexes))}
	}
	return parts
}

// eachPart runs f on every part, the last one here.
func eachPart(parts []*part, f func(*part)) {
	var running sync.WaitGroup
	last := len(parts) - 1
	for _, p := range parts[:last] {
		running.Go(func() { f(p) })
	}
	f(parts[last])
	running.Wait()
}

// secondTerms are the terms of an index's second column, by row; nil if it has none.
func secondTerms(parts []*part, index int) (terms []any) {
	rows := parts[len(parts)-1].to
	for _, p := range parts {
		if p.second[index] == nil {
			continue
		}
		if terms == nil {
			terms = make([]any, rows)
		}
		copy(terms[p.from:p.to], p.second[index])
	}
	return terms
}

func (p *part) run(rows, out [][]any) {
	for n := p.from; n < p.to && p.err == nil; n++ {
		if len(rows[n]) == len(p.columns) {
			out[n], p.err = p.row(rows[n], out[n], n)
		}
	}
}

// row seals row number n into out.
func (p *part) row(row, out []any, n int) ([]any, error) {
	companions, err := p.companions(row)
	if err != nil {
		return nil, err
	}
	if p.sealer == nil {
		p.sealer = p.b.crypter.Sealer(p.stmt.Context, companions)
	} else {
		p.sealer.Next(companions)
	}
	buf := make([]byte, 0, p.size)
	var null bool
	for i, c := range p.columns {
		if c == nil {
			continue
		}
		from := len(buf)
		if p.inputs[i], buf, null, err = p.b.appendSealed(buf, p.sealer, c, row[i]); err != nil {
			return nil, err
		}
		if !null {
			out[i] = p.stored(buf[from:len(buf):len(buf)])
		}
	}
	switch {
	case p.tenant == nil:
	case p.tenantAt == len(row):
		out = append(out, companions.Tenant)
	default:
		out[p.tenantAt] = companions.Tenant
	}
	for i := range p.indexes {
		from := len(buf)
		if buf, null, err = p.term(buf, i, n); err != nil {
			return nil, err
		}
		if null {
			out = append(out, nil)
		} else {
			out = append(out, sealed(buf[from:len(buf):len(buf)]))
		}
	}
	p.size = max(p.size, len(buf))
	for _, i := range p.adopted {
		plain, err := adoptedOf(p.columns[i], p.inputs[i])
		if err != nil {
			return nil, err
		}
		out = append(out, plain)
	}
	return out, nil
}

// stored makes a sealed value one of the statement.
func (p *part) stored(b []byte) any {
	if p.bulk {
		return sealed(b)
	}
	return p.b.value(b)
}

// term computes an index of row number n, and notes that of its second column
// while it is moved to another key.
func (p *part) term(buf []byte, index, n int) (out []byte, null bool, err error) {
	ix := p.indexes[index]
	inputs := p.inputs[ix.at[0] : ix.at[0]+1]
	if len(ix.at) > 1 {
		inputs = make([]reflect.Value, len(ix.at))
		for i, at := range ix.at {
			inputs[i] = p.inputs[at]
		}
	}
	next, moving, err := p.sealer.NextIndex(ix.blind, inputs...)
	if err != nil {
		return buf, false, err
	}
	if moving {
		if p.second[index] == nil {
			p.second[index] = make([]any, p.to-p.from)
		}
		p.second[index][n-p.from] = term(next)
	}
	return p.sealer.AppendIndex(buf, ix.blind, inputs...)
}
