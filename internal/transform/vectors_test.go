package transform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "fill in vectors that have no result yet and add them to the manifest")

const (
	vectorFiles = "testdata/vectors/v1/*.json"
	manifest    = "testdata/vectors/v1/MANIFEST" // one hash a line, append-only
)

// vector is one frozen case. It has either an output or the class of an error:
// "pipeline" (the specification is wrong) or "utf8" (the input is).
type vector struct {
	Name  string  `json:"name"`
	Spec  string  `json:"spec"`
	In    string  `json:"in"`            // hex
	Out   *string `json:"out,omitempty"` // hex
	Error string  `json:"error,omitempty"`
}

func (v vector) String() string {
	return fmt.Sprintf("spec %q, in %s", v.Spec, v.In)
}

func (v vector) hash() string {
	out := "error " + v.Error
	if v.Out != nil {
		out = "out " + *v.Out
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(v.Spec+"\n"+v.In+"\n"+out)))
}

// run returns the vector with the result that the code gives today.
func (v vector) run(t *testing.T) vector {
	t.Helper()
	v.Out, v.Error = nil, ""
	in, err := hex.DecodeString(v.In)
	if err != nil {
		t.Fatalf("%v: %v", v, err)
	}
	out, err := apply(v.Spec, string(in))
	switch {
	case errors.Is(err, ErrPipeline):
		v.Error = "pipeline"
	case errors.Is(err, ErrInvalidUTF8):
		v.Error = "utf8"
	case err != nil:
		t.Fatalf("%v: %v", v, err)
	default:
		out := hex.EncodeToString(out)
		v.Out = &out
	}
	return v
}

func apply(spec, s string) ([]byte, error) {
	p, err := Parse(spec, nil)
	if err != nil {
		return nil, err
	}
	return p.Apply(nil, s)
}

func TestVectorsHold(t *testing.T) {
	for file, vectors := range readVectors(t) {
		for _, v := range vectors {
			if got := v.run(t); got.hash() != v.hash() && !(*update && v.isNew()) {
				t.Errorf("%s: %s: %v: the result changed", file, v.Name, v)
			}
		}
	}
}

// Stored indexes were computed with what the vectors say, so none may change
// or go.
func TestVectorsAreAppendOnly(t *testing.T) {
	files := readVectors(t)
	if *update {
		files = fillIn(t, files)
	}
	present := map[string]vector{}
	for _, vectors := range files {
		for _, v := range vectors {
			present[v.hash()] = v
		}
	}
	listed := readManifest(t)
	for hash := range listed {
		if _, ok := present[hash]; !ok {
			t.Errorf("a vector was changed or removed: nothing has the hash %s", hash)
		}
	}
	var added []string
	for hash, v := range present {
		switch {
		case listed[hash]:
		case *update:
			added = append(added, hash+"\n")
		default:
			t.Errorf("%v: not in the manifest; run the tests of this package with -update", v)
		}
	}
	if len(added) > 0 && !t.Failed() {
		slices.Sort(added)
		appendManifest(t, strings.Join(added, ""))
	}
}

func (v vector) isNew() bool { return v.Out == nil && v.Error == "" }

func readVectors(t *testing.T) map[string][]vector {
	t.Helper()
	names, err := filepath.Glob(vectorFiles)
	if err != nil || len(names) == 0 {
		t.Fatal("no vectors: ", err)
	}
	files := map[string][]vector{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []vector
		if err := json.Unmarshal(data, &vectors); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files[name] = vectors
	}
	return files
}

// fillIn gives new vectors their result and writes the files back, a vector a
// line.
func fillIn(t *testing.T, files map[string][]vector) map[string][]vector {
	t.Helper()
	for name, vectors := range files {
		var lines [][]byte
		for i, v := range vectors {
			if v.isNew() {
				vectors[i] = v.run(t)
			}
			line, err := json.Marshal(vectors[i])
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, append([]byte("\t"), line...))
		}
		data := fmt.Appendf(nil, "[\n%s\n]\n", bytes.Join(lines, []byte(",\n")))
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func readManifest(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(manifest)
	if err != nil && !(*update && errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for hash := range strings.Lines(string(data)) {
		listed[strings.TrimSpace(hash)] = true
	}
	return listed
}

func appendManifest(t *testing.T, lines string) {
	t.Helper()
	f, err := os.OpenFile(manifest, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(lines); err != nil {
		t.Fatal(err)
	}
}
