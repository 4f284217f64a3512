package gormcrypt

// findIn resolves a column in a level of a text.
func (sc *scope) findIn(p *parsed, level int, qualifier, name string) (*column, error) {
	if level == 0 || !sc.reg.encrypts(name) {
		return sc.find(qualifier, name)
	}
	if qualifier != "" {
		_, alias := splitPath(qualifier)
		for l := level; l > 0; l = p.levels[l].parent {
			for _, ref := range p.levels[l].refs {
				if ref.alias == alias {
					return sc.columnOfRef(p, ref, name)
				}
			}
		}
		return sc.find(qualifier, name)
	}
	for _, ref := range p.levels[level].refs {
		if c, err := sc.columnOfRef(p, ref, name); c != nil || err != nil {
			return c, err
		}
	}
	// A table of this select may have a plain column of that name, or it is
	// the encrypted one of a table around it: only a qualifier can tell.
	for l := range p.levels {
		for _, ref := range p.levels[l].refs {
			if c, _ := sc.columnOfRef(p, ref, name); c != nil {
				return nil, unclear(c, name+" in a sub-select")
			}
		}
	}
	if c, _ := sc.unqualified(name); c != nil {
		return nil, unclear(c, name+" in a sub-select")
	}
	return nil, nil
}

// columnOfRef returns the encrypted column of a table that a text names. A
// sub-select that may carry it along is refused.
func (sc *scope) columnOfRef(p *parsed, ref tableRef, name string) (*column, error) {
	if ref.path == "" {
		for _, t := range sc.inside(p, nil) {
			if c := firstColumn(t.columns[name], t.plains[name]); c != nil {
				return nil, onCiphertext(c, "a column of a sub-select in FROM")
			}
		}
		return nil, nil
	}
	return (&source{tables: sc.tablesAt(ref.path)}).find(name)
}

// tablesAt returns what is encrypted in a table that text names.
func (sc *scope) tablesAt(path string) []*table {
	for _, s := range sc.sources() {
		if s.path == path && path != "" {
			return s.tables
		}
	}
	return sc.reg.find(path)
}

// rowIn returns an encrypted column of the table that name stands for as a
// whole, or nil.
func (sc *scope) rowIn(p *parsed, level int, name string) *column {
	for l := level; l > 0; l = p.levels[l].parent {
		for _, ref := range p.levels[l].refs {
			if ref.alias == name {
				return anyColumn(sc.tablesAt(ref.path))
			}
		}
	}
	if s := sc.alias(name); s != nil {
		return anyColumn(s.tables)
	}
	return nil
}

func anyColumn(tables []*table) *column {
	for _, t := range tables {
		for _, c := range t.columns {
			return c
		}
	}
	return nil
}
