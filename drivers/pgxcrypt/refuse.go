package pgxcrypt

import (
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// fieldErr is an error about an encrypted field; reason says what was asked, with
// what is to be done after a semicolon.
func fieldErr(op string, f *fieldcrypt.Field, class error, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{
		Op: op, Model: f.Model.Name, Field: f.Path, Table: f.Table, Column: f.Name,
		Err: fmt.Errorf("%w: %s", class, reason), Hint: hint,
	}
}

// modelErr is an error about what was asked of a model as a whole.
func modelErr(op string, m *fieldcrypt.Model, class error, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: op, Model: m.Name, Table: m.Table, Err: fmt.Errorf("%w: %s", class, reason), Hint: hint}
}

// usageErr is an error about no model.
func usageErr(op string, class error, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: op, Err: fmt.Errorf("%w: %s", class, reason), Hint: hint}
}
