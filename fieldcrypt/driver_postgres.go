package fieldcrypt

import "fmt"

// PostgresType is the Postgres type of encrypted columns, a domain. Its error does
// not echo what was refused; that of a table's CHECK would.
const PostgresType = "fieldcrypt_value"

// PostgresCheck returns what the domain asks of values.
func PostgresCheck() string {
	return fmt.Sprintf(`CHECK (octet_length(VALUE) >= %d AND substring(VALUE FROM 1 FOR 2) = '\x%x%02x'::bytea)`, MinSize, header0, header1)
}

// CreatePostgresType returns the statement that makes the domain unless it is
// there, whoever else is making it.
func CreatePostgresType() string {
	return fmt.Sprintf(`DO $$ BEGIN
	CREATE DOMAIN %s AS bytea %s;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`, PostgresType, PostgresCheck())
}
