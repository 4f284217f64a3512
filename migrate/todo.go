package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// Where the id of the key is in a stored value (FORMAT.md), for SQL's substr.
const keyIDAt, keyIDLen = 4, 4

// bytes is a literal of bytes.
func (d dialect) bytes(b string) string {
	if d == sqlite {
		return "x'" + b + "'"
	}
	return `'\x` + b + `'::bytea`
}

// named is the condition that a value of a column names one of some keys.
func (d dialect) named(column string, keys []uint32) string {
	return fmt.Sprintf("substr(%s, %d, %d) IN (%s)", quote(column), keyIDAt, keyIDLen, d.keyList(keys))
}

func (d dialect) keyList(keys []uint32) string {
	ids := make([]string, len(keys))
	for i, k := range slices.Sorted(slices.Values(keys)) {
		ids[i] = d.bytes(fmt.Sprintf("%08x", k))
	}
	return strings.Join(ids, ", ")
}

// ofTenant is the condition that a row is a tenant's. Its name has no quotes.
// In SQLite a column holds values of any type, and bytes are never equal to text:
// what an application reads as the tenant's is, whatever its type.
func (d dialect) ofTenant(part *fieldcrypt.ManifestTable, tenant string) (string, error) {
	s := keymgr.Scope{Domain: "x", Tenant: tenant}
	if err := s.Validate(); err != nil {
		return "", err
	}
	if part.Tenant == "" {
		return "", fmt.Errorf("the table %s has no tenant column: %w", part.Name(), ErrRefused)
	}
	if d == sqlite {
		return "CAST(" + quote(part.Tenant) + " AS TEXT) = '" + tenant + "'", nil
	}
	return quote(part.Tenant) + " = '" + tenant + "'", nil
}

// todo is the condition of the rows that a job has to look at. It says the same
// for the same job, however often it is made.
func (d dialect) todo(kind string, part *fieldcrypt.ManifestTable, o *params) (string, error) {
	var all []string
	if o.Tenant != "" {
		tenant, err := d.ofTenant(part, o.Tenant)
		if err != nil {
			return "", err
		}
		all = append(all, tenant)
	}
	if kind != KindReencrypt {
		if o.Sample > 0 && d == postgres {
			all = append(all, "random() < "+strconv.FormatFloat(o.Sample, 'f', -1, 64))
		}
		return strings.Join(all, " AND "), nil
	}
	var any []string
	for _, c := range part.Columns {
		primary, known := o.Primary[c.Domain]
		switch {
		case len(o.Keys) > 0 && !slices.ContainsFunc(o.From, func(f fieldcrypt.OldIdentity) bool {
			return f.Column == c.Column && f.Domain != "" && f.Domain != c.Domain
		}):
			any = append(any, d.named(c.Column, o.Keys))
		case known:
			any = append(any, fmt.Sprintf("substr(%s, %d, %d) <> %s", quote(c.Column), keyIDAt, keyIDLen, d.keyList([]uint32{primary})))
		default:
			any = append(any, quote(c.Column)+" IS NOT NULL")
		}
	}
	return strings.Join(append(all, "("+strings.Join(any, " OR ")+")"), " AND "), nil
}
