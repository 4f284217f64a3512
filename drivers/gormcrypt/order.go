package gormcrypt

import "gorm.io/gorm/clause"

// groupBy refuses to group by ciphertext and rewrites HAVING.
func (sc *scope) groupBy(e clause.Expression) (clause.Expression, error) {
	g, ok := e.(clause.GroupBy)
	if !ok {
		return sc.where(e)
	}
	for _, col := range g.Columns {
		if err := sc.refuseColumn(col, "GROUP BY"); err != nil {
			return nil, err
		}
	}
	having, changed, err := sc.conditions(g.Having)
	if err != nil || !changed {
		return e, err
	}
	g.Having = having
	return g, nil
}

// orderBy refuses to sort by ciphertext.
func (sc *scope) orderBy(e clause.Expression) (clause.Expression, error) {
	o, ok := e.(clause.OrderBy)
	if !ok {
		return sc.where(e)
	}
	for _, col := range o.Columns {
		if err := sc.refuseColumn(col.Column, "ORDER BY"); err != nil {
			return nil, err
		}
	}
	if o.Expression == nil {
		return e, nil
	}
	text, _ := textOf(o.Expression)
	if c, err := sc.mention(text, false); err != nil || c != nil {
		return nil, firstError(err, onColumn(c, "ORDER BY"))
	}
	next, changed, err := sc.condition(o.Expression)
	if err != nil || !changed {
		return e, err
	}
	o.Expression = next
	return o, nil
}

func (sc *scope) refuseColumn(col clause.Column, what string) error {
	if col.Raw {
		c, err := sc.mention(col.Name, false)
		return firstError(err, onColumn(c, what))
	}
	c, _, err := sc.columnOf(col)
	return firstError(err, onColumn(c, what))
}

// onColumn is onCiphertext, or nil where there is no column.
func onColumn(c *column, what string) error {
	if c == nil {
		return nil
	}
	return onCiphertext(c, what)
}
