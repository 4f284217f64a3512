package migrate

import (
	"slices"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
)

func TestCountsAsTheyAreStored(t *testing.T) {
	sum := counts(nil).plus([]int64{1, 2}).plus([]int64{0, 5, 1 << 40})
	var back counts
	if err := back.Scan(string(sum.text())); err != nil || !slices.Equal(back, []int64{1, 7, 1 << 40}) {
		t.Errorf("%v, %v", back, err)
	}
	if err := back.Scan(""); err != nil || back != nil {
		t.Errorf("%v, %v", back, err)
	}
	if back.Scan("1 x") == nil || back.Scan(nil) == nil {
		t.Error("what is no number was read")
	}
}

func TestTodoOfJobs(t *testing.T) {
	part := &fieldcrypt.ManifestTable{Table: "t", Tenant: "firm", Columns: []fieldcrypt.ManifestColumn{{Column: "a", Domain: "d"}, {Column: "b", Domain: "e"}}}
	for _, c := range []struct {
		d    dialect
		kind string
		o    params
		want string
	}{
		{postgres, KindReencrypt, params{Keys: []uint32{2, 1}}, `(substr("a", 4, 4) IN ('\x00000001'::bytea, '\x00000002'::bytea) OR substr("b", 4, 4) IN ('\x00000001'::bytea, '\x00000002'::bytea))`},
		{sqlite, KindReencrypt, params{Tenant: "x", Primary: map[string]uint32{"d": 255}}, `CAST("firm" AS TEXT) = 'x' AND (substr("a", 4, 4) <> x'000000ff' OR "b" IS NOT NULL)`},
		{postgres, KindVerify, params{Sample: 0.25}, `random() < 0.25`},
		{sqlite, KindVerify, params{Sample: 0.25}, ``},
	} {
		if got, err := c.d.todo(c.kind, part, &c.o); err != nil || got != c.want {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
	}
	if _, err := postgres.todo(KindVerify, part, &params{Tenant: "a'b"}); err == nil {
		t.Error("a tenant with a quote")
	}
}
