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
	start := len(dst)
	return p.Rewrite(append(dst, s...), start)
}

// Rewrite is Apply to the text that b holds from start on, in place. Memory of b
// past the returned length, and after an error past start, may hold parts of
// the text.
func (p *Pipeline) Rewrite(b []byte, start int) ([]byte, error) {
	text := b[start:len(b):len(b)]
	if !utf8.Valid(text) {
		return nil, ErrInvalidUTF8
	}
	for _, apply := range p.stages {
		var err error
		if text, err = apply(text); err != nil {
			return nil, err
		}
	}
	return append(b[:start], text...), nil
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
