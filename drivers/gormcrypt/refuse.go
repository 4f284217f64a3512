package gormcrypt

import (
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

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

// onCiphertext refuses to compare or sort by what is stored.
func onCiphertext(c *column, what string) error {
	return fieldErr("query", c.field, fieldcrypt.ErrQueryOnCiphertext, what+
		"; the column can be compared by =, <>, IN, NOT IN with placeholders, and IS [NOT] NULL; do the rest in Go on what was read")
}

// queryErr refuses what concerns no one column.
func queryErr(reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "query", Err: fmt.Errorf("%w: %s", fieldcrypt.ErrQueryOnCiphertext, reason), Hint: hint}
}

// modelErr is an error about a model that cannot be used as it is declared.
func modelErr(model, path, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "model", Model: model, Field: path, Err: fmt.Errorf("%w: %s", fieldcrypt.ErrModel, reason), Hint: hint}
}

// unregistered refuses a statement on a model that the plugin does not know.
func unregistered(model, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{Op: "statement", Model: model, Err: fmt.Errorf("%w: %s", fieldcrypt.ErrNotRegistered, reason), Hint: hint}
}

// refuse makes a statement fail with err. The error alone is not enough: GORM
// drops that of a sub-query. So it writes, in place of the clause, a name that no
// database has, and leaves the error among the values, which GORM hands on to the
// statement around.
func refuse(stmt *gorm.Statement, clause string, err error) {
	// Row returns nil for a statement with an error, where no callback of ours
	// makes a row of it: then the database alone refuses the name.
	if rows, ok := stmt.Settings.Load(rowsKey); !ok || rows != false || stmt.DryRun || bindingOf(stmt.DB.NamingStrategy) != nil {
		stmt.AddError(err)
	}
	stmt.Vars = append(stmt.Vars, refusedValue{err})
	if clause != "" {
		stmt.WriteString(clause + " ")
	}
	stmt.DB.Dialector.QuoteTo(&stmt.SQL, poisonName(err))
}

// explain makes the error of a statement whose sub-query was refused that of the
// sub-query: the database has said no more than that it does not know a name.
func explain(db *gorm.DB) {
	for _, v := range db.Statement.Vars {
		if r, ok := v.(refusedValue); ok && !errors.Is(db.Error, r.err) {
			db.Error = r.err
		}
	}
}

// poisonName makes a name out of an error, without what quoting would cut it at.
func poisonName(err error) string {
	return strings.NewReplacer(".", "/", "`", "'", `"`, "'", "?", "", "$", "").Replace(err.Error())
}

// firstError returns the first error that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
