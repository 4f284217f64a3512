package tinkkms

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/keymgr"
)

// classes are what an error of a KEK may be, that which may pass last.
func classes() []error {
	return []error{keymgr.ErrKMSDenied, keymgr.ErrKEKNotAllowed, keymgr.ErrKeysetInvalid, keymgr.ErrKMSUnavailable}
}

// fail gives an error of the AEAD its class. Where the caller's context has ended
// that is the cause, whatever the AEAD made of it.
func (k *KEK) fail(ctx context.Context, doing string, err error) error {
	class := keymgr.ErrKMSUnavailable
	switch gone := ctx.Err(); {
	case gone == nil:
		class = k.class(err)
	case !errors.Is(err, gone):
		err = fmt.Errorf("%w: %w", gone, err)
	}
	return fmt.Errorf("tinkkms: %s with %s: %w: %w", doing, k.uri, class, cause(err))
}

func (k *KEK) class(err error) error {
	told := err
	if k.classify != nil {
		if c := k.classify(err); c != nil {
			told = c
		}
	}
	is := func(class error) bool { return errors.Is(told, class) }
	if i := slices.IndexFunc(classes(), is); i >= 0 {
		return classes()[i]
	}
	return keymgr.ErrKMSUnavailable
}

// cause keeps an error from matching two classes: the one that it came with, and
// the one that Classify gave it.
func cause(err error) error {
	if slices.ContainsFunc(classes(), func(class error) bool { return errors.Is(err, class) }) {
		return errors.New(err.Error())
	}
	return err
}
