package gormcrypt

import "strings"

// ownTypes are the types of Postgres itself (pg_catalog). They come before those of
// tables: to (NULL::money).amount, a table called money is not there.
var ownTypes = wordSet("aclitem", "any", "anyarray", "anycompatible", "anycompatiblearray", "anycompatiblemultirange",
	"anycompatiblenonarray", "anycompatiblerange", "anyelement", "anyenum", "anymultirange", "anynonarray", "anyrange",
	"bit", "bool", "box", "bpchar", "bytea", "char", "cid", "cidr", "circle", "cstring", "date", "datemultirange",
	"daterange", "event_trigger", "fdw_handler", "float4", "float8", "gtsvector", "index_am_handler", "inet", "int2",
	"int2vector", "int4", "int4multirange", "int4range", "int8", "int8multirange", "int8range", "internal", "interval",
	"json", "jsonb", "jsonpath", "language_handler", "line", "lseg", "macaddr", "macaddr8", "money", "name", "numeric",
	"nummultirange", "numrange", "oid", "oid8", "oidvector", "opaque", "path", "point", "polygon", "record", "refcursor",
	"regclass", "regcollation", "regconfig", "regdatabase", "regdictionary", "regnamespace", "regoper", "regoperator",
	"regproc", "regprocedure", "regrole", "regtype", "smgr", "table_am_handler", "text", "tid", "time", "timestamp",
	"timestamptz", "timetz", "trigger", "tsm_handler", "tsmultirange", "tsquery", "tsrange", "tstzmultirange",
	"tstzrange", "tsvector", "txid_snapshot", "unknown", "uuid", "varbit", "varchar", "void", "xid", "xid8", "xml")

// hidesTable reports whether a type of Postgres may hide that of a table.
func hidesTable(name string) bool {
	return ownTypes[name] || strings.HasPrefix(name, "_") || strings.HasPrefix(name, "pg_")
}
