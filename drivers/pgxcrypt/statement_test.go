package pgxcrypt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

type patient struct {
	ID  int64
	MRN string `fieldcrypt:"medical,index,bind=Key"`
	Key string
}

// TestStatementsAreKeptApart: more statements than are kept, from many goroutines.
func TestStatementsAreKeptApart(t *testing.T) {
	tab, err := tableOf(newCrypter(t), patient{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				name := []string{"id", "key"}[i%2]
				sql := fmt.Sprintf("UPDATE patients SET n = %d, x = @%s WHERE '@no' = $$@no$$ -- @no", i%200, name)
				st, err := tab.statement(context.Background(), nil, sql, nil)
				if err != nil || len(st.columns) != 1 || st.columns[0].name != name || st.out != strings.Replace(sql, "@"+name, "$1", 1) {
					t.Errorf("%s: %+v, %v", sql, st, err)
				}
			}
		})
	}
	wg.Wait()
	long := "SELECT @id" + strings.Repeat(" ", maxKept)
	for range 2 {
		if st, err := tab.statement(context.Background(), nil, long, nil); err != nil || len(st.columns) != 1 {
			t.Errorf("a long statement: %v", err)
		}
	}
	if st := tab.statements.slot(long).Load(); st != nil && st.sql == long {
		t.Error("a long statement is kept")
	}
	// What is refused stays refused, and arguments by name are the call's own.
	for range 2 {
		if _, err := tab.statement(context.Background(), nil, "SELECT @mrn", nil); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("%v", err)
		}
	}
	for i := range 3 {
		st, err := tab.statement(context.Background(), nil, "SELECT @id, @more", []pgx.NamedArgs{{"more": i}})
		if err != nil || st.extras[1] != i {
			t.Errorf("%+v, %v", st, err)
		}
	}
}

func TestUpserts(t *testing.T) {
	tab, err := tableOf(newCrypter(t), patient{})
	if err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO patients (key, mrn, mrn_bidx) VALUES (@key, @mrn, @mrn_bidx)"
	for sql, refused := range map[string]bool{
		insert:                             false,
		insert + " ON CONFLICT DO NOTHING": false,
		insert + " ON CONFLICT (key) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":                false,
		insert + " on conflict\n( \"key\" ,id)\ndo\tupdate SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":    false,
		insert + " ON CONFLICT (KEY) WHERE id > 0 DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":   false,
		insert + " ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":                 true,
		insert + " ON CONFLICT (lower(key)) DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":         true,
		insert + " ON CONFLICT ON CONSTRAINT pk DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":     true,
		insert + " ON  CONFLICT DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":                     true,
		insert + " ON/**/CONFLICT (id) DO/**/UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx":           true,
		insert + " ON --\n CONFLICT (id) -- (key)\n DO UPDATE SET mrn = excluded.mrn, mrn_bidx = excluded.mrn_bidx": true,
		"INSERT INTO patients (key) VALUES (@key) ON CONFLICT (id) DO UPDATE SET id = 1":                            false,
	} {
		_, err := tab.statement(context.Background(), nil, sql, nil)
		if errors.Is(err, fieldcrypt.ErrUnsupported) != refused || err != nil && !refused {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
