package gorm_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

func TestDriverConforms(t *testing.T) {
	for name, cfg := range map[string]gorm.Config{
		"Default":  {},
		"Prepared": {PrepareStmt: true, SkipDefaultTransaction: true},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, d dialector) {
				drivertest.Exercise(t, func(t *testing.T, fc *fieldcrypt.Crypter) drivertest.Driver {
					return newDriver(t, d, cfg, fc)
				})
			})
		})
	}
}

// record is a model of the suite with the marker.
type record[M any] struct {
	gormcrypt.Encrypted
	Row M `gorm:"embedded"`
}

// TableName is the model's own.
func (record[M]) TableName() string {
	var m M
	return any(m).(interface{ TableName() string }).TableName()
}

// FieldcryptIndexes are the model's own.
func (record[M]) FieldcryptIndexes() (out []fieldcrypt.Index) {
	var m M
	d, ok := any(m).(interface{ FieldcryptIndexes() []fieldcrypt.Index })
	if !ok {
		return nil
	}
	for _, ix := range d.FieldcryptIndexes() {
		parts := append([]fieldcrypt.Part(nil), ix.Parts...)
		for i := range parts {
			parts[i].Field = "Row." + parts[i].Field
		}
		ix.Parts = parts
		out = append(out, ix)
	}
	return out
}

// driver is gormcrypt as the suite wants it.
type driver struct {
	db     *gorm.DB
	log    *log
	tables map[reflect.Type]rows
}

func newDriver(t *testing.T, d dialector, cfg gorm.Config, fc *fieldcrypt.Crypter) *driver {
	db, l := open(t, d(t), cfg)
	dr := &driver{db: db, log: l, tables: map[reflect.Type]rows{
		reflect.TypeFor[drivertest.Person]():   table[drivertest.Person]{},
		reflect.TypeFor[drivertest.Twin]():     table[drivertest.Twin]{},
		reflect.TypeFor[drivertest.Values]():   table[drivertest.Values]{},
		reflect.TypeFor[drivertest.Resident](): table[drivertest.Resident]{},
		reflect.TypeFor[drivertest.Sample]():   table[drivertest.Sample]{},
	}}
	var models []any
	for _, r := range dr.tables {
		models = append(models, r.model())
	}
	if err := db.Use(gormcrypt.New(fc, models...)); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	return dr
}

// rows does what depends on the model's type.
type rows interface {
	model() any
	insert(db *gorm.DB, row any) error
	update(db *gorm.DB, row any, fields []string) error
	upsert(db *gorm.DB, row any, on string, fields []string) error
	get(db *gorm.DB, row any, id int64) error
	find(db *gorm.DB, rows any) error
}

type table[M any] struct{}

func (table[M]) model() any { return &record[M]{} }

func (table[M]) insert(db *gorm.DB, given any) error {
	if list, ok := given.(*[]M); ok {
		records := make([]record[M], len(*list))
		for i, m := range *list {
			records[i].Row = m
		}
		err := db.Create(&records).Error
		for i := range records {
			(*list)[i] = records[i].Row
		}
		return err
	}
	r := record[M]{Row: *given.(*M)}
	err := db.Create(&r).Error
	*given.(*M) = r.Row
	return err
}

func (table[M]) update(db *gorm.DB, given any, fields []string) error {
	r := record[M]{Row: *given.(*M)}
	err := db.Model(&r).Select(fields).Updates(&r).Error
	*given.(*M) = r.Row
	return err
}

func (table[M]) upsert(db *gorm.DB, given any, on string, fields []string) error {
	r := record[M]{Row: *given.(*M)}
	err := db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: on}}, DoUpdates: clause.AssignmentColumns(fields)}).Create(&r).Error
	*given.(*M) = r.Row
	return err
}

func (table[M]) get(db *gorm.DB, given any, id int64) error {
	r := record[M]{Row: *given.(*M)}
	key := reflect.ValueOf(&r.Row).Elem().FieldByName("ID")
	was := key.Int()
	key.SetInt(0) // no condition of its own
	err := db.Take(&r, "id = ?", id).Error
	if err != nil {
		key.SetInt(was)
	}
	*given.(*M) = r.Row
	return err
}

func (table[M]) find(db *gorm.DB, given any) error {
	var records []record[M]
	err := db.Order("id").Find(&records).Error
	list := given.(*[]M)
	*list = nil
	for _, r := range records {
		*list = append(*list, r.Row)
	}
	return err
}

func (d *driver) of(v any) rows {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return d.tables[t]
}

func (d *driver) Insert(ctx context.Context, row any) error {
	return d.of(row).insert(d.db.WithContext(ctx), row)
}

func (d *driver) InsertMany(ctx context.Context, list any) error {
	return d.of(list).insert(d.db.WithContext(ctx), list)
}

func (d *driver) Update(ctx context.Context, row any, fields ...string) error {
	return d.of(row).update(d.db.WithContext(ctx), row, fields)
}

func (d *driver) Get(ctx context.Context, row any, id int64) error {
	err := d.of(row).get(d.db.WithContext(ctx), row, id)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return drivertest.ErrNoRow
	}
	return err
}

// Upsert implements drivertest.Upserter.
func (d *driver) Upsert(ctx context.Context, row any, on string, fields ...string) error {
	columns := d.columns(row, append([]string{on}, fields...)...)
	return d.of(row).upsert(d.db.WithContext(ctx), row, columns[0], columns[1:])
}

// GetFields implements drivertest.PartReader.
func (d *driver) GetFields(ctx context.Context, row any, id int64, fields ...string) error {
	return d.of(row).get(d.db.WithContext(ctx).Select(fields), row, id)
}

// AddUnique implements drivertest.Reindexer.
func (d *driver) AddUnique(ctx context.Context, table, column string) error {
	bytesType := map[string]string{"sqlite": "blob", "postgres": "bytea"}[d.db.Dialector.Name()]
	for _, ddl := range []string{
		fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, column, bytesType),
		fmt.Sprintf("CREATE UNIQUE INDEX %s_unique ON %s (%s)", column, table, column),
	} {
		if err := d.db.WithContext(ctx).Exec(ddl).Error; err != nil {
			return err
		}
	}
	return nil
}

// GuardsUpdates implements drivertest.UpdateGuard.
func (d *driver) GuardsUpdates() {}

// columns returns the columns of a model's fields.
func (d *driver) columns(model any, fields ...string) (names []string) {
	stmt := &gorm.Statement{DB: d.db}
	if err := stmt.Parse(d.of(model).model()); err != nil {
		panic(err)
	}
	for _, f := range fields {
		names = append(names, stmt.Schema.LookUpField(f).DBName)
	}
	return names
}

func (d *driver) where(ctx context.Context, model any, field string, values []any) *gorm.DB {
	m, column := d.of(model).model(), d.columns(model, field)[0]
	db := d.db.WithContext(ctx).Model(m)
	if len(values) == 1 {
		return db.Where(column+" = ?", values[0])
	}
	return db.Where(column+" IN ?", values)
}

func (d *driver) Find(ctx context.Context, list any, field string, values ...any) error {
	return d.of(list).find(d.where(ctx, list, field, values), list)
}

func (d *driver) Count(ctx context.Context, model any, field string, value any) (n int64, err error) {
	err = d.where(ctx, model, field, []any{value}).Count(&n).Error
	return n, err
}

func (d *driver) Delete(ctx context.Context, model any, field string, value any) (int64, error) {
	tx := d.where(ctx, model, field, []any{value}).Delete(d.of(model).model())
	return tx.RowsAffected, tx.Error
}

func (d *driver) pool() *sql.DB {
	pool, err := d.db.DB()
	if err != nil {
		panic(err)
	}
	return pool
}

func (d *driver) Stored(ctx context.Context, table, column string, id int64) (b []byte, err error) {
	err = d.pool().QueryRowContext(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", column, table, id)).Scan(&b)
	return b, err
}

func (d *driver) Overwrite(ctx context.Context, table, column string, id int64, value []byte) error {
	query := fmt.Sprintf("UPDATE %s SET %s = $1 WHERE id = %d", table, column, id)
	conn, err := d.pool().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	off := "PRAGMA ignore_check_constraints = ON"
	if d.db.Dialector.Name() == "postgres" {
		off = "ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT IF EXISTS fieldcrypt_value_check"
	}
	if _, err := conn.ExecContext(ctx, off); err != nil {
		return err
	}
	var given any = value
	if value == nil {
		given = nil // and not an empty value
	} else if d.isText(table, column) {
		given = string(value)
	}
	_, err = conn.ExecContext(ctx, query, given)
	return err
}

// isText reports whether a column is a plain one of text.
func (d *driver) isText(table, column string) bool {
	for _, r := range d.tables {
		stmt := &gorm.Statement{DB: d.db}
		if err := stmt.Parse(r.model()); err != nil {
			panic(err)
		}
		if f := stmt.Schema.LookUpField(column); stmt.Schema.Table == table && f != nil {
			return f.DataType == schema.String
		}
	}
	return false
}

func (d *driver) Dump(ctx context.Context) ([]byte, error) {
	var names []string
	for _, r := range d.tables {
		names = append(names, r.model().(interface{ TableName() string }).TableName())
	}
	slices.Sort(names)
	return dump(ctx, d.pool(), names...)
}

func (d *driver) Log() string { return d.log.String() }

// dump returns every byte of tables, sorted by id.
func dump(ctx context.Context, pool *sql.DB, tables ...string) ([]byte, error) {
	return dumpBy(ctx, pool, "id", tables...)
}

// dumpBy is dump in another order.
func dumpBy(ctx context.Context, pool *sql.DB, order string, tables ...string) ([]byte, error) {
	var out bytes.Buffer
	for _, name := range tables {
		rows, err := pool.QueryContext(ctx, "SELECT * FROM "+name+" ORDER BY "+order)
		if err != nil {
			return nil, err
		}
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		values := make([]sql.RawBytes, len(columns))
		dest := make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				return nil, err
			}
			for i, v := range values {
				fmt.Fprintf(&out, "%s.%s=%s\n", name, columns[i], v)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
