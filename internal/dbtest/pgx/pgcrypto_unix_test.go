//go:build unix

package pgx_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
)

// BenchmarkPgcrypto puts pgxcrypt beside pgp_sym_encrypt with aes256, as it comes
// and with s2k-mode=1, which makes the key of the password by one hash: insert,
// read, and look up by equality, for which pgcrypto has to decrypt every row. What
// counts is the CPU of client and server together. A look-up by pgcrypto costs more
// the more rows there are.
func BenchmarkPgcrypto(b *testing.B) {
	const theirLookups, ourLookups = 3, 300 // a statement's first costs more: it is planned
	for _, c := range []struct {
		name, options string
		rows          int
	}{
		{"s2k-mode=1", "cipher-algo=aes256, s2k-mode=1", benchRows},
		{"default", "cipher-algo=aes256", benchRows / 10}, // of all rows one round would take minutes
	} {
		b.Run(c.name, func(b *testing.B) {
			x := newBench(b)
			exec(b, x.db, "CREATE EXTENSION pgcrypto; CREATE TABLE pgcrypto_bench (id bigint, name bytea, mrn bytea, notes bytea)")
			x.plain, x.sealed = x.plain[:c.rows], x.sealed[:c.rows]
			insert := fmt.Sprintf("INSERT INTO pgcrypto_bench VALUES (@id, pgp_sym_encrypt(@name, 'key', '%[1]s'), pgp_sym_encrypt(@mrn, 'key', '%[1]s'), pgp_sym_encrypt(@notes, 'key', '%[1]s'))", c.options)
			read := "SELECT id, pgp_sym_decrypt(name, 'key') AS name, pgp_sym_decrypt(mrn, 'key') AS mrn, pgp_sym_decrypt(notes, 'key') AS notes FROM pgcrypto_bench"
			var theirs, ours [3]cost
			n := 0
			for b.Loop() {
				exec(b, x.db, "TRUNCATE pgcrypto_bench, sealed_bench")
				theirs[0].add(x.measure(func() error {
					batch := &pgx.Batch{}
					for i := range x.plain {
						batch.Queue(insert, pgx.StructArgs(&x.plain[i]))
					}
					return x.db.SendBatch(ctx, batch).Close()
				}))
				ours[0].add(x.measure(func() error {
					batch := &pgx.Batch{}
					for i := range x.sealed {
						batch.Queue(insertSealedBench, pgxcrypt.Args(x.fc, &x.sealed[i]))
					}
					return x.db.SendBatch(ctx, batch).Close()
				}))
				theirs[1].add(x.measure(func() error { return second(query(x.db, pgx.RowToStructByName[plainBench], read)) }))
				ours[1].add(x.measure(func() error {
					return second(query(x.db, pgxcrypt.RowToStructByName[sealedBench](ctx, x.fc), "SELECT * FROM sealed_bench"))
				}))
				exec(b, x.db, "ANALYZE pgcrypto_bench, sealed_bench")
				for i := range theirLookups {
					mrn := x.plain[i*7].MRN
					theirs[2].add(x.measure(func() error {
						return one(query(x.db, pgx.RowToStructByName[plainBench], read+" WHERE pgp_sym_decrypt(mrn, 'key') = $1", mrn))
					}))
				}
				ours[2].add(x.measure(func() error {
					for i := range ourLookups {
						terms, err := pgxcrypt.Eq[sealedBench](ctx, x.fc, "mrn", x.plain[i].MRN)
						if err != nil {
							return err
						}
						if err := one(query(x.db, pgxcrypt.RowToStructByName[sealedBench](ctx, x.fc), "SELECT * FROM sealed_bench WHERE mrn_bidx = ANY($1)", terms)); err != nil {
							return err
						}
					}
					return nil
				}))
				n++
			}
			b.ReportMetric(0, "ns/op")
			for i, what := range []string{"insert", "read", "look-up"} {
				per := map[string]int{"pgcrypto": n * c.rows, "fieldcrypt": n * c.rows}
				if what == "look-up" { // of one row each
					per = map[string]int{"pgcrypto": n * theirLookups, "fieldcrypt": n * ourLookups}
				}
				for who, c := range map[string]cost{"pgcrypto": theirs[i], "fieldcrypt": ours[i]} {
					b.ReportMetric(float64((c.client+c.server).Nanoseconds())/1000/float64(per[who]), fmt.Sprintf("%s-%s-µs/row", who, what))
				}
			}
		})
	}
}

// one wants one row.
func one[T any](list []T, err error) error {
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d rows", len(list))
	}
	return err
}
