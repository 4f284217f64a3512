package gorm_test

import (
	"database/sql"
	"slices"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// mode is a way to set GORM up.
type mode struct {
	name     string
	config   gorm.Config
	session  *gorm.Session
	replicas order
	not      []string // what GORM does not do in this mode, with plain models either
}

// order is when dbresolver is put in use.
type order int

const (
	never order = iota
	before
	after
)

var modes = []mode{
	{name: "Default"},
	{name: "Prepared", config: gorm.Config{PrepareStmt: true}},
	{
		name:   "WithoutTransaction",
		config: gorm.Config{SkipDefaultTransaction: true, QueryFields: true, TranslateError: true},
		// selects from a name that the query does not give:
		not: []string{"generics Preload", "generics Preload, LimitPerRecord", "generics Preload, LimitPerRecord with columns"},
	},
	{name: "WithoutHooks", session: &gorm.Session{SkipHooks: true, PrepareStmt: true}},
	{
		name:   "Batches",
		config: gorm.Config{CreateBatchSize: 1, FullSaveAssociations: true, AllowGlobalUpdate: true},
		not: []string{
			"Create maps",                // gives the second one's key to the first
			"Create an array",            // panics
			"Update of all, not allowed", // is
		},
	},
	{name: "Replicas", replicas: after},
	{name: "ReplicasPrepared", config: gorm.Config{PrepareStmt: true, TranslateError: true}, replicas: before},
}

// run runs a case of a test, if GORM can do it in the mode.
func (m mode) run(t *testing.T, name string, test func(t *testing.T)) {
	if !slices.Contains(m.not, name) {
		t.Run(name, test)
	}
}

// inModes runs a test in some of the modes, on every database.
func inModes(t *testing.T, list []mode, test func(t *testing.T, m mode, d dialector)) {
	for _, m := range list {
		t.Run(m.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, d dialector) { test(t, m, d) })
		})
	}
}

// use opens a database in the mode, with the tables of the models.
func (m mode) use(t testing.TB, d dialector, models ...any) (*gorm.DB, *log) {
	t.Helper()
	primary := d(t)
	db, l := open(t, primary, m.config)
	resolver := dbresolver.Register(dbresolver.Config{
		Sources: []gorm.Dialector{again(primary)}, Replicas: []gorm.Dialector{again(primary), again(primary)},
	})
	plugin := gormcrypt.New(newCrypter(t), tagged(models)...)
	for _, p := range map[order][]gorm.Plugin{never: {plugin}, before: {resolver, plugin}, after: {plugin, resolver}}[m.replicas] {
		if err := db.Use(p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { resolver.Call(closePool) })
	if err := db.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	if m.session != nil {
		db = db.Session(m.session)
	}
	l.reset()
	return db, l
}

func (m mode) practice(t testing.TB, d dialector) (*gorm.DB, *log) {
	t.Helper()
	return m.use(t, d, &Doctor{}, &Patient{}, &Visit{}, Label{})
}

// again opens the same database once more: a replica that never lags.
func again(d gorm.Dialector) gorm.Dialector {
	switch d := d.(type) {
	case *sqlite.Dialector:
		return sqlite.New(sqlite.Config{DriverName: d.DriverName, DSN: d.DSN})
	case *postgres.Dialector:
		return postgres.Open(d.DSN)
	}
	panic("no such database")
}

func closePool(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() }
