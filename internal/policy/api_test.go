package policy

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write each api.txt anew")

const apiFile = "api.txt"

func TestAPI(t *testing.T) {
	g := load(t)
	var public []string
	for _, p := range g.sorted() {
		if p.public() {
			public = append(public, p.ImportPath)
		}
	}
	if len(public) == 0 {
		t.Fatal("no public packages found")
	}
	imp := exportImporter(t, public)
	for _, path := range public {
		t.Run(rel(path), func(t *testing.T) {
			p, err := imp.Import(path)
			if err != nil {
				t.Fatal(err)
			}
			checkAPI(t, filepath.Join(root, rel(path), apiFile), apiText(p))
		})
	}
}

// exportImporter imports packages from the compiler's export data, which go list
// has made.
func exportImporter(t *testing.T, paths []string) types.Importer {
	t.Helper()
	g, err := goList(append([]string{"-export", "-deps"}, paths...)...)
	if err != nil {
		t.Fatal(err)
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		p := g[path]
		switch {
		case p == nil:
			return nil, fmt.Errorf("%s: not among what go list names", path)
		case p.Error != nil:
			return nil, errors.New(p.Error.Err)
		case p.Export == "":
			return nil, fmt.Errorf("%s does not compile", path)
		}
		return os.Open(p.Export)
	})
}

func checkAPI(t *testing.T, file string, lines []string) {
	t.Helper()
	want := strings.Join(lines, "\n") + "\n"
	got, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
	t.Errorf("the exported API is not what api.txt says. If that is on purpose: go test ./internal/policy -run TestAPI -update\n%s", diff(old, lines))
}

// diff compares two sorted lists.
func diff(old, new []string) string {
	var b strings.Builder
	for _, l := range old {
		if _, found := slices.BinarySearch(new, l); !found && l != "" {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range new {
		if _, found := slices.BinarySearch(old, l); !found {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}

func TestNoAPIFileWithoutAPublicPackage(t *testing.T) {
	public := map[string]bool{}
	for _, p := range load(t) {
		if p.public() {
			public[p.rel()] = true
		}
	}
	for name := range readTracked(t) {
		if dir, file := filepath.Split(name); file == apiFile && !public[filepath.Clean(dir)] {
			t.Errorf("%s: nobody can import this folder", name)
		}
	}
}

func TestAPITextNamesAllThatUsersSee(t *testing.T) {
	const src = `package p

import "io"

const Size = 32
const Plain Mode = "plain"
const hidden = 1
var Err error
type Mode string
func (Mode) Valid() bool { return true }
func (Mode) secret() {}
func Open(r io.Reader, names ...string) (*Box[int], error) { return nil, nil }
func Map[T, U any](t T, f func(T) U) U { return f(t) }
type Box[T any] struct {
	Value T ` + "`json:\"value\"`" + `
	*Mode2
	inner
	hidden int
}
func (*Box[T]) Close() error { return nil }
type Mode2 struct{}
func (Mode2) NotListedTwice() {}
type inner struct{}
func (inner) Lent() {}
type Store interface {
	io.Closer
	Load(name string) ([]byte, error)
	sealed()
}
type Number interface{ ~int | ~float64 }
type Alias = io.Reader
type hiddenType struct{ Field int }
`
	want := []string{
		`const Plain Mode = "plain"`,
		`const Size untyped int = 32`,
		`func Map[T, U any](t T, f func(T) U) U`,
		`func Open(r io.Reader, names ...string) (*Box[int], error)`,
		`method (*Box) Close() error`,
		`method (Box) Lent()`,
		`method (Mode) Valid() bool`,
		`method (Mode2) NotListedTwice()`,
		`type Alias = io.Reader`,
		`type Box[T any] struct`,
		`type Box[T any], Value T "json:\"value\""`,
		`type Box[T any], embedded *Mode2`,
		`type Mode string`,
		`type Mode2 struct`,
		`type Number interface`,
		`type Number, interface{~int | ~float64}`,
		`type Store interface`,
		`type Store, Close() error`,
		`type Store, Load(name string) ([]byte, error)`,
		`type Store, unexported methods`,
		`var Err error`,
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: exportImporter(t, []string{"io"})}
	p, err := conf.Check("p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := apiText(p)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\ndifference\n%s", strings.Join(got, "\n"), diff(want, got))
	}
}
