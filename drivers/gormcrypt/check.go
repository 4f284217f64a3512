package gormcrypt

import (
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// maxName bounds the names of columns, in bytes: Postgres cuts longer ones off.
const maxName = 63

func checkName(f *fieldcrypt.Field, name string) error {
	switch {
	case len(name) > maxName:
		return modelErr(f.Model.Name, f.Path, fmt.Sprintf("the column name %s is longer than %d bytes; shorten it", name, maxName))
	case name == "" || span(name, isWordByte) < len(name):
		return modelErr(f.Model.Name, f.Path, fmt.Sprintf("the column name %q is no plain identifier; use letters, digits and _", name))
	}
	return nil
}

// settings that have no meaning for ciphertext, and the cure.
var wrongSettings = map[string]string{
	"SERIALIZER":     "only fieldcrypt encodes encrypted values; remove serializer:",
	"JSON":           "only fieldcrypt encodes encrypted values; remove json:",
	"DEFAULT":        "the database cannot make a default that is encrypted; set it in a BeforeCreate hook and remove default:",
	"CHECK":          "a CHECK would see ciphertext; check in a BeforeSave hook and remove check:",
	"GENERATED":      "a generated column cannot be encrypted; remove generated:",
	"TYPE":           "gormcrypt chooses the column's type; remove type:",
	"AUTOINCREMENT":  "a number that the database makes cannot be encrypted; remove autoIncrement",
	"AUTOCREATETIME": "GORM would write the time in the clear; remove autoCreateTime",
	"AUTOUPDATETIME": "GORM would write the time in the clear; remove autoUpdateTime",
}

// checkField refuses what GORM's settings ask of a field that is encrypted.
func checkField(f *fieldcrypt.Field, sf *schema.Field) error {
	wrong := func(reason string) error { return modelErr(f.Model.Name, f.Path, reason) }
	if sf == nil {
		return wrong("GORM does not store it; export it and the structs around it")
	}
	for setting, reason := range wrongSettings {
		if _, ok := sf.TagSettings[setting]; ok && !harmless(setting, sf) {
			return wrong(reason)
		}
	}
	if v, ok := sf.TagSettings["-"]; ok && !strings.EqualFold(strings.TrimSpace(v), "migration") {
		return wrong(`it is tagged gorm:"-" too; remove one of the tags`)
	}
	switch {
	case sf.PrimaryKey:
		return wrong("a primary key cannot be encrypted: ciphertext differs at every write; use a surrogate key and an index")
	case sf.AutoCreateTime > 0 || sf.AutoUpdateTime > 0:
		return wrong("GORM would write the time in the clear; rename the field or tag it autoCreateTime:false;autoUpdateTime:false")
	case sf.Serializer != nil:
		return wrong("its type is a GORM serializer, and only fieldcrypt encodes encrypted values; use another type")
	case hasClauses(sf.FieldType):
		return wrong(fmt.Sprintf("its type %s changes GORM's statements, which would then see ciphertext; do not encrypt it", sf.FieldType))
	}
	indexed := sf.Unique
	for _, setting := range strings.Split(sf.Tag.Get("gorm"), ";") {
		if !isIndexSetting(setting) {
			continue
		}
		indexed = true
		for key, value := range schema.ParseTagSetting(strings.Join(strings.Split(setting, ",")[1:], ","), ",") {
			if key == "EXPRESSION" || key == "LENGTH" || key == "COLLATE" || key == "CLASS" && !strings.EqualFold(value, "UNIQUE") {
				return wrong(fmt.Sprintf("an index with %s would work on ciphertext; remove it", strings.ToLower(key)))
			}
			if key == "WHERE" && anyWord(value, func(w string) bool { return w == strings.ToLower(f.Column) || w == strings.ToLower(sf.DBName) }) {
				return wrong("an index WHERE over the encrypted column would see ciphertext; remove it")
			}
		}
	}
	if indexed && f.SearchIndex() == nil {
		return wrong(fmt.Sprintf(`an index or unique constraint on ciphertext finds nothing; add the option index to its tag: %s:"%s,index"`, fieldcrypt.TagName, f.Domain))
	}
	return nil
}

// harmless settings say no, or what is so anyway.
func harmless(setting string, sf *schema.Field) bool {
	v := strings.ToLower(sf.TagSettings[setting])
	switch setting {
	case "AUTOINCREMENT", "AUTOCREATETIME", "AUTOUPDATETIME":
		return v == "false"
	case "TYPE":
		return v == "bytes" || v == "bytea" || v == "blob"
	}
	return false
}

func hasClauses(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch reflect.New(t).Interface().(type) {
	case schema.QueryClausesInterface, schema.CreateClausesInterface, schema.UpdateClausesInterface, schema.DeleteClausesInterface:
		return true
	}
	return false
}

var encryptedType = reflect.TypeFor[Encrypted]()

// check looks at a model before GORM does, whose errors would be of another kind.
func (p *Plugin) check(model any) error {
	m, err := p.crypter.Model(model)
	if err != nil {
		return err
	}
	if len(m.Fields) == 0 {
		return modelErr(m.Name, "", "it was given to gormcrypt.New and tags no field; tag what is to be encrypted, or do not name it")
	}
	marked, early := markerPlace(m.Type, "")
	switch {
	case !marked:
		return missingMarker(m)
	case early != "":
		return modelErr(m.Name, early, "it stands before the marker, so GORM would take it for a relation; make gormcrypt.Encrypted the first field")
	}
	return nil
}

func missingMarker(m *fieldcrypt.Model) error {
	return modelErr(m.Name, m.Fields[0].Path, "the model does not embed the marker, so GORM would store the field in the clear; embed gormcrypt.Encrypted as the first field")
}

// markerPlace looks for the marker, and for a tagged struct, map or slice before it.
func markerPlace(t reflect.Type, path string) (marked bool, early string) {
	for i := range t.NumField() {
		f := t.Field(i)
		inner := f.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		_, tagged := f.Tag.Lookup(fieldcrypt.TagName)
		embedded := f.Anonymous || schema.ParseTagSetting(f.Tag.Get("gorm"), ";")["EMBEDDED"] != ""
		switch {
		case inner == encryptedType:
			return true, early
		case tagged && early == "" && isRelationKind(inner):
			early = path + f.Name
		case !tagged && embedded && inner.Kind() == reflect.Struct:
			found, earlier := markerPlace(inner, path+f.Name+".")
			if early == "" {
				early = earlier
			}
			if found {
				return true, early
			}
		}
	}
	return false, early
}

// isRelationKind reports whether GORM takes a field of this type for a relation.
func isRelationKind(t reflect.Type) bool {
	f := (&schema.Schema{}).ParseField(reflect.StructField{Name: "X", Type: t})
	return f.DataType == "" && f.GORMDataType == ""
}

// parse makes GORM parse a model on a DB with the plugin.
func (b *binding) parse(db *gorm.DB, model any) error {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		return &fieldcrypt.Error{Op: "model", Model: fmt.Sprintf("%T", model), Err: fmt.Errorf("%w: GORM cannot parse it: %w", fieldcrypt.ErrModel, err)}
	}
	switch g := guardOf(stmt.Schema); {
	case g == nil:
		return unregistered(stmt.Schema.ModelType.String(), "the model was parsed before db.Use; call db.Use right after gorm.Open")
	case g.err != nil:
		return g.err
	}
	return b.verdict(stmt.Schema).err
}
