package tinkkms

import (
	"bytes"
	"context"
)

// maxCalls is how many calls of a KEK are under way at most, those included that
// their callers no longer wait for.
const maxCalls = 64

// operation is Encrypt or Decrypt of an AEAD.
type operation func(ctx context.Context, in, ad []byte) ([]byte, error)

// call runs an operation and waits for it no longer than ctx. An AEAD that hangs
// keeps its goroutine; when there are maxCalls of those, further callers wait for
// a place, no longer than their ctx either.
func (k *KEK) call(ctx context.Context, do operation, in, ad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case k.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		out []byte
		err error
	}
	done := make(chan result)
	own := bytes.Clone(in) // the caller may clear its own while the AEAD still reads
	go func() {
		defer func() { <-k.slots }()
		out, err := do(ctx, own, ad)
		clear(own)
		select {
		case done <- result{out, err}:
		case <-ctx.Done():
			clear(out) // nobody waits for it
		}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
