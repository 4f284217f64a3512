package fieldcrypttest

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// definitions lists what is written down beside tables, each with what it is of:
// defaults, expressions of indexes, views, functions, comments and the like. Those
// of Postgres itself have lower ids.
const definitions = `SELECT pg_describe_object(class::oid, id, sub), said FROM (
	SELECT 'pg_attrdef'::regclass AS class, oid AS id, 0 AS sub, pg_get_expr(adbin, adrelid) AS said FROM pg_attrdef
	UNION ALL SELECT 'pg_class', indexrelid, 0, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid >= 16384
	UNION ALL SELECT 'pg_class', oid, 0, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relpartbound IS NOT NULL
	UNION ALL SELECT 'pg_constraint', oid, 0, pg_get_constraintdef(oid) FROM pg_constraint WHERE oid >= 16384
	UNION ALL SELECT 'pg_rewrite', oid, 0, pg_get_ruledef(oid) FROM pg_rewrite WHERE oid >= 16384
	UNION ALL SELECT 'pg_trigger', oid, 0, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
	UNION ALL SELECT 'pg_policy', oid, 0, concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
	UNION ALL SELECT 'pg_proc', oid, 0, concat_ws(' ', pg_get_function_arguments(oid), prosrc, pg_get_function_sqlbody(oid)) FROM pg_proc WHERE oid >= 16384
	UNION ALL SELECT 'pg_type', enumtypid, 0, enumlabel FROM pg_enum WHERE enumtypid >= 16384
	UNION ALL SELECT 'pg_type', oid, 0, typdefault FROM pg_type WHERE oid >= 16384
	UNION ALL SELECT 'pg_statistic_ext', oid, 0, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
	UNION ALL SELECT 'pg_database', setdatabase, 0, setconfig::text FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
	UNION ALL SELECT 'pg_database', oid, 0, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()
	UNION ALL SELECT classoid, objoid, objsubid, description FROM pg_description WHERE objoid >= 16384
) AS all_of_them WHERE said IS NOT NULL`

func (s *search) searchDefinitions(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, definitions)
	if err != nil {
		return err
	}
	var of, said string
	_, err = pgx.ForEachRow(rows, []any{&of, &said}, func() error {
		s.look("what is said of "+of, []byte(said))
		return nil
	})
	return err
}
