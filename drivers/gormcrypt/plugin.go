package gormcrypt

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Plugin is a gorm.Plugin that seals and opens the tagged fields of marked
// models. It may serve several DBs.
type Plugin struct {
	crypter *fieldcrypt.Crypter
	models  []any
}

// New returns a plugin for db.Use. The models are parsed there and then, so that
// a wrong tag is an error at start; name all that have tags. A marked model that
// is not named works too, from its first use on.
//
// The errors of db.Use match [fieldcrypt.ErrModel], [fieldcrypt.ErrNotRegistered]
// or [fieldcrypt.ErrUnknownDomain], and name the struct, the field and the cure.
func New(fc *fieldcrypt.Crypter, models ...any) *Plugin {
	return &Plugin{crypter: fc, models: models}
}

// Name implements gorm.Plugin. It differs between plugins, so that a second one
// on a DB comes to Initialize, which says what is wrong.
func (p *Plugin) Name() string { return fmt.Sprintf("fieldcrypt:%p", p) }

// String keeps what the plugin holds out of logs.
func (p *Plugin) String() string { return "gormcrypt.Plugin" }

// Initialize implements gorm.Plugin.
func (p *Plugin) Initialize(db *gorm.DB) error {
	if p.crypter == nil {
		return pluginErr("gormcrypt.New was given no Crypter; make one with fieldcrypt.New")
	}
	namer := db.NamingStrategy
	if b := bindingOf(namer); b != nil {
		switch {
		case b.plugin != p:
			return pluginErr("this DB has a gormcrypt plugin already; name all models in one gormcrypt.New")
		case b.intact(db):
			return nil // dbresolver initializes the plugins again for each replica
		}
		namer = b.namer // taken over from another DB's config, without its builders
	}
	if name := db.Dialector.Name(); name != "postgres" && name != "sqlite" {
		return pluginErr(fmt.Sprintf("the dialect %q is not supported; it is postgres and sqlite", name))
	}
	// All hooks come first: whoever goes on after an error finds every statement
	// on the model refused.
	b := &binding{plugin: p, crypter: p.crypter, namer: namer, dialect: db.Dialector.Name()}
	b.registry.Store(&registry{words: map[string]bool{}})
	db.Config.NamingStrategy = boundNamer{namer, b}
	b.hookBuilders(db)
	if err := b.hookCallbacks(db); err != nil {
		return pluginErr("GORM refused a callback")
	}
	for _, model := range p.models {
		err := p.check(model)
		if err == nil {
			err = b.parse(db, model)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pluginErr(reason string) error { return unregistered("", reason) }

// binding is what a plugin keeps of one DB.
type binding struct {
	plugin  *Plugin
	crypter *fieldcrypt.Crypter
	namer   schema.Namer // the DB's own
	dialect string

	registry atomic.Pointer[registry]
	mu       sync.Mutex // held to replace the registry
	checked  sync.Map   // reflect.Type of a model -> *verdict
	builders map[string]uintptr
}

// register makes a model's table known to conditions that name it in SQL only.
func (b *binding) register(t *table) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.registry.Store(b.registry.Load().with(t))
}

// tablesOf returns what is encrypted in a model.
func (b *binding) tablesOf(s *schema.Schema) []*table {
	if g := guardOf(s); g != nil {
		return g.tables
	}
	return nil
}

// tablesOfQuery returns what is encrypted in the tables of a query.
func (b *binding) tablesOfQuery(db *gorm.DB) (tables []*table) {
	for _, s := range b.ofStatement(b.parsed(db)).sources() {
		tables = append(tables, s.tables...)
	}
	return tables
}

// parsed returns the statement of a query with its Model's schema.
func (b *binding) parsed(db *gorm.DB) *gorm.Statement {
	st := db.Statement
	if st.Schema != nil || st.Model == nil {
		return st
	}
	own := &gorm.Statement{DB: st.DB, Table: st.Table, TableExpr: st.TableExpr, Clauses: st.Clauses, Joins: st.Joins, Selects: st.Selects}
	own.Parse(st.Model) // its error comes again when GORM parses it
	return own
}

// boundNamer is how a schema that is being parsed finds its DB's plugin: the
// namer is all that GORM hands it. It names as the DB's own namer does.
type boundNamer struct {
	schema.Namer
	binding *binding
}

// probe is a column name that nobody asks for by chance.
var probe = "fieldcrypt probe " + rand.Text()

// found is what a boundNamer throws when it is asked for probe.
type found struct{ binding *binding }

// ColumnName implements schema.Namer.
func (n boundNamer) ColumnName(table, column string) string {
	if column == probe {
		panic(found{n.binding})
	}
	return n.Namer.ColumnName(table, column)
}

// bindingOf returns the binding of a namer, or nil. Other namers may be wrapped
// around ours.
func bindingOf(n schema.Namer) *binding {
	return ask(func() { n.ColumnName("", probe) })
}

// bindingOfSchema returns the binding of the DB on which a schema is parsed.
func bindingOfSchema(s *schema.Schema) *binding {
	return ask(func() { s.LookUpField(probe) }) // the one method that asks the namer
}

func ask(question func()) (b *binding) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case found:
			b = r.binding
		default:
			panic(r)
		}
	}()
	question()
	return nil
}
