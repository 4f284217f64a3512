package migrate

import (
	"bytes"
	"slices"
	"testing"
)

func FuzzUnpackKey(f *testing.F) {
	f.Add(packKey([][]byte{{1}, {}, []byte("text")}))
	f.Add([]byte{0, 0, 0, 9, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := unpackKey(b)
		if err == nil && !bytes.Equal(packKey(key), b) {
			t.Errorf("%x is not what was packed", b)
		}
	})
}

func TestSQLiteValuesKeepTheirClass(t *testing.T) {
	for _, v := range []any{int64(-5), 1.5, "text", "", []byte{0, 1}} {
		got, err := unpack(pack(v))
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := v.([]byte); ok && slices.Equal(b, got.([]byte)) {
			continue
		}
		if got != v {
			t.Errorf("%#v became %#v", v, got)
		}
	}
	if _, err := unpack(nil); err == nil {
		t.Error("NULL is no key")
	}
}
