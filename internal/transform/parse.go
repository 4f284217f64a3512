package transform

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a specification:
//
//	pipeline  = transform *( "|" transform )
//	transform = name [ "(" count ")" ]
//
// without spaces. custom holds the application's own transforms by name; each
// name has the form [a-z][a-z0-9_]*_v[0-9]+, is checked whether the
// specification uses it or not, and so can never be that of a built-in. A
// custom transform must be deterministic and never change under its name.
//
// Errors: ErrPipeline.
func Parse(spec string, custom map[string]func(string) (string, error)) (*Pipeline, error) {
	if err := checkCustom(custom); err != nil {
		return nil, err
	}
	if spec == "" {
		return nil, fmt.Errorf("%w: the specification is empty; %s", ErrPipeline, known(custom))
	}
	p := &Pipeline{spec: spec}
	for _, text := range strings.Split(spec, "|") {
		s, err := parseStage(text, custom)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrPipeline, spec, err)
		}
		p.stages = append(p.stages, s)
	}
	return p, nil
}

func parseStage(text string, customs map[string]func(string) (string, error)) (stage, error) {
	name, argument, hasArgument := strings.Cut(text, "(")
	i := slices.IndexFunc(builtins, func(b builtin) bool { return b.name == name })
	if i >= 0 && builtins[i].count != nil {
		n, ok := parseCount(argument)
		if !ok {
			return nil, fmt.Errorf("%q: write %s(n) with n from %d to %d", text, name, minCount, maxCount)
		}
		count := builtins[i].count
		return func(b []byte) ([]byte, error) { return count(b, n), nil }, nil
	}
	f := customs[name]
	switch {
	case i < 0 && f == nil:
		return nil, fmt.Errorf("unknown transform %q; %s", name, known(customs))
	case hasArgument:
		return nil, fmt.Errorf("%q: %s takes no argument", text, name)
	case f != nil:
		return custom(name, f), nil
	}
	plain := builtins[i].plain
	return func(b []byte) ([]byte, error) { return plain(b), nil }, nil
}

// parseCount reads what follows "(". Only the shortest way to write a number
// is allowed: one pipeline has one specification.
func parseCount(s string) (n int, ok bool) {
	number, ok := strings.CutSuffix(s, ")")
	n, err := strconv.Atoi(number)
	return n, ok && err == nil && strconv.Itoa(n) == number && minCount <= n && n <= maxCount
}

// known lists all transforms for an error.
func known(customs map[string]func(string) (string, error)) string {
	var names []string
	for _, b := range builtins {
		if b.count != nil {
			names = append(names, b.name+"(n)")
		} else {
			names = append(names, b.name)
		}
	}
	names = append(names, slices.Sorted(maps.Keys(customs))...)
	return "there are " + strings.Join(names, ", ")
}

func checkCustom(customs map[string]func(string) (string, error)) error {
	for _, name := range slices.Sorted(maps.Keys(customs)) {
		switch {
		case slices.ContainsFunc(builtins, func(b builtin) bool { return b.name == name }):
			return fmt.Errorf("%w: custom transform %q has the name of a built-in", ErrPipeline, name)
		case !isVersioned(name):
			return fmt.Errorf("%w: custom transform %q: a name is lower case letters, digits and underscores, "+
				"starts with a letter and ends with a version: %q", ErrPipeline, name, "mrn_v1")
		case customs[name] == nil:
			return fmt.Errorf("%w: custom transform %q is nil", ErrPipeline, name)
		}
	}
	return nil
}

// isVersioned reports whether name matches [a-z][a-z0-9_]*_v[0-9]+.
func isVersioned(name string) bool {
	i := strings.LastIndex(name, "_v")
	if i < 1 || i+2 == len(name) || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for j, c := range []byte(name) {
		isDigit := '0' <= c && c <= '9'
		if !isDigit && (j >= i+2 || c != '_' && (c < 'a' || c > 'z')) {
			return false
		}
	}
	return true
}

// Shortens reports whether the pipeline keeps a part of the text only, so that
// texts that differ in what matters may become one: it has first or last in it.
func (p *Pipeline) Shortens() bool {
	for name := range strings.SplitSeq(p.spec, "|") {
		if strings.HasPrefix(name, "first(") || strings.HasPrefix(name, "last(") {
			return true
		}
	}
	return false
}
