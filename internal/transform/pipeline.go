package transform

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Pipeline is a parsed specification. It is immutable and safe for concurrent
// use if its custom transforms are.
type Pipeline struct {
	spec   string
	stages []stage
}

// stage is one transform. It owns b, may overwrite it, and returns the result
// in b's memory or in new memory.
type stage func(b []byte) ([]byte, error)

// String returns the specification. There is one way to write a pipeline, so
// equal strings are equal pipelines (given equal custom transforms).
func (p *Pipeline) String() string { return p.spec }

// Apply appends the transformed text to dst, which must not be memory that s
// shares. Memory of dst past the returned length may hold parts of s.
//
// Errors: ErrInvalidUTF8, ErrRefused; dst's contents stay as they were.
func (p *Pipeline) Apply(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, ErrInvalidUTF8
	}
	start := len(dst)
	dst = append(dst, s...)
	text := dst[start:len(dst):len(dst)]
	for _, apply := range p.stages {
		var err error
		if text, err = apply(text); err != nil {
			return nil, err
		}
	}
	return append(dst[:start], text...), nil
}

// custom makes a stage of an application's own transform.
func custom(name string, f func(string) (string, error)) stage {
	return func(b []byte) ([]byte, error) {
		out, err := f(string(b))
		if err != nil {
			return nil, &refusal{name, func(target error) bool { return errors.Is(err, target) }}
		}
		if !utf8.ValidString(out) {
			return nil, fmt.Errorf("result of custom transform %s: %w", name, ErrInvalidUTF8)
		}
		return []byte(out), nil
	}
}
