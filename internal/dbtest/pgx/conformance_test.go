package pgx_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

func TestDriverConforms(t *testing.T) {
	for _, mode := range modes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			drivertest.Exercise(t, func(t *testing.T, fc *fieldcrypt.Crypter) drivertest.Driver {
				return newDriver(t, fc, mode)
			})
		})
	}
}

// driver is pgxcrypt as the suite wants it.
type driver struct {
	db     *pgxpool.Pool
	fc     *fieldcrypt.Crypter
	log    *log
	tables map[reflect.Type]rows
	next   string // the second column of an index of people, "" for none
}

func newDriver(t *testing.T, fc *fieldcrypt.Crypter, mode pgx.QueryExecMode) *driver {
	d := &driver{fc: fc, log: &log{}, tables: map[reflect.Type]rows{
		reflect.TypeFor[drivertest.Person]():   newTable[drivertest.Person](t, fc),
		reflect.TypeFor[drivertest.Twin]():     newTable[drivertest.Twin](t, fc),
		reflect.TypeFor[drivertest.Values]():   newTable[drivertest.Values](t, fc),
		reflect.TypeFor[drivertest.Resident](): newTable[drivertest.Resident](t, fc),
		reflect.TypeFor[drivertest.Sample]():   newTable[drivertest.Sample](t, fc),
	}}
	d.db = pool(t, pgtest.DB(t), d.log.trace, func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
	exec(t, d.db, `CREATE TABLE drivertest_people (id bigint PRIMARY KEY, ward text);
		CREATE TABLE drivertest_twins (id bigint PRIMARY KEY);
		CREATE TABLE drivertest_values (id bigint PRIMARY KEY);
		CREATE TABLE drivertest_residents (id bigint PRIMARY KEY, ward text, clinic text);
		CREATE TABLE drivertest_samples (id bigint PRIMARY KEY, key bytea, code text)`)
	migrate(t, d.db, fc, drivertest.Models()...)
	return d
}

// rows does what depends on the model's type.
type rows interface {
	info() tableInfo
	insertMany(ctx context.Context, d *driver, list any) error
	find(ctx context.Context, d *driver, list any, where string, args ...any) error
	get(ctx context.Context, d *driver, row any, id int64) error
	getFields(ctx context.Context, d *driver, row any, id int64, columns []string) error
	terms(ctx context.Context, d *driver, column string, value any) ([][]byte, error)
}

type tableInfo struct {
	name    string
	model   *fieldcrypt.Model
	columns []string // with those of indexes
}

type table[M any] struct{ tableInfo }

func newTable[M any](t *testing.T, fc *fieldcrypt.Crypter) table[M] {
	m, err := fc.Model(reflect.TypeFor[M]())
	if err != nil {
		t.Fatal(err)
	}
	info := tableInfo{name: m.Table, model: m}
	for _, f := range m.Plain() {
		info.columns = append(info.columns, f.Column)
	}
	for _, f := range m.Fields {
		info.columns = append(info.columns, f.Column)
	}
	for _, ix := range m.Indexes {
		info.columns = append(info.columns, ix.Column)
	}
	return table[M]{info}
}

func (t table[M]) info() tableInfo { return t.tableInfo }

// column returns the column of a Go field.
func (t tableInfo) column(path string) string {
	if f := t.model.Field(path); f != nil {
		return f.Column
	}
	for _, f := range t.model.Plain() {
		if f.Path == path {
			return f.Column
		}
	}
	panic("no field " + path)
}

func (t table[M]) insertMany(ctx context.Context, d *driver, list any) error {
	_, err := pgxcrypt.CopyInto(ctx, d.db, d.fc, pgx.Identifier{t.name}, *list.(*[]M))
	return err
}

func (t table[M]) find(ctx context.Context, d *driver, list any, where string, args ...any) error {
	fn := pgxcrypt.RowToStructByName[M](ctx, d.fc)
	rows, err := d.db.Query(ctx, "SELECT * FROM "+t.name+" WHERE "+where+" ORDER BY id", args...)
	if err != nil {
		return err
	}
	*list.(*[]M), err = pgx.CollectRows(rows, fn)
	return err
}

func (t table[M]) get(ctx context.Context, d *driver, row any, id int64) error {
	var list []M
	if err := t.find(ctx, d, &list, "id = $1", id); err != nil {
		return err
	}
	if len(list) == 0 {
		return drivertest.ErrNoRow
	}
	*row.(*M) = list[0]
	return nil
}

func (t table[M]) getFields(ctx context.Context, d *driver, row any, id int64, columns []string) error {
	fn := pgxcrypt.RowToStructByNameLax[M](ctx, d.fc)
	rows, err := d.db.Query(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", strings.Join(columns, ", "), t.name, id))
	if err != nil {
		return err
	}
	*row.(*M), err = pgx.CollectExactlyOneRow(rows, fn)
	return err
}

func (t table[M]) terms(ctx context.Context, d *driver, column string, value any) ([][]byte, error) {
	return pgxcrypt.Eq[M](ctx, d.fc, column, value)
}

func (d *driver) of(v any) rows {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return d.tables[t]
}

func (d *driver) Insert(ctx context.Context, row any) error {
	t := d.of(row).info()
	columns := d.withNext(t.columns)
	_, err := d.db.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (@%s)", t.name, strings.Join(columns, ", "), strings.Join(columns, ", @")), pgxcrypt.Args(d.fc, row))
	return err
}

func (d *driver) InsertMany(ctx context.Context, list any) error {
	return d.of(list).insertMany(ctx, d, list)
}

func (d *driver) Update(ctx context.Context, row any, fields ...string) error {
	t := d.of(row).info()
	var columns, set []string
	for _, f := range fields {
		columns = append(columns, t.column(f))
	}
	for _, ix := range t.model.Indexes {
		if !slices.ContainsFunc(ix.Fields, func(f *fieldcrypt.Field) bool { return !slices.Contains(fields, f.Path) }) {
			columns = append(columns, ix.Column)
		}
	}
	for _, column := range d.withNext(columns) {
		set = append(set, column+" = @"+column)
	}
	where := "id = @id"
	for _, column := range t.companions(fields) {
		where += fmt.Sprintf(" AND %s IS NOT DISTINCT FROM @%s", column, column)
	}
	_, err := d.db.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.name, strings.Join(set, ", "), where), pgxcrypt.Args(d.fc, row))
	return err
}

// withNext adds the second column of an index to its first.
func (d *driver) withNext(columns []string) []string {
	if d.next != "" && slices.Contains(columns, strings.TrimSuffix(d.next, fieldcrypt.NextSuffix)) {
		return append(slices.Clone(columns), d.next)
	}
	return columns
}

// companions are the columns, other than those that are written, that fields are
// sealed for.
func (t tableInfo) companions(fields []string) (columns []string) {
	for _, path := range fields {
		f := t.model.Field(path)
		if f == nil {
			continue
		}
		needs := []*fieldcrypt.PlainField{f.Bind}
		if f.PerTenant {
			needs = append(needs, t.model.Tenant)
		}
		for _, n := range needs {
			if n != nil && !slices.Contains(fields, n.Path) && !slices.Contains(columns, n.Column) {
				columns = append(columns, n.Column)
			}
		}
	}
	return columns
}

func (d *driver) Get(ctx context.Context, row any, id int64) error {
	return d.of(row).get(ctx, d, row, id)
}

// GetFields implements drivertest.PartReader.
func (d *driver) GetFields(ctx context.Context, row any, id int64, fields ...string) error {
	t := d.of(row)
	columns := t.info().companions(fields)
	for _, f := range fields {
		columns = append(columns, t.info().column(f))
	}
	return t.getFields(ctx, d, row, id, columns)
}

// AddUnique implements drivertest.Reindexer.
func (d *driver) AddUnique(ctx context.Context, table, column string) error {
	d.next = column
	_, err := d.db.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s bytea UNIQUE", table, column))
	return err
}

// where returns a condition on an index column, and on the tenant where that has
// keys of its own, with its arguments.
func (d *driver) where(ctx context.Context, model any, field string, values []any) (string, []any, error) {
	t := d.of(model)
	column := t.info().column(field)
	all := [][]byte{}
	for _, v := range values {
		terms, err := t.terms(ctx, d, column, v)
		if err != nil {
			return "", nil, err
		}
		all = append(all, terms...)
	}
	if m := t.info().model; m.Field(field).PerTenant {
		return column + "_bidx = ANY($1) AND " + m.Tenant.Column + " = $2", []any{all, fieldcrypt.TenantFrom(ctx)}, nil
	}
	return column + "_bidx = ANY($1)", []any{all}, nil
}

func (d *driver) Find(ctx context.Context, list any, field string, values ...any) error {
	where, args, err := d.where(ctx, list, field, values)
	if err != nil {
		return err
	}
	return d.of(list).find(ctx, d, list, where, args...)
}

func (d *driver) Count(ctx context.Context, model any, field string, value any) (n int64, err error) {
	where, args, err := d.where(ctx, model, field, []any{value})
	if err != nil {
		return 0, err
	}
	err = d.db.QueryRow(ctx, "SELECT count(*) FROM "+d.of(model).info().name+" WHERE "+where, args...).Scan(&n)
	return n, err
}

func (d *driver) Delete(ctx context.Context, model any, field string, value any) (int64, error) {
	where, args, err := d.where(ctx, model, field, []any{value})
	if err != nil {
		return 0, err
	}
	tag, err := d.db.Exec(ctx, "DELETE FROM "+d.of(model).info().name+" WHERE "+where, args...)
	return tag.RowsAffected(), err
}

func (d *driver) Stored(ctx context.Context, table, column string, id int64) (b []byte, err error) {
	err = d.db.QueryRow(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", column, table, id)).Scan(&b)
	return b, err
}

func (d *driver) Overwrite(ctx context.Context, table, column string, id int64, value []byte) error {
	literal := fmt.Sprintf(`'\x%x'::bytea`, value)
	switch {
	case value == nil:
		literal = "NULL"
	case d.isText(table, column):
		literal = "convert_from(" + literal + ", 'UTF8')"
	}
	_, err := d.db.Exec(ctx, fmt.Sprintf(`ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT IF EXISTS fieldcrypt_value_check;
		UPDATE %s SET %s = %s WHERE id = %d`, table, column, literal, id), pgx.QueryExecModeSimpleProtocol)
	return err
}

// isText reports whether a column is a plain one of text.
func (d *driver) isText(table, column string) bool {
	for _, t := range d.tables {
		for _, f := range t.info().model.Plain() {
			if t.info().name == table && f.Column == column {
				return f.Type == reflect.TypeFor[string]() || f.Type == reflect.TypeFor[*string]()
			}
		}
	}
	return false
}

func (d *driver) Dump(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	for _, t := range d.tables {
		rows, err := d.db.Query(ctx, "SELECT * FROM "+t.info().name+" ORDER BY id")
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			fmt.Fprintf(&out, "%s %q\n", t.info().name, rows.RawValues())
			for _, raw := range rows.RawValues() {
				out.Write(raw)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	lines := bytes.Split(out.Bytes(), []byte("\n")) // maps have no order
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(lines, []byte("\n")), nil
}

func (d *driver) Log() string { return d.log.String() }
