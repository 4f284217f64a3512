package migrate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// census is one count.
type census struct {
	*Project
	CensusOptions
	states map[keymgr.Scope]map[uint32]string // nil: the scope has no keys
}

// table counts in one table.
func (c *census) table(ctx context.Context, t *Table, part *fieldcrypt.ManifestTable) (*CensusTable, error) {
	out := &CensusTable{Table: part.Name(), Counts: []CensusLine{}}
	from, scale := t.sqlName()+" t", 1.0
	if !c.Exact && c.DB.dialect == postgres && t.Rows > sampled {
		out.Estimate, scale = true, t.Rows/sampled
		from += fmt.Sprintf(" TABLESAMPLE SYSTEM (%f) REPEATABLE (1)", 100*sampled/t.Rows)
	}
	if c.Tenant != "" {
		tenant, err := c.DB.dialect.ofTenant(part, c.Tenant)
		if err != nil {
			return nil, err
		}
		from += " WHERE " + tenant
	}
	for _, col := range part.Columns {
		ours := fmt.Sprintf("length(%[1]s) >= %[2]d AND substr(%[1]s, 1, 3) = %[3]s", quote(col.Column), fieldcrypt.MinSize, c.DB.dialect.bytes("fc0101"))
		line := CensusLine{Column: col.Column, Purpose: keymgr.Seal, Domain: col.Domain}
		rows, err := c.column(ctx, out, part, col, line, ours, keyIDAt, from, scale)
		if err != nil {
			return nil, err
		}
		out.Rows = rows
	}
	for _, ix := range part.Indexes {
		for _, col := range part.Columns {
			if col.Column != ix.Parts[0].Column {
				continue
			}
			line := CensusLine{Column: ix.Column, Purpose: keymgr.Index, Domain: col.Domain}
			if _, err := c.column(ctx, out, part, col, line, "length("+quote(ix.Column)+") > 4", 1, from, scale); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// column counts the values of a column, or of an index of it; at is where the id
// of the key is in what is ours.
func (c *census) column(ctx context.Context, out *CensusTable, part *fieldcrypt.ManifestTable, of fieldcrypt.ManifestColumn,
	line CensusLine, ours string, at int, from string, scale float64) (rows int64, err error) {
	name, tenant := quote(line.Column), "''"
	if of.PerTenant {
		tenant = "coalesce(CAST(" + quote(part.Tenant) + " AS text), '')"
	}
	sql := fmt.Sprintf(`SELECT %[1]s, CASE WHEN %[2]s IS NULL THEN 0 WHEN %[3]s THEN 1 ELSE 2 END AS kind, CASE WHEN %[3]s THEN substr(%[2]s, %[4]d, %[5]d) END, count(*)
		FROM %[6]s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, tenant, name, ours, at, keyIDLen, from)
	err = c.DB.q().query(ctx, sql, nil, func(scan func(...any) error) error {
		var kind int
		var id []byte
		l := line
		if err := scan(&l.Tenant, &kind, &id, &l.Values); err != nil {
			return err
		}
		l.Values = int64(math.Round(float64(l.Values) * scale))
		rows += l.Values
		switch {
		case kind == 0:
			l.State = CensusNull
		case kind == 2:
			l.State = CensusForeign
		case len(id) == keyIDLen:
			l.KeyID = binary.BigEndian.Uint32(id)
		}
		out.Counts = append(out.Counts, l)
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i := range out.Counts {
		l := &out.Counts[i]
		if l.State != "" {
			continue
		}
		if l.State, err = c.state(ctx, keymgr.Scope{Domain: l.Domain, Tenant: l.Tenant}, of.PerTenant, l.KeyID); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// state is that of a key in a scope.
func (c *census) state(ctx context.Context, s keymgr.Scope, perTenant bool, id uint32) (string, error) {
	if perTenant && s.Tenant == "" || s.Validate() != nil {
		return CensusNoScope, nil
	}
	known, ok := c.states[s]
	if !ok {
		r, err := c.Keys.UnverifiedRecord(ctx, s)
		switch {
		case errors.Is(err, keymgr.ErrScopeNotFound) || errors.Is(err, keymgr.ErrScopeDestroyed):
		case err != nil:
			return "", err
		default:
			known = map[uint32]string{}
			for _, purpose := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
				keys, err := r.UnverifiedInfo(purpose)
				if err != nil {
					return "", err
				}
				for _, k := range keys {
					known[k.ID] = string(k.State)
				}
			}
		}
		c.states[s] = known
	}
	switch state, ok := known[id]; {
	case known == nil:
		return CensusNoScope, nil
	case !ok:
		return CensusUnknown, nil
	default:
		return state, nil
	}
}
