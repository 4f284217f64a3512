package migrate

// Catalogue reads what the database says of its tables.
func (db *DB) Catalogue() *Catalogue { return db.catalogue() }
