// Package pgxcrypt seals and opens the tagged fields of structs for native pgx:
// without an ORM, in the SQL that the application writes.
//
//	type Patient struct {
//		ID    int64   `db:"id"`
//		MRN   string  `db:"mrn" fieldcrypt:"medical,index"`
//		Notes *string `db:"notes" fieldcrypt:"medical"`
//	}
//
//	_, err := conn.Exec(ctx, `INSERT INTO patients (id, mrn, mrn_bidx, notes)
//		VALUES (@id, @mrn, @mrn_bidx, @notes)`, pgxcrypt.Args(fc, &p))
//
//	read := pgxcrypt.RowToStructByName[Patient](ctx, fc)
//	mrn, err := pgxcrypt.Eq[Patient](ctx, fc, "mrn", "MRN-1042")
//	rows, err := conn.Query(ctx, `SELECT id, mrn, notes FROM patients WHERE mrn_bidx = ANY($1)`, mrn)
//	patients, err := pgx.CollectRows(rows, read)
//
// The structs are those that gormcrypt reads too; neither driver sees which of
// them wrote a row. Columns are named by `db:`, `gorm:"column:"` or GORM's default.
// A struct for a part of a table, a JOIN or names made by AS says with id= which
// columns its fields stand for:
//
//	type Visit struct {
//		MRN string `db:"patient_mrn" fieldcrypt:"medical,id=patients.mrn"`
//		...
//	}
//
// All of pgx's QueryExecModes work.
//
// # Tables
//
// [DDL] prints the columns. Encrypted ones are of the type fieldcrypt_value, a
// domain over bytea, so that the database refuses plaintext from whatever client.
//
// # Tenants and bound values
//
// Under per-tenant keys the context's tenant rules for writes and searches: it
// stands in for a tenant field that is zero, and must not be another. What is read
// is opened under the tenant column of its row. That column, and the column that a
// value is bound to, take part in every statement that writes or reads such values.
//
// # Limits
//
// The SQL is the application's and is not understood, only its names are. So these
// are not seen:
//
//   - WHERE mrn = @mrn, ORDER BY mrn, and whatever else works on ciphertext: it
//     finds nothing, or sorts by nothing. Search with Eq.
//   - What a tenant or bound column that is named is for: it has to be written, or
//     be compared by equality. An UPDATE that changes one seals anew all that
//     depends on it. Of an upsert it is checked that the conflict's target holds
//     them, or what MERGE compares, and that it sets columns together that hold
//     the same: an encrypted one, its indexes, its plaintext. Of a statement that
//     was prepared under a name there is no SQL to check.
//   - Text and bytes that are sent to an encrypted column as they are: the database
//     refuses them, without an echo; but pgx's own error about a COPY, which goes
//     to the server's log too, holds the value.
//   - A field of type []byte without a tag gets what is stored in its column, as it
//     is.
//   - json_agg and the like over encrypted columns make text of ciphertext, which
//     nothing opens; read into an encrypted field, it is refused.
//
// # Columns that move
//
// While an index goes over to another key (keymgr.Manager.BeginReindex), statements
// that write it must write its second column too: name @<column>_bidx_next beside
// @<column>_bidx, or [fieldcrypt.SecretNextIndex] beside [fieldcrypt.SecretIndex].
// Before that and after it the column is written as NULL, so put it into the
// statements first, and begin then: until they do so they are refused. [CopyInto]
// does it by itself.
//
// While plaintext is adopted (plain=<column>), statements write both columns, and
// rows are read with both. Eq finds what is sealed; search for the rest by the
// plaintext column where the encrypted one IS NULL.
//
// # Keys and connections
//
// [Args], [Unnest], [RowToStructByName] and their like open the keys when they are
// made, so make them before the query: once it holds a connection, keys that come
// through the same pool (keymgr/sqlstore) may have to wait for one. A pool with
// none left does not hang on that: the store's timeout (keymgr.Config.StoreTimeout)
// ends it with [fieldcrypt.ErrStoreUnavailable]. A tenant that only the context of
// the statement names is not known to Args; fetch its keys by
// [fieldcrypt.Crypter.Warm].
//
// A pool in [Wrap] sees to all this: it knows the context before it takes a
// connection, and where keys turn out to be missing among rows it reads these into
// memory, gives their connection back, and goes on. What is left are transactions
// and batches, which keep theirs.
package pgxcrypt
