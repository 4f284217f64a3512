package transform

import "errors"

// Every error of this package matches exactly one of these with [errors.Is],
// and none holds any part of the text that was transformed.
var (
	// ErrPipeline: the specification is wrong, or a custom transform is
	// registered under a name it may not have. The text names the cure.
	ErrPipeline = errors.New("invalid transform")
	// ErrInvalidUTF8: the text, or what a custom transform made of it, is not
	// valid UTF-8.
	ErrInvalidUTF8 = errors.New("text is not valid UTF-8")
	// ErrRefused: a custom transform returned an error.
	ErrRefused = errors.New("custom transform refused the text")
)

// refusal reports the error of a custom transform without its text, which may
// quote the value (as that of [strconv.Atoi] does): it can be recognised with
// errors.Is but neither unwrapped nor printed.
type refusal struct {
	transform string
	is        func(target error) bool
}

func (e *refusal) Error() string {
	return ErrRefused.Error() + ": " + e.transform + " (its own message is withheld, as it may quote the text)"
}

// Is reports whether target is ErrRefused or is matched by the custom
// transform's error.
func (e *refusal) Is(target error) bool { return target == ErrRefused || e.is(target) }
