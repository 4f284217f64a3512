package fieldcrypt_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

type adopting struct {
	ID  uint64
	MRN string `fieldcrypt:"medical,index,plain=mrn,fallback" gorm:"column:mrn_sealed"`
}

type adopted struct {
	ID  uint64
	MRN string `fieldcrypt:"medical,index,plain=mrn" gorm:"column:mrn_sealed"`
}

type events []fieldcrypt.Event

func (e *events) Observe(_ context.Context, ev fieldcrypt.Event) { *e = append(*e, ev) }

func TestPlaintextIsReadOnlyWhereItIsAllowedAndAudited(t *testing.T) {
	keys := newCrypter(t).Keys()
	var seen events
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for name, c := range map[string]struct {
		cfg  fieldcrypt.Config
		want string
	}{
		"not allowed":           {fieldcrypt.Config{Observer: &seen, Logger: logger}, "AllowPlaintextFallback"},
		"with nobody listening": {fieldcrypt.Config{AllowPlaintextFallback: true}, "audited"},
	} {
		_, err := fieldcrypt.New(keys, c.cfg).Model(adopting{})
		if !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "adopting.MRN") {
			t.Errorf("%s: %v", name, err)
		}
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{AllowPlaintextFallback: true, Observer: &seen, Logger: logger})
	ctx := keymgr.WithActor(t.Context(), "ward-7")
	if err := fc.ReadPlaintext(ctx, modelOf(t, fc, adopting{}).Fields[0], "", true); err != nil {
		t.Error(err)
	}
	want := events{fieldcrypt.PlaintextRead{Model: "fieldcrypt_test.adopting", Field: "MRN", Table: "adoptings", Column: "mrn_sealed", Plain: "mrn", Actor: "ward-7", Search: true}}
	if !slices.Equal(seen, want) || !strings.Contains(log.String(), "ward-7") {
		t.Errorf("observed %+v, logged %s", seen, &log)
	}
	if err := fc.ReadPlaintext(ctx, modelOf(t, fc, adopted{}).Fields[0], "", false); !errors.Is(err, fieldcrypt.ErrNotSealed) {
		t.Errorf("a field without fallback: %v", err)
	}
	if len(seen) != 1 {
		t.Error("what was refused was told as read")
	}
}

func TestAnIndexThatIsMovedHasASecondTerm(t *testing.T) {
	ctx, fc := t.Context(), newCrypter(t)
	ix := modelOf(t, fc, card{}).Fields[0].SearchIndex()
	value := reflect.ValueOf("4242 4242")
	scope := keymgr.Scope{Domain: "finance"}
	if _, moving, err := fc.Sealer(ctx, fieldcrypt.Row{}).NextIndex(ix, value); moving || err != nil {
		t.Fatalf("before it began: %v, %v", moving, err)
	}
	id, err := fc.Keys().AddKey(ctx, scope, keymgr.Index)
	if err == nil {
		err = fc.Keys().BeginReindex(ctx, scope, ix.Identity(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := fc.Sealer(ctx, fieldcrypt.Row{})
	first, err := s.Index(ix, value)
	if err != nil {
		t.Fatal(err)
	}
	next, moving, err := s.NextIndex(ix, value)
	if err != nil || !moving {
		t.Fatalf("while it is moved: %v, %v", moving, err)
	}
	terms, err := fc.Terms(ctx, ix, fieldcrypt.Row{}, "42424242")
	if err != nil || len(terms) != 2 || !bytes.Equal(terms[0], first) || !bytes.Equal(terms[1], next) {
		t.Errorf("a search asks for %x (%v), the columns hold %x and %x", terms, err, first, next)
	}
	if b, moving, err := s.NextIndex(ix, reflect.ValueOf("no digits")); b != nil || !moving || err != nil {
		t.Errorf("of a value that the transform leaves nothing of: %x, %v, %v", b, moving, err)
	}
	if _, moving, _ := s.NextIndex(modelOf(t, fc, card{}).Fields[1].SearchIndex(), value); moving {
		t.Error("another index is moved too")
	}
}

type taken struct {
	MRN  string `fieldcrypt:"medical,index"`
	Next string `gorm:"column:mrn_bidx_next"`
}

func TestTheSecondColumnIsNobodyElses(t *testing.T) {
	if _, err := newCrypter(t).Model(taken{}); !errors.Is(err, fieldcrypt.ErrModel) || !strings.Contains(err.Error(), "mrn_bidx_next") {
		t.Error(err)
	}
}
