package fieldcrypt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ErrManifest: a manifest is not one that [Crypter.Manifest] writes, or is of
// another application than the keys.
var ErrManifest = errors.New("invalid manifest")

// maxManifest bounds a manifest, in bytes.
const maxManifest = 16 << 20

// ParseManifest reads a manifest. It is strict: another format, members that it
// does not know or that stand twice, columns and ids that are not unique, names
// over 63 bytes, and what no model could say are refused. Space between members
// and their order do not count.
//
// Errors: *Error matching [ErrManifest].
func ParseManifest(data []byte) (*Manifest, error) {
	m, err := parseManifest(data)
	if err != nil {
		return nil, manifestErr(err)
	}
	return m, nil
}

func manifestErr(cause error) error {
	return &Error{Op: "manifest", Err: fmt.Errorf("%w: %w", ErrManifest, cause),
		Hint: "write it anew from the models (Crypter.Manifest); it is not for editing"}
}

func parseManifest(data []byte) (*Manifest, error) {
	switch {
	case len(data) > maxManifest:
		return nil, fmt.Errorf("it is longer than %d bytes", maxManifest)
	case !utf8.Valid(data):
		return nil, errors.New("it is not valid UTF-8")
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is no JSON object with a format: %w", err)
	}
	if head.Format != ManifestFormat {
		return nil, fmt.Errorf("it has format %d, and this version reads format %d", head.Format, ManifestFormat)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	if err := checkMembers(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	m.sort()
	return m, nil
}

// checkMembers refuses what encoding/json reads nonetheless: members that stand
// twice in an object, or in another case. Unmarshal has bounded the depth.
func checkMembers(d *json.Decoder) error {
	type object struct {
		seen  map[string]bool // nil: a list
		value bool            // a member's name was read, its value comes
	}
	var open []*object
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var top *object
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if name, ok := token.(string); ok && top != nil && top.seen != nil && !top.value {
			if top.seen[name] {
				return fmt.Errorf("the member %q stands twice in an object", clipName(name))
			}
			if !knownMember(name) {
				return fmt.Errorf("unknown member %q", clipName(name))
			}
			top.seen[name], top.value = true, true
			continue
		}
		if top != nil {
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &object{seen: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		case nil:
			return errors.New("null stands for a value; leave the member out")
		}
	}
}

func knownMember(name string) bool {
	switch name {
	case "format", "tables", "schema", "table", "models", "primary_key", "tenant", "columns", "indexes",
		"column", "id", "domain", "per_tenant", "type", "nullable", "pad", "bind", "plain", "fallback",
		"parts", "bits", "unique", "transform":
		return true
	}
	return false
}

// clipName shortens a name that is quoted in an error.
func clipName(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// CheckManifest compares a manifest, as it is in a file, with the models: the
// test that keeps it current is one line.
//
// Errors: *Error matching [ErrManifest] if they differ, naming the first line
// that does; those of [Crypter.Manifest].
func (c *Crypter) CheckManifest(data []byte, models ...any) error {
	want, err := c.Manifest(models...)
	if err != nil {
		return err
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) // as git may check it out
	if bytes.Equal(data, want) {
		return nil
	}
	have, made := bytes.Split(data, []byte("\n")), bytes.Split(want, []byte("\n"))
	line := 0
	for line < len(have) && line < len(made) && bytes.Equal(have[line], made[line]) {
		line++
	}
	return &Error{Op: "manifest", Err: fmt.Errorf("%w: it is not that of the models from line %d on", ErrManifest, line+1),
		Hint: "write it anew (Crypter.Manifest), and see in review what has changed"}
}
