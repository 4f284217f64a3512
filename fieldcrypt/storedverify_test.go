package fieldcrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// TestPoisonRows: what is wrong with a value stops its row, with a class, and
// without a value in the error.
func TestPoisonRows(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &record{})
	in := &record{A: canary, B: "b", C: "c", D: "d"}
	good, other := r.write(t, mt, in), r.write(t, mt, &record{A: "other"})
	numbers, _ := r.table(t, &struct1{})
	r.rotate(t, keymgr.Scope{Domain: "medical"}, keymgr.Seal)
	b := table.Batch(t.Context())
	edit := func(change func(v []byte)) []byte {
		v := bytes.Clone(good.Values[0])
		change(v)
		return v
	}
	for name, c := range map[string]struct {
		value  []byte
		reseal string // class; "" if it is sealed anew
		verify []string
	}{
		"plaintext":        {[]byte(canary), fieldcrypt.FailureNotSealed, []string{fieldcrypt.FailureNotSealed}},
		"empty":            {[]byte{}, fieldcrypt.FailureNotSealed, []string{fieldcrypt.FailureNotSealed}},
		"cut short":        {good.Values[0][:47], fieldcrypt.FailureNotSealed, []string{fieldcrypt.FailureNotSealed}},
		"a bit":            {edit(func(v []byte) { v[len(v)-20] ^= 1 }), fieldcrypt.FailureAuthentication, []string{fieldcrypt.FailureAuthentication}},
		"of a column":      {good.Values[1], fieldcrypt.FailureAuthentication, []string{fieldcrypt.FailureAuthentication}},
		"an unknown key":   {edit(func(v []byte) { v[3] ^= 0x80 }), fieldcrypt.FailureUnknownKey, []string{fieldcrypt.FailureUnknownKey}},
		"of another row":   {other.Values[0], "", []string{fieldcrypt.FailureWrongIndex}},
		"of another type":  {r.write(t, numbers, &struct1{A: 5}).Values[0], "", []string{fieldcrypt.FailureWrongType}},
		"NULL with a term": {nil, "", []string{fieldcrypt.FailureWrongIndex}},
		"as it was":        {good.Values[0], "", nil},
	} {
		row := *good
		row.Values = slices.Clone(good.Values)
		row.Values[0] = c.value
		out := make([][]byte, 4)
		_, err := b.Reseal(&row, out)
		if got := fieldcrypt.FailureClass(err); got != c.reseal || err == nil != (c.reseal == "") || err != nil && !allNil(out) {
			t.Errorf("%s: reseal: %v, class %q", name, err, got)
		}
		failures, err := b.Verify(&row)
		var got []string
		for _, f := range failures {
			got = append(got, fieldcrypt.FailureClass(f))
			if e := (*fieldcrypt.Error)(nil); !errors.As(f, &e) || e.Column == "" || leaks(f.Error()) || leaks(fmt.Sprintf("%#v", f)) {
				t.Errorf("%s: %v names no column, or a value", name, f)
			}
		}
		if err != nil || !slices.Equal(got, c.verify) {
			t.Errorf("%s: verify: %v, %v; want %v", name, failures, err, c.verify)
		}
	}
	for n, class := range map[error]string{
		fieldcrypt.ErrKeyDisabled: fieldcrypt.FailureDisabledKey, keymgr.ErrInvalidScope: fieldcrypt.FailureNoTenant,
		fieldcrypt.ErrKMSUnavailable: "", fieldcrypt.ErrScopeNotFound: "", context.Canceled: "", nil: "",
	} {
		if got := fieldcrypt.FailureClass(n); got != class {
			t.Errorf("%v: class %q", n, got)
		}
	}
}

// struct1 has a number where record has text, under the same identity.
type struct1 struct {
	A int `fieldcrypt:"medical,id=records.a"`
}

func TestRowsOfTenantsThatAreNot(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &chart{})
	row := r.write(t, mt, &chart{Tenant: "acme", Body: canary})
	out := make([][]byte, 1)
	b := table.Batch(fieldcrypt.WithTenant(t.Context(), "globex")) // does not count
	verified(t, b, row)
	r.rotate(t, keymgr.Scope{Domain: "tenants", Tenant: "acme"}, keymgr.Seal)
	destroyed := keymgr.Scope{Domain: "tenants", Tenant: "initech"}
	if err := r.keys.Create(t.Context(), destroyed); err != nil {
		t.Fatal(err)
	}
	if _, err := r.keys.DestroyScope(t.Context(), destroyed, "test"); err != nil {
		t.Fatal(err)
	}
	b = table.Batch(t.Context())
	for tenant, class := range map[string]string{"initech": fieldcrypt.FailureNoScope, "": fieldcrypt.FailureNoTenant, "a b": fieldcrypt.FailureNoTenant, "nobody": fieldcrypt.FailureNoScope, "globex": fieldcrypt.FailureUnknownKey} {
		moved := *row
		moved.Tenant = tenant
		if _, err := b.Reseal(&moved, out); fieldcrypt.FailureClass(err) != class {
			t.Errorf("reseal as %q: %v", tenant, err)
		}
		if f, err := b.Verify(&moved); err != nil || len(f) != 1 || fieldcrypt.FailureClass(f[0]) != class {
			t.Errorf("verify as %q: %v, %v", tenant, f, err)
		}
	}
	if n, err := b.Reseal(row, out); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestVerifyRecomputesIndexes(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &visit{})
	in := fullVisit()
	row := r.write(t, mt, in)
	medical := keymgr.Scope{Domain: "medical"}
	b := table.Batch(t.Context())
	id := r.rotate(t, medical, keymgr.Index) // row's terms are under the old key: fine
	verified(t, b, row)
	fresh := r.write(t, mt, in)
	verified(t, b, fresh) // a batch that began before the key was there
	for i, col := range mt.Indexes {
		want := func(what string, term []byte, expect string) {
			t.Helper()
			bad := *fresh
			bad.Terms = slices.Clone(fresh.Terms)
			bad.Terms[i] = term
			f, err := b.Verify(&bad)
			if err != nil || len(f) != 1 || fieldcrypt.FailureClass(f[0]) != expect || !strings.Contains(f[0].Error(), col.ID) {
				t.Errorf("%s of %s: %v, %v", what, col.Column, f, err)
			}
		}
		flipped := bytes.Clone(fresh.Terms[i])
		flipped[4] ^= 1
		unknown := bytes.Clone(fresh.Terms[i])
		unknown[0] ^= 0x80
		want("another term", flipped, fieldcrypt.FailureWrongIndex)
		want("NULL", nil, fieldcrypt.FailureWrongIndex)
		want("a short term", fresh.Terms[i][:5], fieldcrypt.FailureWrongIndex)
		want("an empty term", []byte{}, fieldcrypt.FailureWrongIndex)
		want("an unknown key", unknown, fieldcrypt.FailureUnknownKey)
		got, err := b.Term(row, i, 0)
		if err != nil || !bytes.Equal(got, fresh.Terms[i]) {
			t.Errorf("the term of %s is not the driver's: %v", col.Column, err)
		}
		old, _ := fieldcrypt.IndexKeyID(row.Terms[i])
		if got, err = b.Term(row, i, old); err != nil || !bytes.Equal(got, row.Terms[i]) {
			t.Errorf("the term of %s under the old key is not the driver's: %v", col.Column, err)
		}
		if _, err = b.Term(row, i, 77); !errors.Is(err, fieldcrypt.ErrUnknownKey) {
			t.Errorf("a key that is not there: %v", err)
		}
	}
	if now, _ := fieldcrypt.IndexKeyID(fresh.Terms[0]); now != id {
		t.Errorf("the driver wrote under key %d, not %d", now, id)
	}
}

func TestVerifyOfTheSecondIndexColumn(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &record{})
	medical := keymgr.Scope{Domain: "medical"}
	id, err := r.keys.AddKey(t.Context(), medical, keymgr.Index)
	if err == nil {
		err = r.keys.BeginReindex(t.Context(), medical, mt.Indexes[0].ID, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	row := r.write(t, mt, &record{A: canary})
	if now, ok := fieldcrypt.IndexKeyID(row.Next[0]); !ok || now != id {
		t.Fatalf("the second column has key %d", now)
	}
	b := table.Batch(t.Context())
	verified(t, b, row)
	row.Next[0][9] ^= 1
	f, err := b.Verify(row)
	if err != nil || len(f) != 1 || !strings.Contains(f[0].Error(), "a_bidx_next") {
		t.Errorf("%v, %v", f, err)
	}
	row.Next[0] = nil
	verified(t, b, row)
	row.Next = nil
	verified(t, b, row)
}

// TestNullIndexes: a NULL member, and text of which a transform leaves nothing.
func TestNullIndexes(t *testing.T) {
	r := newRotating(t)
	mt, table := r.table(t, &card{})
	b := table.Batch(t.Context())
	for number, null := range map[string]bool{"12-34": false, "none": true, "": false} {
		row := r.write(t, mt, &card{Number: number})
		verified(t, b, row)
		i := slices.IndexFunc(mt.Indexes, func(ix fieldcrypt.ManifestIndex) bool { return ix.Column == "number_bidx" })
		got, err := b.Term(row, i, 0)
		if err != nil || (got == nil) != null || !bytes.Equal(got, row.Terms[i]) {
			t.Errorf("%q: %x, %v", number, got, err)
		}
		if null {
			row.Terms[i] = r.write(t, mt, &card{Number: "1"}).Terms[i]
			if f, err := b.Verify(row); err != nil || len(f) != 1 || !errors.Is(f[0], fieldcrypt.ErrWrongIndex) {
				t.Errorf("a term that must not be: %v, %v", f, err)
			}
		}
	}
}

func TestARowOfAnotherTableIsRefused(t *testing.T) {
	r := newRotating(t)
	_, table := r.table(t, &record{})
	b := table.Batch(t.Context())
	_, err1 := b.Reseal(&fieldcrypt.StoredRow{}, nil)
	_, err2 := b.Verify(&fieldcrypt.StoredRow{Values: make([][]byte, 4)})
	_, err3 := b.Term(&fieldcrypt.StoredRow{}, 0, 0)
	four := &fieldcrypt.StoredRow{Values: make([][]byte, 4)}
	_, err4 := b.Reseal(four, make([][]byte, 3))
	_, err5 := b.Term(four, 1, 0)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, fieldcrypt.ErrUnsupported) || fieldcrypt.FailureClass(err) != "" {
			t.Error(err)
		}
	}
}

func TestCustomTransformsAreTheApplications(t *testing.T) {
	r := newRotating(t)
	mt, _ := r.table(t, &visit{})
	plain := fieldcrypt.New(r.keys, fieldcrypt.Config{})
	if _, err := plain.Table(mt); !errors.Is(err, fieldcrypt.ErrManifest) || !strings.Contains(err.Error(), "mrn_v1") {
		t.Error(err)
	}
}
