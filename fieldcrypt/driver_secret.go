package fieldcrypt

import (
	"context"
	"fmt"
	"reflect"
)

// SecretField returns the field that a Secret's F declares, whose model has the
// tenant column, if there is one.
//
// Errors: *Error matching [ErrModel] if F is no struct with one encrypted field,
// or that is not of type T; [ErrUnsupported] for bind= and plain=.
func (c *Crypter) SecretField(s AnySecret) (*Field, error) {
	p, err := partsOf(s)
	if err != nil {
		return nil, err
	}
	return c.secretField(p)
}

// secretKey is where the field of a Secret is kept with its model.
type secretKey struct{ t reflect.Type }

func (c *Crypter) secretField(p secretParts) (*Field, error) {
	m, err := c.Model(p.field)
	if err != nil {
		return nil, err
	}
	if m.Type != p.field || len(m.Fields) != 1 { // Model takes pointers and lists too
		return nil, m.err("", fmt.Errorf("the F of a Secret must be a struct with one encrypted field; %s has %d", p.field, len(m.Fields)))
	}
	f, err := m.Derived(secretKey{p.typ}, func() (any, error) {
		switch f := m.Fields[0]; {
		case f.Type != p.typ:
			return nil, m.err(f.Path, fmt.Errorf("the field is a %s, and the Secret holds a %s", f.Type, p.typ))
		case f.Bind != nil || f.Plain != "":
			return nil, f.err("model", 0, fmt.Errorf("%w: a Secret has no bind= and plain=", ErrUnsupported), "use a tagged struct with pgxcrypt.Args and RowToStructByName")
		default:
			return f, nil
		}
	})
	if err != nil {
		return nil, err
	}
	return f.(*Field), nil
}

// SealSecret returns what is stored for a Secret: its value sealed, or as it came
// from the database if it was not opened and opens in the row; nil for NULL.
//
// Errors: as [Sealer.Seal], [Crypter.SecretField] and, for what was not opened,
// [Crypter.Open].
func (s *Sealer) SealSecret(v AnySecret) ([]byte, error) {
	p, err := partsOf(v)
	if err != nil {
		return nil, err
	}
	f, err := s.crypter.secretField(p)
	switch {
	case err != nil:
		return nil, err
	case p.value != nil:
		return s.Seal(f, p.value())
	case p.sealed != nil:
		if err := s.crypter.Open(s.ctx, f, p.sealed.bytes, reflect.New(f.Type).Elem(), s.row); err != nil {
			return nil, err
		}
		return p.sealed.bytes, nil
	}
	return nil, nil
}

// partsOf returns what there is in a Secret.
//
// Errors: *Error matching [ErrWrongType] for nil.
func partsOf(v AnySecret) (secretParts, error) {
	if rv := reflect.ValueOf(v); !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil() {
		return secretParts{}, &Error{Op: "model", Err: fmt.Errorf("%w: a nil %T", ErrWrongType, v), Hint: "give a Secret, or a pointer to one"}
	}
	return v.secret(), nil
}

// SecretTerm returns what is stored in the index column of a Secret; nil for NULL.
// next asks for that of the second column, and moving says whether there is one.
//
// Errors: *Error matching [ErrUnsearchable] if the field has no index of its own,
// [ErrSealed] if the Secret was not opened; as [Sealer.Index].
func (s *Sealer) SecretTerm(v AnySecret, next bool) (term []byte, moving bool, err error) {
	p, err := partsOf(v)
	if err != nil {
		return nil, false, err
	}
	f, err := s.crypter.secretField(p)
	if err != nil {
		return nil, false, err
	}
	ix := f.SearchIndex()
	if ix == nil {
		return nil, false, f.err("index", 0, ErrUnsearchable, `add the option "index" to the tag`)
	}
	var value reflect.Value
	switch {
	case p.value != nil:
		value = p.value()
	case p.sealed != nil:
		return nil, false, f.err("index", 0, ErrSealed, "open it first")
	}
	if next {
		return s.NextIndex(ix, value)
	}
	if term, err = s.Index(ix, value); err != nil {
		return nil, false, err
	}
	_, moving, err = s.NextIndex(ix, value)
	return term, moving, err
}

// OpenSecret sets a Secret to what is stored for it.
//
// Errors: as [Crypter.Open] and [Crypter.SecretField]. After one dst is NULL.
func (c *Crypter) OpenSecret(ctx context.Context, dst SecretPointer, stored []byte, row Row) error {
	p, err := partsOf(dst)
	if err != nil {
		return err
	}
	dst.setSecret(reflect.Value{}, nil)
	f, err := c.secretField(p)
	if err != nil || stored == nil {
		return err
	}
	value := reflect.New(f.Type).Elem()
	if err := c.Open(ctx, f, stored, value, row); err != nil {
		return err
	}
	dst.setSecret(value, nil)
	return nil
}

// SealSecrets seals Secrets, and makes their indexes, for drivers that take a
// driver.Valuer and nothing else, as database/sql does: what the arguments of one
// statement write into one row. After it the Secrets are sealed and in the clear;
// seal them again for another row.
//
//	err := fc.SealSecrets(ctx, &mrn)
//	_, err = db.ExecContext(ctx, `INSERT INTO patients (id, mrn, mrn_bidx) VALUES (?, ?, ?)`, id, mrn, mrn.Index())
//
// Under per-tenant keys the context names the tenant.
//
// Errors: as [Sealer.Seal] and [Crypter.SecretField]; those that are sealed by
// then stay so.
func (c *Crypter) SealSecrets(ctx context.Context, secrets ...SecretPointer) error {
	s := c.Sealer(ctx, Row{})
	for _, v := range secrets {
		p, err := partsOf(v)
		if err != nil {
			return err
		}
		if p.value == nil {
			continue // NULL, or as it is in the database
		}
		b, err := s.SealSecret(v)
		if err != nil {
			return err
		}
		if b == nil { // it holds a nil
			v.setSecret(reflect.Value{}, nil)
			continue
		}
		sealed := &sealedSecret{bytes: b}
		if f, err := c.secretField(p); err == nil && f.SearchIndex() != nil {
			if sealed.term, sealed.moving, err = s.SecretTerm(v, false); err != nil {
				return err
			}
			sealed.indexed = true
		}
		v.setSecret(p.value(), sealed)
	}
	return nil
}

// OpenSecrets opens Secrets that database/sql has scanned. Under per-tenant keys
// the context names the tenant.
//
// Errors: as [Crypter.Open] and [Crypter.SecretField]; those after it stay sealed.
func (c *Crypter) OpenSecrets(ctx context.Context, secrets ...SecretPointer) error {
	for _, v := range secrets {
		p, err := partsOf(v)
		if err != nil {
			return err
		}
		if p.value != nil || p.sealed == nil {
			continue
		}
		f, err := c.secretField(p)
		if err != nil {
			return err
		}
		value := reflect.New(f.Type).Elem()
		if err := c.Open(ctx, f, p.sealed.bytes, value, Row{}); err != nil {
			return err
		}
		v.setSecret(value, p.sealed)
	}
	return nil
}

// SecretTerms returns what the index column holds in the rows of a Secret's value,
// under every live index key, for = ANY or IN.
//
// Errors: as [Crypter.Terms] and [Sealer.SecretTerm].
func (c *Crypter) SecretTerms(ctx context.Context, v AnySecret) ([][]byte, error) {
	p, err := partsOf(v)
	if err != nil {
		return nil, err
	}
	f, err := c.secretField(p)
	if err != nil {
		return nil, err
	}
	ix := f.SearchIndex()
	switch {
	case ix == nil:
		return nil, f.err("search", 0, ErrUnsearchable, `add the option "index" to the tag`)
	case p.value == nil && p.sealed != nil:
		return nil, f.err("search", 0, ErrSealed, "open it first")
	case p.value == nil:
		return c.Terms(ctx, ix, Row{}, nil)
	}
	return c.Terms(ctx, ix, Row{}, p.value().Interface())
}

// SecretOf returns the Secret that an index argument is of, if it was set, and
// whether it is for the second column of an index that is moved.
func SecretOf(v AnySecretIndex) (of AnySecret, set, next bool) { return v.secretIndex() }

// SameColumn reports whether two Secrets are of one F.
func SameColumn(a, b AnySecret) bool { return a.secret().field == b.secret().field }
