package gormcrypt

import (
	"cmp"
	"context"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// openAtOnce is how many values of a query are opened together.
const openAtOnce = 128

// opening opens the fields of a query's rows while more rows are read. It serves
// queries into slices of a marked model; everywhere else a field opens itself at
// once. GORM hands it from the query to the fields in the statement's context.
type opening struct {
	crypter *fieldcrypt.Crypter
	ctx     context.Context
	dest    reflect.Type // pointer to the model

	owner  reflect.Value // of the row that is being read; held, so that no other row has its address
	row    int
	fields []*schema.Field
	types  []*fieldcrypt.Field
	batch  *batch // being filled
	ended  bool   // no more rows are read

	running sync.WaitGroup
	batches []*batch
}

// batch is what one goroutine opens.
type batch struct {
	values []unopened
	stored []byte          // of all, one after the other
	opened []reflect.Value // by field: a slice with its values, in order
	failed []failure
}

// unopened is a value that was read.
type unopened struct {
	row, field int32 // of opening.fields
	end        int   // in batch.stored
	tenant     string
}

// failure is why a value did not open.
type failure struct {
	row int32
	err error
}

// openingContext is a statement's context while its rows are read.
type openingContext struct {
	context.Context
	opening *opening
}

// beginOpening prepares a query whose rows go into a slice.
func (b *binding) beginOpening(db *gorm.DB) {
	stmt := db.Statement
	if db.Error != nil || db.DryRun || !marked(stmt) || stmt.ReflectValue.Kind() != reflect.Slice || len(stmt.Joins) > 0 || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	o := &opening{crypter: b.crypter, ctx: stmt.Context, dest: reflect.PointerTo(stmt.Schema.ModelType), row: -1}
	stmt.Context = &openingContext{stmt.Context, o}
}

// add takes over a value of a row, nil for NULL, and reports whether it did.
func (o *opening) add(sf *schema.Field, f *fieldcrypt.Field, owner reflect.Value, stored []byte) bool {
	if o.ended || owner.Type() != o.dest {
		return false
	}
	if o.row < 0 || owner.Pointer() != o.owner.Pointer() {
		o.owner, o.row = owner, o.row+1
	}
	if stored == nil || f.Bind != nil || !f.Simple() {
		return false
	}
	at := slices.Index(o.fields, sf)
	if at < 0 {
		at = len(o.fields)
		o.fields, o.types = append(o.fields, sf), append(o.types, f)
	}
	b := o.batch
	if b == nil {
		b = &batch{values: make([]unopened, 0, openAtOnce), stored: make([]byte, 0, openAtOnce*(len(stored)+16))}
		o.batch = b
	}
	b.stored = append(b.stored, stored...)
	b.values = append(b.values, unopened{int32(o.row), int32(at), len(b.stored), rowOf(f, owner).Tenant})
	if len(b.values) == openAtOnce {
		fields := o.types
		o.batch, o.batches = nil, append(o.batches, b)
		o.running.Go(func() { b.open(o, fields) })
	}
	return true
}

// open opens the values of a batch, each field's into a slice of its own.
func (b *batch) open(o *opening, fields []*fieldcrypt.Field) {
	next := make([]int, len(fields))
	for _, v := range b.values {
		next[v.field]++
	}
	b.opened = make([]reflect.Value, len(fields))
	for i, n := range next {
		b.opened[i] = reflect.MakeSlice(reflect.SliceOf(fields[i].Type), n, n)
	}
	clear(next)
	from := 0
	for _, v := range b.values {
		dst := b.opened[v.field].Index(next[v.field])
		next[v.field]++
		if err := o.crypter.Open(o.ctx, fields[v.field], b.stored[from:v.end], dst, fieldcrypt.Row{Tenant: v.tenant}); err != nil {
			b.failed = append(b.failed, failure{v.row, err})
		}
		from = v.end
	}
	b.stored = nil
}

// endOpening gives the rows of a query what was opened.
func (b *binding) endOpening(db *gorm.DB) {
	c, ok := db.Statement.Context.(*openingContext)
	if !ok {
		return
	}
	db.Statement.Context = c.Context
	o := c.opening
	if o.ended {
		return
	}
	o.ended, o.owner = true, reflect.Value{}
	if last := o.batch; last != nil {
		o.batches = append(o.batches, last)
		last.open(o, o.types)
	}
	o.running.Wait()
	rows := db.Statement.ReflectValue
	if len(o.batches) > 0 && rows.Len() != o.row+1 {
		rows.SetZero() // which value is which row's is not known
		db.AddError(fieldErr("open", o.types[0], fieldcrypt.ErrUnsupported, "a query whose rows are not those of the model; read it without joins in FROM"))
		return
	}
	var failed []failure
	for _, batch := range o.batches {
		failed = append(failed, batch.failed...)
		batch.fill(c.Context, rows, o.fields)
	}
	slices.SortStableFunc(failed, func(x, y failure) int { return cmp.Compare(x.row, y.row) })
	for _, f := range failed {
		db.AddError(f.err)
	}
}

// fill sets the fields of the rows. What did not open is zero.
func (b *batch) fill(ctx context.Context, rows reflect.Value, fields []*schema.Field) {
	next := make([]int, len(fields))
	for _, v := range b.values {
		fields[v.field].ReflectValueOf(ctx, rows.Index(int(v.row))).Set(b.opened[v.field].Index(next[v.field]))
		next[v.field]++
	}
}
