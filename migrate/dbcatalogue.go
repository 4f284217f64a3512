package migrate

// Catalogue reads what the database says of its tables.
func (db *DB) Catalogue() *Catalogue {
	if db.dialect == sqlite {
		return SQLiteCatalogue(db.sqlite)
	}
	return PostgresCatalogue(db.pool)
}
