package transform

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Unicode comes from package unicode15 alone: unicode, bytes, strings and
// regexp follow the Go release. parse.go cuts specifications, never values.
func TestOnlyPinnedTablesAreUsed(t *testing.T) {
	allowed := map[string][]string{
		"builtin.go":  {"unicode/utf8", "github.com/fieldcrypt/go/internal/unicode15"},
		"doc.go":      {},
		"errors.go":   {"errors"},
		"parse.go":    {"fmt", "maps", "slices", "strconv", "strings"},
		"pipeline.go": {"errors", "fmt", "unicode/utf8"},
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source files: ", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if path := strings.Trim(spec.Path.Value, `"`); !slices.Contains(allowed[name], path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
