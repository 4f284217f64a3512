package fieldcrypt

import (
	"regexp"
	"strings"
)

// Default names of tables and columns, as GORM's default naming strategy makes
// them. They are part of what values are authenticated with, so they are pinned
// here and do not follow a change of GORM or of its inflection rules; a test
// compares them with GORM's. Do not change them.

// initialisms are written as one word: UserID is user_id.
var initialisms = func() *strings.Replacer {
	words := strings.Fields("API ASCII CPU CSS DNS EOF GUID HTML HTTP HTTPS ID IP JSON LHS QPS RAM RHS RPC SLA SMTP SSH TLS TTL UID UI UUID URI URL UTF8 VM XML XSRF XSS")
	var pairs []string
	for _, w := range words {
		pairs = append(pairs, w, w[:1]+strings.ToLower(w[1:]))
	}
	return strings.NewReplacer(pairs...)
}()

// columnName returns the default column of a Go field name, which is ASCII.
func columnName(name string) string {
	s := initialisms.Replace(name)
	var b strings.Builder
	upper := func(i int) bool { return i >= 0 && i < len(s) && 'A' <= s[i] && s[i] <= 'Z' }
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !upper(i) {
			b.WriteByte(c)
			continue
		}
		last := i == len(s)-1
		inRun := upper(i-1) && (last || upper(i+1) || '0' <= s[i+1] && s[i+1] <= '9')
		if i > 0 && !inRun && (last || s[i-1] != '_' && s[i+1] != '_') {
			b.WriteByte('_')
		}
		b.WriteByte(c + 'a' - 'A')
	}
	return b.String()
}

// tableName returns the default table of a Go type name, which is ASCII.
func tableName(typeName string) string { return plural(columnName(typeName)) }

// The rules of English plurals that GORM uses, in order of precedence.
var (
	uncountable = regexp.MustCompile(`(?i)^(equipment|information|rice|money|species|series|fish|sheep|jeans|police)$`)
	irregular   = [][2]string{{"person", "people"}, {"man", "men"}, {"child", "children"}, {"sex", "sexes"}, {"move", "moves"}, {"mombie", "mombies"}}
	regular     = []struct {
		find    *regexp.Regexp
		replace string
	}{
		{regexp.MustCompile(`(quiz)$`), "${1}zes"},
		{regexp.MustCompile(`^(oxen)$`), "${1}"},
		{regexp.MustCompile(`^(ox)$`), "${1}en"},
		{regexp.MustCompile(`^(m|l)ice$`), "${1}ice"},
		{regexp.MustCompile(`^(m|l)ouse$`), "${1}ice"},
		{regexp.MustCompile(`(matr|vert|ind)(?:ix|ex)$`), "${1}ices"},
		{regexp.MustCompile(`(x|ch|ss|sh)$`), "${1}es"},
		{regexp.MustCompile(`([^aeiouy]|qu)y$`), "${1}ies"},
		{regexp.MustCompile(`(hive)$`), "${1}s"},
		{regexp.MustCompile(`(?:([^f])fe|([lr])f)$`), "${1}${2}ves"},
		{regexp.MustCompile(`sis$`), "ses"},
		{regexp.MustCompile(`([ti])a$`), "${1}a"},
		{regexp.MustCompile(`([ti])um$`), "${1}a"},
		{regexp.MustCompile(`(buffal|tomat)o$`), "${1}oes"},
		{regexp.MustCompile(`(bu)s$`), "${1}ses"},
		{regexp.MustCompile(`(alias|status)$`), "${1}es"},
		{regexp.MustCompile(`(octop|vir)i$`), "${1}i"},
		{regexp.MustCompile(`(octop|vir)us$`), "${1}i"},
		{regexp.MustCompile(`^(ax|test)is$`), "${1}es"},
		{regexp.MustCompile(`s$`), "s"},
		{regexp.MustCompile(`([a-z])$`), "${1}s"},
	}
)

func plural(s string) string {
	if uncountable.MatchString(s) {
		return s
	}
	for _, w := range irregular {
		if head, ok := strings.CutSuffix(s, w[0]); ok {
			return head + w[1]
		}
	}
	for _, r := range regular {
		if r.find.MatchString(s) {
			return r.find.ReplaceAllString(s, r.replace)
		}
	}
	return s
}

// ascii reports whether s is an identifier that the default names cover.
func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_')
	})
}
