package gormcrypt

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// cold are the failures to open keys before a statement, by domain.
type cold struct {
	stmt *gorm.Statement
	errs map[string]error
}

const coldKey = "fieldcrypt:cold"

// keysReady returns why the keys of columns, nil for plain ones, could not be
// opened. It was found before a connection was taken; to try again now could wait
// for that connection.
func (sc *scope) keysReady(columns ...*column) error {
	v, ok := sc.stmt.Settings.Load(coldKey)
	if !ok || v.(cold).stmt != sc.stmt {
		return nil
	}
	for _, c := range columns {
		if c == nil {
			continue
		}
		if err := v.(cold).errs[c.field.Domain]; err != nil {
			return err
		}
	}
	return nil
}

// warm opens the keys that a statement will need, before it takes a connection:
// the store may be the same database, and the pool may have one connection. What
// fails here is an error only if the statement comes to need it.
func (b *binding) warm(sc *scope) {
	stmt := sc.stmt
	if _, ok := stmt.Settings.Load(coldKey); ok {
		stmt.Settings.Delete(coldKey) // of this statement's last run, or of the one it was made from
	}
	var failed map[string]error
	if !sc.quiet() {
		for _, ctx := range sc.tenantContexts() {
			for _, s := range sc.sources() {
				failed = b.openKeys(ctx, s.tables, failed)
			}
		}
	}
	if len(failed) > 0 {
		stmt.Settings.Store(coldKey, cold{stmt, failed})
	}
	related := len(stmt.Preloads) > 0 || len(stmt.BuildClauses) > 0 && stmt.BuildClauses[0] != "SELECT"
	if related && stmt.Schema != nil {
		for _, d := range b.verdict(stmt.Schema).domains {
			if failed[d] == nil {
				_ = b.openDomain(stmt.Context, d, failed) // the relation's own statement says what is wrong
			}
		}
	}
}

// openKeys opens the keys of tables and notes what failed: each domain once, since
// a KMS may take its time to fail.
func (b *binding) openKeys(ctx context.Context, tables []*table, failed map[string]error) map[string]error {
	for _, t := range tables {
		for _, d := range t.domains {
			if failed[d] != nil {
				continue
			}
			if err := b.openDomain(ctx, d, failed); err != nil {
				if failed == nil {
					failed = map[string]error{}
				}
				failed[d] = err
			}
		}
	}
	return failed
}

// openDomain opens the keys of a domain. It waits for a store once per statement:
// where that has not answered, only what is in memory serves.
func (b *binding) openDomain(ctx context.Context, domain string, failed map[string]error) error {
	for _, err := range failed {
		if !errors.Is(err, fieldcrypt.ErrStoreUnavailable) {
			continue
		}
		ended, end := context.WithCancel(ctx)
		end()
		if b.crypter.Warm(ended, domain) != nil {
			return err
		}
		return nil
	}
	return b.crypter.Warm(ctx, domain)
}

// maxWarm bounds the tenants whose keys one statement opens beforehand.
const maxWarm = 64

// tenantContexts are the contexts in which the statement needs keys: its own, or
// where that names no tenant those of the tenants that its rows, or its WHERE
// clause, name.
func (sc *scope) tenantContexts() []context.Context {
	ctx := sc.stmt.Context
	t := sc.main().tenant()
	if t == nil || fieldcrypt.TenantFrom(ctx) != "" {
		return []context.Context{ctx}
	}
	var tenants []string
	add := func(v any) {
		tenant, err := t.text(v)
		if err == nil && tenant != "" && len(tenants) < maxWarm && !slices.Contains(tenants, tenant) {
			tenants = append(tenants, tenant)
		}
	}
	if v, ok := sc.fixed(t.name); ok {
		add(v)
	}
	sc.eachRow(t, add)
	contexts := []context.Context{ctx} // for domains without tenants
	for _, tenant := range tenants {
		contexts = append(contexts, fieldcrypt.WithTenant(ctx, tenant))
	}
	return contexts
}

// eachRow visits the tenants of the rows that a statement writes.
func (sc *scope) eachRow(t *companion, visit func(any)) {
	stmt := sc.stmt
	if len(stmt.BuildClauses) == 0 || stmt.BuildClauses[0] == "SELECT" || guardOf(stmt.Schema) == nil {
		return
	}
	sf := stmt.Schema.LookUpField(t.name)
	var rows func(v reflect.Value)
	rows = func(v reflect.Value) {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		switch {
		case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
			for i := range v.Len() {
				rows(v.Index(i))
			}
		case v.Kind() == reflect.Struct && v.Type() == stmt.Schema.ModelType && sf != nil:
			value, _ := sf.ValueOf(stmt.Context, v)
			visit(value)
		case v.Kind() == reflect.Map:
			if m, ok := v.Interface().(map[string]any); ok {
				visit(m[t.name])
				if sf != nil {
					visit(m[sf.Name])
				}
			}
		}
	}
	rows(reflect.ValueOf(stmt.Dest))
	rows(reflect.ValueOf(stmt.Model))
}
