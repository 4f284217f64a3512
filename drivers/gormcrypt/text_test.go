package gormcrypt

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/utils/tests"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

type patient struct {
	Encrypted
	ID    uint64
	Age   int
	MRN   string `fieldcrypt:"medical,index"`
	Card  string `fieldcrypt:"medical,index=digits"`
	Notes string `fieldcrypt:"medical"`
}

// newScope is the scope of a statement on patients AS p, in a database that has
// plain visits and encrypted doctors too.
func newScope(t testing.TB) *scope {
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{})
	m, err := fc.Model(patient{})
	if err != nil {
		t.Fatal(err)
	}
	tableOf := func(name string) *table {
		out := newTable(name)
		for _, f := range m.Fields {
			c := &column{name: f.Column, field: f}
			out.addColumn(c)
			for _, ix := range f.Indexes {
				out.addIndex(&index{ix.Column, []*column{c}, ix})
			}
		}
		return out
	}
	db, err := gorm.Open(tests.DummyDialector{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &binding{crypter: fc, namer: db.NamingStrategy}
	b.registry.Store((&registry{words: map[string]bool{}}).with(tableOf("patients")).with(tableOf("doctors")))
	stmt := &gorm.Statement{
		DB: db, Table: "p", TableExpr: &clause.Expr{SQL: "patients AS p"},
		Context: t.Context(), Clauses: map[string]clause.Clause{},
	}
	return b.scope(stmt, clause.From{})
}

// build renders a condition as it would stand in a statement.
func build(sc *scope, e clause.Expression) (string, []any) {
	stmt := &gorm.Statement{DB: sc.stmt.DB, Table: "p", Context: sc.stmt.Context}
	e.Build(stmt)
	return stmt.SQL.String(), stmt.Vars
}

// canary values that no encrypted column may be compared with.
func canaries(n int) (values []any) {
	for i := range n {
		values = append(values, fmt.Sprintf("CANARY-%d", i))
	}
	return values
}

func TestTextIsRewritten(t *testing.T) {
	for text, want := range map[string]string{
		"mrn = ?":                         "(`mrn_bidx` = $t)",
		"mrn=?":                           "(`mrn_bidx` = $t)",
		" mrn  <>  ? ":                    "( `mrn_bidx` <> $t )",
		"MRN != ?":                        "(`mrn_bidx` <> $t)",
		"p.mrn = ?":                       "(p.`mrn_bidx` = $t)",
		"`p`.`mrn` = ?":                   "(`p`.`mrn_bidx` = $t)",
		`"p"."mrn" = ?`:                   `("p".` + "`mrn_bidx` = $t)",
		"patients.mrn = ?":                "(patients.`mrn_bidx` = $t)",
		"mrn IN (?)":                      "(`mrn_bidx` = $t)",
		"mrn in ?":                        "(`mrn_bidx` = $t)",
		"mrn IN (?,?)":                    "(`mrn_bidx` IN ($t,$t))",
		"mrn NOT IN (?, ?)":               "(`mrn_bidx` NOT IN ($t,$t))",
		"age > ? AND mrn = ?":             "(age > $v AND `mrn_bidx` = $t)",
		"(mrn = ? OR age = ?)":            "((`mrn_bidx` = $t OR age = $v))",
		"NOT mrn = ?":                     "(NOT `mrn_bidx` = $t)",
		"NOT (mrn = ? AND age < ?)":       "(NOT (`mrn_bidx` = $t AND age < $v))",
		"mrn IS NULL":                     "",
		"p.mrn IS NOT NULL":               "",
		"mrn IS NULL OR mrn = ?":          "(mrn IS NULL OR `mrn_bidx` = $t)",
		"age BETWEEN ? AND ?":             "",
		"age BETWEEN ? AND ? AND mrn = ?": "(age BETWEEN $v AND $v AND `mrn_bidx` = $t)",
		"CASE WHEN mrn = ? THEN 1 ELSE 0 END = ?": "(CASE WHEN `mrn_bidx` = $t THEN 1 ELSE 0 END = $v)",
		"card = ?":     "(`card_bidx` = $t)",
		"card <> ?":    "((`card_bidx` <> $t OR (`card_bidx` IS NULL AND `card` IS NOT NULL)))",
		"NOT card = ?": "(NOT (`card_bidx` = $t AND (`card_bidx` IS NOT NULL OR `card` IS NULL)))",
		"id IN (SELECT patient_id FROM visits WHERE visits.mrn = ?)":                               "",
		"id IN (SELECT d.id FROM doctors d WHERE d.mrn = ?)":                                       "(id IN (SELECT d.id FROM doctors d WHERE d.`mrn_bidx` = $t))",
		"id IN (SELECT id FROM doctors WHERE mrn = ? ORDER BY id)":                                 "(id IN (SELECT id FROM doctors WHERE `mrn_bidx` = $t ORDER BY id))",
		"EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = p.id AND p.mrn = ?)":                  "(EXISTS (SELECT 1 FROM visits v WHERE v.patient_id = p.id AND p.`mrn_bidx` = $t))",
		"EXISTS (SELECT 1 FROM visits v JOIN doctors d ON d.id = v.d AND d.mrn = ? WHERE v.x = ?)": "(EXISTS (SELECT 1 FROM visits v JOIN doctors d ON d.id = v.d AND d.`mrn_bidx` = $t WHERE v.x = $v))",
		"name = 'it''s mrn' AND age = ?":                                                           "",
		"mrn(age) = ?":                                                                             "",
		"age = ?":                                                                                  "",
	} {
		sc := newScope(t)
		n := strings.Count(text, "?")
		e, changed, err := sc.textCondition(clause.Expr{SQL: text, Vars: canaries(n)})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, vars := build(sc, e)
		for _, v := range vars {
			kind := "$v"
			if _, ok := v.(sealed); ok {
				kind = "$t"
			}
			got = strings.Replace(got, "?", kind, 1)
		}
		switch {
		case want == "" && changed:
			t.Errorf("%s was changed to %s", text, got)
		case want != "" && got != want:
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTextIsRefused(t *testing.T) {
	for text, class := range map[string]error{
		"notes = ?":                          fieldcrypt.ErrUnsearchable,
		"mrn LIKE ?":                         nil,
		"mrn ILIKE ?":                        nil,
		"mrn NOT LIKE ?":                     nil,
		"mrn > ?":                            nil,
		"mrn >= ?":                           nil,
		"mrn BETWEEN ? AND ?":                nil,
		"lower(mrn) = ?":                     nil,
		"lower(mrn) = lower(?)":              nil,
		"mrn = lower(?)":                     nil,
		"mrn = 'MRN-1'":                      nil,
		"mrn = 7":                            nil,
		"? = mrn":                            nil,
		"mrn || ? = ?":                       nil,
		"mrn = ? || ?":                       nil,
		"mrn = ?::text":                      nil,
		"mrn::text = ?":                      nil,
		"mrn COLLATE nocase = ?":             nil,
		"mrn = ? COLLATE nocase":             nil,
		"mrn -> ? = ?":                       nil,
		"mrn = card":                         nil,
		"age = mrn":                          nil,
		"(mrn, age) = (?, ?)":                nil,
		"(age, mrn) IN (?)":                  nil,
		"mrn IN (SELECT mrn FROM doctors)":   nil,
		"mrn IN (?, 'x')":                    nil,
		"mrn IS DISTINCT FROM ?":             nil,
		"age IS DISTINCT FROM mrn":           nil,
		"age IS NOT mrn":                     nil,
		"mrn IS ?":                           nil,
		"mrn = ? -- why":                     nil,
		"mrn /* x */ = ?":                    nil,
		"/* mrn = ? */ age = ?":              nil,
		"mrn = ? AND name = 'a?b'":           nil,
		`mrn = E'\' AND age = ?`:             nil,
		`mrn = U&'\0061'`:                    nil,
		"age = $$ mrn $$ AND mrn = ?":        nil,
		"[mrn] = ?":                          nil,
		"COALESCE(mrn, ?) = ?":               nil,
		"CASE WHEN age > ? THEN mrn = ? END": nil,
		"x.mrn = ?":                          nil, // no table is called x
		"p::text LIKE ?":                     nil,
		"to_jsonb(p) = ?":                    nil,
		"id IN (SELECT id FROM visits WHERE mrn = ?)":                                  nil, // whose?
		"id IN (SELECT x.id FROM (SELECT * FROM doctors) x WHERE x.mrn = ?)":           nil,
		"id IN (WITH x AS (SELECT * FROM doctors) SELECT id FROM x WHERE mrn = ?)":     nil,
		"id IN (SELECT mrn FROM doctors)":                                              nil,
		"id IN (SELECT id FROM doctors d, patients q WHERE mrn = ? AND d.mrn = q.mrn)": nil,
		"EXISTS (SELECT 1 FROM doctors d WHERE d.mrn = p.mrn)":                         nil,
		"age BETWEEN ? AND mrn = ?":                                                    nil,
		"mrn = ? = ?":                                                                  nil,
		"NOT mrn":                                                                      nil,
		"mrn":                                                                          nil,
		"mrn = ":                                                                       nil,
	} {
		sc := newScope(t)
		if class == nil {
			class = fieldcrypt.ErrQueryOnCiphertext
		}
		e, changed, err := sc.textCondition(clause.Expr{SQL: text, Vars: canaries(strings.Count(text, "?"))})
		if err == nil {
			got, _ := build(sc, e)
			t.Errorf("%s: not refused (changed: %v): %s", text, changed, got)
			continue
		}
		if !errors.Is(err, class) {
			t.Errorf("%s: %v, want %v", text, err, class)
		}
		if e := (*fieldcrypt.Error)(nil); !errors.As(err, &e) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %#v", text, err)
		}
	}
}

func TestNamedTextIsRewritten(t *testing.T) {
	sc := newScope(t)
	for _, e := range []clause.NamedExpr{
		{SQL: "mrn = @mrn AND age = @age", Vars: []any{map[string]any{"mrn": "CANARY", "age": 7}}},
		{SQL: "mrn = @MRN AND age = @Age", Vars: []any{struct {
			MRN string
			Age int
		}{"CANARY", 7}}},
		{SQL: "mrn = ? AND age = @age", Vars: []any{"CANARY", map[string]any{"age": 7}}},
	} {
		out, _, err := sc.textCondition(e)
		if err != nil {
			t.Fatal(err)
		}
		sql, vars := build(sc, out)
		if sql != "(`mrn_bidx` = ? AND age = ?)" || len(vars) != 2 || vars[1] != 7 {
			t.Errorf("%s: %s %v", e.SQL, sql, vars)
		}
	}
	for _, e := range []clause.NamedExpr{
		{SQL: "mrn = @unknown"},
		{SQL: "mrn LIKE @mrn", Vars: []any{map[string]any{"mrn": "CANARY"}}},
		{SQL: "age = @c", Vars: []any{map[string]any{"c": clause.Column{Name: "mrn"}}}},
		{SQL: "@e", Vars: []any{map[string]any{"e": clause.Eq{Column: "mrn", Value: "CANARY"}}}},
	} {
		if _, _, err := sc.textCondition(e); !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) {
			t.Errorf("%s: %v", e.SQL, err)
		}
	}
}

// FuzzText: whatever the text is, what comes out compares no encrypted column
// with anything but NULL. The check reads the text in a way of its own: all that
// is not a plain 'literal' counts.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		"mrn = ?", "p.mrn IN (?, ?)", `"mrn" <> ?`, "mrn IS NOT NULL", "age = ? AND (mrn = ? OR mrn LIKE ?)",
		"id IN (SELECT id FROM doctors d WHERE d.mrn = ?)", "'mrn' = ?", "age = ? -- mrn", `E'\' = ? OR mrn = ?`,
		"x AS mrn FROM mrn JOIN mrn mrn ON mrn.mrn = ?", "mrn(mrn = ?)", "$$ mrn = ? $$", "`mrn", "NOT NOT mrn=?", "mrn=?mrn=?",
		"(select mrn from (mrn)", "from mrn", ") from mrn, mrn = ?", "distinct from mrn", "join mrn mrn = ?",
	} {
		f.Add(s)
	}
	sc := newScope(f)
	f.Fuzz(func(t *testing.T, text string) {
		e, _, err := sc.textCondition(clause.Expr{SQL: text, Vars: canaries(3)})
		if err != nil {
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error holds a value: %v", err)
			}
			return
		}
		sql, _ := build(sc, e)
		if leak := comparesEncrypted(sql); leak != "" {
			t.Errorf("%q came out as %q, which compares %q", text, sql, leak)
		}
	})
}

var (
	literal    = regexp.MustCompile(`'(?:[^']|'')*'`)
	quotedName = regexp.MustCompile("\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`")
	// The column with what stands before it and the operator behind it, and the
	// other way round.
	leftSide  = regexp.MustCompile("(?i)([\\w\"`]+|[^\\s\\w])?(\\s*)((?:[\\w\"`]+\\s*\\.\\s*)?)[\"`]?\\bmrn\\b[\"`]?\\s*(?:[=<>!~|+*/%&^#:-]|(?:not\\s+)?(?:like|ilike|in|between|collate|glob|match|regexp|similar)\\b)")
	rightSide = regexp.MustCompile("(?i)(?:[=<>!~|+*/%&^#:-]|\\b(?:like|ilike|between|from))\\s*((?:[\\w\"`]+\\s*\\.\\s*)?)[\"`]?\\bmrn\\b[\"`]?\\s*([(.]?)")
	keyword   = regexp.MustCompile("(?i)^(and|or|not|where|on|having|when|then|else|select|by|case|distinct|all|any)$")
)

// comparesEncrypted finds a comparison of the column mrn. Next to another name,
// or in a list of tables, mrn is a table or its alias.
func comparesEncrypted(sql string) string {
	sql = strings.Map(func(r rune) rune { // outside ASCII all is part of a name, and so is $
		if r > 127 || r == '$' {
			return 'x'
		}
		return r
	}, literal.ReplaceAllString(sql, "''"))
	sql = quotedName.ReplaceAllStringFunc(sql, func(s string) string {
		if name := s[1 : len(s)-1]; span(name, isWordByte) == len(name) {
			return s
		}
		return "x" // the name of something else
	})
	for _, m := range leftSide.FindAllStringSubmatch(sql, -1) {
		word := regexp.MustCompile("[\\w\"`]$").MatchString(m[1])
		if m[1] != "," && !(word && m[2] != "" && !keyword.MatchString(m[1])) && !elsewhere(sql, m[3]) {
			return m[0]
		}
	}
	for _, m := range rightSide.FindAllStringSubmatch(sql, -1) {
		if before := strings.ToLower(m[0]); !strings.HasPrefix(before, "from") && m[2] == "" && !elsewhere(sql, m[1]) {
			return m[0]
		}
	}
	return ""
}

// elsewhere reports whether a qualifier may be that of another table: one that
// the text itself brings in, or one that has no encrypted columns.
func elsewhere(sql, qualifier string) bool {
	name := strings.ToLower(strings.Trim(qualifier, " .\"`\t\n\r\f"))
	brings := regexp.MustCompile(`(?i)\b(from|join)\b`).MatchString(sql)
	return name != "" && (brings || name == "visits")
}
