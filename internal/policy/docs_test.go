package policy

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Z]\\w*)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(`)
	mdLink   = regexp.MustCompile(`\]\(([\w./:-]+)(#[\w-]*)?\)`)
)

// TestGuidesNameWhatIsThere: a claim in docs/ that names a test, or a page that is
// linked to, is worth nothing when that is gone.
func TestGuidesNameWhatIsThere(t *testing.T) {
	files := readTracked(t)
	tests, folders := map[string]bool{}, map[string]bool{}
	for name, body := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testFunc.FindAllSubmatch(body, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	named := 0
	for name, body := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range testName.FindAllSubmatch(body, -1) {
			if named++; !tests[string(m[1])] {
				t.Errorf("%s names a test that is not there: %s", name, m[1])
			}
		}
		for _, m := range mdLink.FindAllSubmatch(body, -1) {
			target := string(m[1])
			if strings.Contains(target, ":") {
				continue
			}
			target = path.Join(path.Dir(name), target)
			if _, file := files[target]; !file && !folders[target] {
				t.Errorf("%s links to what is not there: %s", name, target)
			}
		}
	}
	if named == 0 {
		t.Error("no guide names a test")
	}
}
