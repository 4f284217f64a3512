package fieldcrypt_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// sheet has a field of each way in which Append encodes.
type sheet struct {
	Text   string         `fieldcrypt:"medical,index=lower"`
	Padded string         `fieldcrypt:"medical,pad=32"`
	Bytes  []byte         `fieldcrypt:"medical"`
	Maybe  *string        `fieldcrypt:"medical,index"`
	JSON   map[string]any `fieldcrypt:"medical"`
	Chatty chatty         `fieldcrypt:"medical,pad=64"`
	Number int            `fieldcrypt:"finance"`
}

func TestAppendSealPutsARowIntoOneBuffer(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, sheet{})
	in := sheet{Text: canary, Padded: canary, Bytes: []byte(canary), JSON: map[string]any{"a": canary}, Chatty: chatty{"yes " + canary}, Number: 7}
	for _, spare := range []int{0, 1, 50, 66, 1 << 12} {
		s := fc.Sealer(ctx, fieldcrypt.Row{})
		buf := append(make([]byte, 0, 6+spare), "before"...)
		buffers := [][]byte{buf}
		var ends []int
		for _, f := range m.Fields {
			out, null, err := s.AppendSeal(buf, f, reflect.ValueOf(in).FieldByIndex(f.Index))
			if err != nil || null != (f.Path == "Maybe") || null && len(out) != len(buf) {
				t.Fatalf("%s: null %v, %v", f.Path, null, err)
			}
			buf = out
			buffers, ends = append(buffers, out), append(ends, len(out))
		}
		for _, b := range buffers { // also those that were outgrown
			if leaks(string(b[:cap(b)])) {
				t.Errorf("with %d bytes to spare: plaintext is left in a buffer", spare)
			}
		}
		var out sheet
		at := len("before")
		for i, f := range m.Fields {
			stored := buf[at:ends[i]]
			at = ends[i]
			if f.Path == "Maybe" {
				continue
			}
			if err := fc.Open(ctx, f, stored, reflect.ValueOf(&out).Elem().FieldByIndex(f.Index), fieldcrypt.Row{}); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
		if string(buf[:6]) != "before" || !reflect.DeepEqual(in, out) {
			t.Errorf("got %+v behind %q", out, buf[:6])
		}
	}
}

func TestAppendSealGivesBackTheBufferAfterAnError(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, sheet{})
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	buf := append(make([]byte, 0, 512), "before"...)
	for path, v := range map[string]any{
		"Text":   canary + "\xff",
		"Chatty": chatty{"no " + canary},
		"JSON":   map[string]any{canary: make(chan int)},
		"Number": canary,
	} {
		out, null, err := s.AppendSeal(buf, m.Field(path), reflect.ValueOf(v))
		if err == nil || null || string(out) != "before" {
			t.Errorf("%s: %q, null %v, %v", path, out, null, err)
		}
	}
	out, null, err := s.AppendIndex(buf, m.Field("Text").SearchIndex(), reflect.ValueOf(canary+"\xff"))
	if err == nil || null || string(out) != "before" {
		t.Errorf("index: %q, null %v, %v", out, null, err)
	}
	if leaks(string(buf[:cap(buf)])) {
		t.Error("plaintext is left in the buffer")
	}
}

func TestAppendIndexIsIndex(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, sheet{})
	ix := m.Field("Text").SearchIndex()
	for _, spare := range []int{0, 20, 512} {
		s := fc.Sealer(ctx, fieldcrypt.Row{})
		want, err := s.Index(ix, reflect.ValueOf(canary))
		if err != nil {
			t.Fatal(err)
		}
		buf := append(make([]byte, 0, 6+spare), "before"...)
		out, null, err := s.AppendIndex(buf, ix, reflect.ValueOf(strings.ToUpper(canary)))
		if err != nil || null || string(out) != "before"+string(want) || len(want) != ix.Size() {
			t.Errorf("got %x, null %v, %v; want %x", out, null, err, want)
		}
		if rest := out[len(out):cap(out)]; spare == 512 && !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Errorf("something stands behind the index: %x", rest)
		}
		maybe := m.Field("Maybe").SearchIndex()
		out, null, err = s.AppendIndex(buf, maybe, reflect.ValueOf((*string)(nil)))
		if err != nil || !null || string(out) != "before" {
			t.Errorf("NULL: %q, null %v, %v", out, null, err)
		}
	}
}

func TestNextRowHasItsOwnSalts(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	seen := map[string]bool{}
	for row := range 100 {
		if row > 0 {
			s.Next(fieldcrypt.Row{})
		}
		number, holder := seal(t, s, m.Field("Number"), "a"), seal(t, s, m.Field("Holder"), "a")
		medical := seal(t, s, m.Field("Again"), "a")
		if salt(number) != salt(holder) {
			t.Error("two fields of one row and domain have two salts")
		}
		if seen[salt(number)] || seen[salt(medical)] || salt(number) == salt(medical) {
			t.Fatal("a salt was used again")
		}
		seen[salt(number)], seen[salt(medical)] = true, true
	}
}

func TestNextRowOfAnotherTenant(t *testing.T) {
	keys := keymgrtest.NewPerTenant(t, "finance")
	for _, tenant := range []string{"a", "b"} {
		if err := keys.Create(t.Context(), keymgr.Scope{Domain: "finance", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	f := modelOf(t, fc, tenantCard{}).Field("Number")
	s := fc.Sealer(t.Context(), fieldcrypt.Row{Tenant: "a"})
	for _, tenant := range []string{"a", "b", "a"} {
		row := fieldcrypt.Row{Tenant: tenant}
		s.Next(row)
		stored := seal(t, s, f, "4111")
		if err := fc.Open(t.Context(), f, stored, reflect.ValueOf(new(string)).Elem(), row); err != nil {
			t.Errorf("row of %s: %v", tenant, err)
		}
	}
	s.Next(fieldcrypt.Row{})
	if _, err := s.Seal(f, reflect.ValueOf("x")); !errors.Is(err, fieldcrypt.ErrNoTenant) {
		t.Errorf("a row without a tenant: %v", err)
	}
	s = fc.Sealer(fieldcrypt.WithTenant(t.Context(), "a"), fieldcrypt.Row{Tenant: "a"})
	seal(t, s, f, "4111")
	s.Next(fieldcrypt.Row{Tenant: "b"})
	if _, err := s.Seal(f, reflect.ValueOf("x")); !errors.Is(err, fieldcrypt.ErrTenantMismatch) {
		t.Errorf("a row of another tenant than the context's: %v", err)
	}
}

func TestNextRowAsksForBoundValues(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, boundCard{}).Field("PIN")
	row := func(serial int64) fieldcrypt.Row {
		return fieldcrypt.Row{Bound: func(*fieldcrypt.Field) (reflect.Value, error) { return reflect.ValueOf(serial), nil }}
	}
	s := fc.Sealer(ctx, row(1))
	for serial := range int64(3) {
		s.Next(row(serial))
		stored := seal(t, s, f, "4111")
		for other := range int64(3) {
			err := fc.Open(ctx, f, stored, reflect.ValueOf(new(string)).Elem(), row(other))
			if (err == nil) != (other == serial) || err != nil && !errors.Is(err, fieldcrypt.ErrAuthentication) {
				t.Errorf("value of row %d in row %d: %v", serial, other, err)
			}
		}
	}
}

// Keys that are gone serve no further row of a statement.
func TestNextRowNoticesThatKeysAreGone(t *testing.T) {
	keys := keymgrtest.New(t, "medical", "finance")
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	m := modelOf(t, fc, card{})
	s := fc.Sealer(t.Context(), fieldcrypt.Row{})
	seal(t, s, m.Field("Number"), "a")
	seal(t, s, m.Field("Again"), "a")
	keys.Close()
	seal(t, s, m.Field("Number"), "a") // the row that was begun is finished
	s.Next(fieldcrypt.Row{})
	for _, path := range []string{"Number", "Again"} {
		if _, err := s.Seal(m.Field(path), reflect.ValueOf("a")); !errors.Is(err, keymgr.ErrClosed) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := s.Index(m.Field("Number").SearchIndex(), reflect.ValueOf("1")); !errors.Is(err, keymgr.ErrClosed) {
		t.Errorf("index: %v", err)
	}
}

// A field that is copied and renamed has the identity of its new name.
func TestACopiedFieldHasItsOwnIdentity(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	f := modelOf(t, fc, card{}).Field("Number")
	stored := seal(t, fc.Sealer(ctx, fieldcrypt.Row{}), f, "4111")
	for name, change := range map[string]func(*fieldcrypt.Field){
		"column": func(f *fieldcrypt.Field) { f.Name = "other" },
		"table":  func(f *fieldcrypt.Field) { f.Table = "other" },
		"domain": func(f *fieldcrypt.Field) { f.Domain = "medical" },
		"bind": func(f *fieldcrypt.Field) {
			f.Bind = &fieldcrypt.PlainField{Path: "ID", Type: reflect.TypeFor[uint64]()}
		},
	} {
		other := *f
		change(&other)
		if err := fc.Open(ctx, &other, stored, reflect.ValueOf(new(string)).Elem(), fieldcrypt.Row{}); err == nil {
			t.Errorf("another %s: the value opened", name)
		}
	}
	same := *f
	if err := fc.Open(ctx, &same, stored, reflect.ValueOf(new(string)).Elem(), fieldcrypt.Row{}); err != nil {
		t.Errorf("a copy: %v", err)
	}
	// Under the keys of another Crypter it does not open either.
	if err := newCrypter(t).Open(ctx, f, stored, reflect.ValueOf(new(string)).Elem(), fieldcrypt.Row{}); !errors.Is(err, fieldcrypt.ErrUnknownKey) {
		t.Errorf("another Crypter: %v", err)
	}
}

func TestARowCostsFewAllocations(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, record{})
	v, buf, ix := reflect.ValueOf("x"), make([]byte, 0, 1024), m.Indexes[0]
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	allocs := testing.AllocsPerRun(200, func() {
		s.Next(fieldcrypt.Row{})
		out := buf
		for _, f := range m.Fields {
			out, _, _ = s.AppendSeal(out, f, v)
		}
		s.AppendIndex(out, ix, v)
	})
	// Two: the record's key schedule and its GCM. More under the race detector,
	// which empties pools; but not one for each value and index, which are five.
	if allocs > 6 {
		t.Errorf("a row costs %v allocations", allocs)
	}
}

func FuzzOpen(f *testing.F) {
	fc := fieldcrypt.New(keymgrtest.New(f, "medical", "finance"), fieldcrypt.Config{})
	m := modelOf(f, fc, card{})
	number := m.Field("Number")
	good := seal(f, fc.Sealer(f.Context(), fieldcrypt.Row{}), number, "4111")
	for _, n := range []int{0, 1, fieldcrypt.MinSize, fieldcrypt.Overhead, len(good)} {
		f.Add(good[:n], 0)
	}
	f.Add(append(good, 0), 3)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		for _, stored := range [][]byte{b, append(append([]byte{}, good[:min(max(at, 0), len(good))]...), b...)} {
			got := "as it was"
			err := fc.Open(t.Context(), number, stored, reflect.ValueOf(&got).Elem(), fieldcrypt.Row{})
			switch {
			case stored == nil || bytes.Equal(stored, good):
			case err == nil || got != "as it was":
				t.Fatalf("%x opened, %v", stored, err)
			}
		}
		got := ""
		if err := fc.Open(t.Context(), number, good, reflect.ValueOf(&got).Elem(), fieldcrypt.Row{}); err != nil || got != "4111" {
			t.Fatalf("the value itself: %q, %v", got, err)
		}
	})
}
