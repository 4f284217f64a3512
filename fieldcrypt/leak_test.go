package fieldcrypt_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

const canary = "c4n4ry-5up3r-s3cr3t"

// chatty is a type whose marshalers quote the value in their errors.
type chatty struct{ S string }

func (c chatty) MarshalText() ([]byte, error) {
	if strings.HasPrefix(c.S, "no ") {
		return nil, errors.New("cannot marshal " + c.S)
	}
	return []byte(c.S), nil
}

func (c *chatty) UnmarshalText(b []byte) error {
	if !strings.HasPrefix(string(b), "yes") {
		return fmt.Errorf("cannot parse %q", b)
	}
	c.S = string(b)
	return nil
}

type leaky struct {
	Text   string         `fieldcrypt:"medical,index=quote_v1"`
	Chatty chatty         `fieldcrypt:"medical,index"`
	JSON   map[string]any `fieldcrypt:"medical"`
	Number int            `fieldcrypt:"medical,index"`
	Key    [4]byte        `fieldcrypt:"medical"`
}

// leaks reports every form in which text holds the canary.
func leaks(text string) bool {
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary))[:20], fmt.Sprintf("%v", []byte(canary))[1:40], fmt.Sprintf("%#v", []byte(canary))[8:60]} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

func TestNoErrorHoldsAValue(t *testing.T) {
	ctx := t.Context()
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{Transforms: map[string]func(string) (string, error){
		"quote_v1": func(s string) (string, error) { return "", fmt.Errorf("cannot transform %q", s) },
	}})
	m := modelOf(t, fc, leaky{})
	in := leaky{Text: canary + "\xff", Chatty: chatty{"no " + canary}, JSON: map[string]any{canary: make(chan int)}}
	row := fieldcrypt.Row{}
	var failures []error
	note := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: did not fail", name)
		}
		failures = append(failures, err)
	}
	value := func(path string) reflect.Value {
		return reflect.ValueOf(&in).Elem().FieldByIndex(m.Field(path).Index)
	}
	for _, path := range []string{"Text", "Chatty", "JSON"} {
		_, err := fc.Sealer(ctx, row).Seal(m.Field(path), value(path))
		note("seal "+path, err)
	}
	in.Text = canary
	for _, path := range []string{"Text", "Chatty"} {
		_, err := fc.Sealer(ctx, row).Index(m.Field(path).SearchIndex(), value(path))
		note("index "+path, err)
		_, err = fc.Terms(ctx, m.Field(path).SearchIndex(), row, canary)
		note("search "+path, err)
	}
	for _, path := range []string{"Number", "Key", "JSON", "Chatty"} {
		_, err := m.Field(path).Convert(canary)
		note("convert "+path, err)
	}
	// Stored text, read by fields of other types under the same identity.
	stored := seal(t, fc.Sealer(ctx, row), m.Field("Text"), canary)
	for _, path := range []string{"Chatty", "JSON", "Number", "Key"} {
		f := *m.Field(path)
		f.Name = m.Field("Text").Name
		note("open "+path, fc.Open(ctx, &f, stored, value(path), row))
	}
	note("open plaintext", fc.Open(ctx, m.Field("Text"), []byte(canary+canary+canary), value("Text"), row))
	note("open moved", fc.Open(ctx, m.Field("Number"), stored, value("Number"), row))
	for _, err := range failures {
		b, _ := json.Marshal(err)
		if text := fmt.Sprintf("%s %v %+v %#v %q %s", err, err, err, err, err, b); leaks(text) {
			t.Errorf("the value is in %s", text)
		}
		var e *fieldcrypt.Error
		if !errors.As(err, &e) || e.Table != "leakies" || e.Column == "" {
			t.Errorf("no *Error that names table and column: %v", err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%#v", e); leaks(text) {
				t.Errorf("the value is in %s", text)
			}
		}
	}
}

func TestOurTypesPrintNothing(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	m := modelOf(t, fc, card{})
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	seal(t, s, m.Field("Number"), canary)
	for _, v := range []any{fc, s, m, m.Fields[0], m.Indexes[0]} {
		b, _ := json.Marshal(v)
		if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, b); leaks(text) {
			t.Errorf("%T prints the value", v)
		}
	}
	if text := fmt.Sprintf("%v %#v", fc, fc); text != "fieldcrypt.Crypter fieldcrypt.Crypter" {
		t.Errorf("a Crypter prints %s", text)
	}
}
