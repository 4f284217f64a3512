package pgx_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/drivertest"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestSecretsInStrangeShapes: in whatever a Secret is wrapped, and to whatever type
// it is sent, its value does not reach the server, and no error tells it.
func TestSecretsInStrangeShapes(t *testing.T) {
	inEachModeWith(t, func(t *testing.T, codec *pgxpool.Pool, fc *fieldcrypt.Crypter) {
		plain := pool(t, codec.Config().ConnString(), func(cfg *pgxpool.Config) {
			cfg.ConnConfig.DefaultQueryExecMode = codec.Config().ConnConfig.DefaultQueryExecMode
		})
		one := newMRN(canary)
		p, index := &one, one.Index()
		type holder struct {
			ID  int
			MRN MRN
		}
		type named MRN
		shapes := []any{
			one, p, &p, index, &index, []MRN{one}, []*MRN{p, nil}, &[]MRN{one}, [1]MRN{one}, [][]MRN{{one}}, []any{one}, []any{p},
			map[string]MRN{"k": one}, map[string]any{"k": one}, holder{1, one}, &holder{1, one}, []holder{{1, one}}, named(one),
			sql.Null[MRN]{V: one, Valid: true}, pgtype.FlatArray[MRN]{one}, pgtype.Array[MRN]{Elements: []MRN{one}, Dims: []pgtype.ArrayDimension{{Length: 1, LowerBound: 1}}, Valid: true},
			pgtype.CompositeFields{1, one}, pgtype.Range[MRN]{Lower: one, Upper: one, LowerType: pgtype.Inclusive, UpperType: pgtype.Inclusive, Valid: true},
			func() MRN { return one }, pgx.NamedArgs{"x": one}, pgx.StructArgs(holder{1, one}), pgx.StrictNamedArgs{"mrn": one},
			[]MRNIndex{index}, []any{index, one},
		}
		for name, db := range map[string]interface {
			execer
			CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
		}{"plain": plain, "codec": codec, "Wrap": pgxcrypt.Wrap(plain, fc), "both": pgxcrypt.Wrap(codec, fc)} {
			for _, shape := range shapes {
				for _, typ := range []string{"bytea", "text", "jsonb", "json", "bytea[]", "text[]", "fieldcrypt_value", "int", "varchar", "unknown", "patients", "uuid", "timestamptz", "hstore"} {
					for _, placeholder := range []string{"$1", "@x", "@MRN"} {
						got, err := query(db, func(row pgx.CollectableRow) (string, error) {
							return fmt.Sprintf("%q", row.RawValues()), nil
						}, "SELECT "+placeholder+"::"+typ, shape)
						told := fmt.Sprintf("%q %v %+v %#v", got, err, err, err)
						if form := drivertest.FindCanary([]byte(told)); form != "" {
							t.Fatalf("%s: a %T sent as %s came out: %s: %s", name, shape, typ, form, told)
						}
					}
				}
			}
			for _, shape := range shapes {
				for _, column := range []string{"ward", "mrn", "mrn_bidx", "id"} {
					n, err := db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{column}, pgx.CopyFromRows([][]any{{shape}}))
					if form := drivertest.FindCanary(fmt.Appendf(nil, "%v %+v %#v", err, err, err)); form != "" {
						t.Errorf("%s: COPY of a %T to %s (%d rows): the canary is in the error: %s", name, shape, column, n, form)
					}
				}
			}
		}
		rows := collect(t, plain, func(row pgx.CollectableRow) (string, error) {
			return fmt.Sprintf("%s", row.RawValues()), nil
		}, "SELECT ward, mrn::bytea, mrn_bidx FROM patients")
		if form := drivertest.FindCanary(fmt.Append(nil, rows)); form != "" {
			t.Errorf("the canary is in the table: %s", form)
		}
	})
}
