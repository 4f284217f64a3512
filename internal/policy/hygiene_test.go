package policy

import (
	"bytes"
	"path"
	"regexp"
	"strings"
	"testing"
)

// maxLines is where a file wants splitting.
const maxLines = 400

// forbidden must not stand in any file of the repository. The dots in the hosts
// keep these lines from matching themselves.
var forbidden = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a path of somebody's machine", regexp.MustCompile(`(^|[^\w./-])/(home/[a-z]|Users/[A-Za-z]|root/|work/)`)},
	{"the host of a package or image registry", regexp.MustCompile(
		`(proxy|sum)\.golang\.org|registry\.(npmjs|yarnpkg)\.|\bdocker\.io/|(registry-1|index)\.docker\.|\b(ghcr|gcr|quay)\.io/|pypi\.org|pythonhosted\.|(deb|ftp|security)\.debian\.|archive\.ubuntu\.`)},
}

func TestNoPathsOfAMachineAndNoRegistries(t *testing.T) {
	for name, body := range readTracked(t) {
		for _, f := range forbidden {
			for i, line := range bytes.Split(body, []byte("\n")) {
				if found := f.pattern.Find(line); found != nil {
					t.Errorf("%s:%d: %s: %q", name, i+1, f.what, found)
				}
			}
		}
	}
}

func TestForbiddenPatternsMatch(t *testing.T) {
	for _, s := range []string{
		"/ho" + "me/alice/src", `"/Us` + `ers/bob"`, "cd /ro" + "ot/x", "in /wo" + "rk/main",
		"https://proxy.gol" + "ang.org", "docker" + ".io/library/postgres", "ghcr" + ".io/x/y",
	} {
		if !forbidden[0].pattern.MatchString(s) && !forbidden[1].pattern.MatchString(s) {
			t.Errorf("not caught: %s", s)
		}
	}
	for _, s := range []string{"apt-get install docker" + ".io", "a/wo" + "rk/x", "golang.org/x/text", "./home/x", "https://example.com/ro" + "ot/x"} {
		if forbidden[0].pattern.MatchString(s) || forbidden[1].pattern.MatchString(s) {
			t.Errorf("caught: %s", s)
		}
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesAreShort(t *testing.T) {
	for name, body := range readTracked(t) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || generated.Match(body) {
			continue
		}
		if n := bytes.Count(body, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines: over %d it wants splitting", name, n, maxLines)
		}
	}
}
