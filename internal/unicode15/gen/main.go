// Command gen writes the tables of package unicode15, from package unicode and
// golang.org/x/text as long as both are at Unicode 15.0.0; under a Go release
// or a build of x/text that has moved on it refuses. Run it with go generate.
package main

import (
	"fmt"
	"os"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// pinned is the version of Unicode that package unicode15 is named for.
const pinned = "15.0.0"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gen <output file>")
	}
	if err := checkVersions(); err != nil {
		return err
	}
	source, err := generate()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], source, 0o644)
}

// checkVersions fails unless every source of data is at the pinned version.
func checkVersions() error {
	for _, source := range []struct{ name, version string }{
		{"unicode", unicode.Version},
		{"golang.org/x/text/unicode/norm", norm.Version},
		{"golang.org/x/text/cases", cases.UnicodeVersion},
	} {
		if source.version != pinned {
			return fmt.Errorf("package %s is at Unicode %s, not %s", source.name, source.version, pinned)
		}
	}
	return nil
}

// generate returns the source of tables.go.
func generate() ([]byte, error) {
	var w writer
	normalization(&w)
	if err := composites(&w); err != nil {
		return nil, err
	}
	if err := caseMaps(&w); err != nil {
		return nil, err
	}
	if err := digits(&w); err != nil {
		return nil, err
	}
	classes(&w)
	return w.source()
}

// codePoints calls f for every code point that UTF-8 can encode, ascending.
func codePoints(f func(r rune)) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r < 0xD800 || r > 0xDFFF {
			f(r)
		}
	}
}
