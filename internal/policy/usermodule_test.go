package policy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// containerModules are what must reach no user of the root module.
var containerModules = regexp.MustCompile(`(?i)docker|moby|testcontainers|containerd|opencontainers`)

// TestUserModuleHasNoContainers makes a module outside of this one that imports
// all public packages, and looks at its go.sum and its module graph, which
// scanners read.
func TestUserModuleHasNoContainers(t *testing.T) {
	home, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var program strings.Builder
	program.WriteString("package main\n\nimport (\n")
	imported := 0
	for _, p := range load(t).sorted() {
		if p.public() {
			fmt.Fprintf(&program, "\t_ %q\n", p.ImportPath)
			imported++
		}
	}
	program.WriteString(")\n\nfunc main() {}\n")
	if imported == 0 {
		t.Fatal("no public packages found")
	}
	write(t, filepath.Join(dir, "main.go"), program.String())
	write(t, filepath.Join(dir, "go.mod"), fmt.Sprintf("module example.com/app\n\ngo 1.26.0\n\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", modulePath, home))
	// As a user does it; what the tests of the imported packages need counts too.
	runGo(t, dir, "mod", "tidy")
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	modules := runGo(t, dir, "list", "-m", "all")
	if !strings.Contains(modules, "tink-go") || !strings.Contains(string(sum), "tink-go") {
		t.Fatal("that is not the module graph of a user")
	}
	for what, text := range map[string]string{"go.sum": string(sum), "go list -m all": modules} {
		for line := range strings.Lines(text) {
			if containerModules.MatchString(line) {
				t.Errorf("%s of a user's module has %s", what, line)
			}
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func runGo(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
