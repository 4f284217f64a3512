package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	modulePath = "github.com/fieldcrypt/go"
	root       = "../.." // the module's folder, seen from here
)

// pkg is what go list says about a package.
type pkg struct {
	ImportPath, Name, ForTest          string
	Export                             string // file with the compiler's export data
	Standard                           bool
	Module                             *module
	GoFiles, CgoFiles                  []string
	Imports, TestImports, XTestImports []string
	Error                              *struct{ Err string }
}

type module struct {
	Path string
	Main bool
}

func (p *pkg) ours() bool { return p.Module != nil && p.Module.Main }

// rel is the package's path within the module.
func (p *pkg) rel() string { return rel(p.ImportPath) }

func rel(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, modulePath), "/")
}

// public reports whether users can import the package.
func (p *pkg) public() bool {
	parts := strings.Split(p.rel(), "/")
	return p.ours() && len(p.GoFiles)+len(p.CgoFiles) > 0 && p.Name != "main" &&
		parts[0] != "examples" && !slices.Contains(parts, "internal")
}

// graph is the module and all that it and its tests import, by import path.
type graph map[string]*pkg

var loadModule = sync.OnceValues(func() (graph, error) {
	if err := watchTree(); err != nil {
		return nil, err
	}
	return goList("-deps", "-test", "./...")
})

func load(t *testing.T) graph {
	t.Helper()
	g, err := loadModule()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.sorted() {
		if p.ours() && p.Error != nil {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
	}
	return g
}

// watchTree reads every folder of the module, so that go test sees that the
// result depends on them: it does not see what go list reads.
func watchTree() error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
}

// goList returns the packages themselves, without their variants for tests.
func goList(args ...string) (graph, error) {
	args = append([]string{"list", "-e",
		"-json=ImportPath,Name,ForTest,Export,Standard,Module,GoFiles,CgoFiles,Imports,TestImports,XTestImports,Error"}, args...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	g := graph{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &pkg{}
		if err := dec.Decode(p); err == io.EOF {
			return g, nil
		} else if err != nil {
			return nil, err
		}
		if p.ForTest == "" && !strings.HasSuffix(p.ImportPath, ".test") {
			g[p.ImportPath] = p
		}
	}
}

func (g graph) sorted() []*pkg {
	var list []*pkg
	for _, p := range g {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return list
}

// reach returns everything that the given packages import, directly or not, and
// the packages themselves, each with the import that led to it first.
func (g graph) reach(from ...string) map[string]string {
	via := map[string]string{}
	for _, f := range from {
		via[f] = ""
	}
	for queue := from; len(queue) > 0; queue = queue[1:] {
		p := g[queue[0]]
		if p == nil {
			continue // "C"
		}
		for _, i := range p.Imports {
			if _, seen := via[i]; !seen {
				via[i] = p.ImportPath
				queue = append(queue, i)
			}
		}
	}
	return via
}

// chain spells out how a package was reached.
func chain(via map[string]string, to string) string {
	s := rel(to)
	for from := via[to]; from != ""; from = via[from] {
		s = rel(from) + " -> " + s
	}
	return s
}

// under reports whether path matches one of the patterns: "a" is that package
// alone, "a/..." is a and all below it.
func under(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		tree, ok := strings.CutSuffix(p, "/...")
		return path == tree || ok && strings.HasPrefix(path, tree+"/")
	})
}

// readTracked returns the files that git tracks or would, with their contents.
func readTracked(t *testing.T) map[string][]byte {
	t.Helper()
	cmd := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git clone: %v", err)
	}
	if err := watchTree(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		body, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = body
	}
	return files
}
