DO $$ BEGIN
	CREATE DOMAIN fieldcrypt_value AS bytea CHECK (octet_length(VALUE) >= 36 AND substring(VALUE FROM 1 FOR 2) = '\xfc01'::bytea);
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
ALTER TABLE "patients" ADD COLUMN IF NOT EXISTS "mrn" fieldcrypt_value;
ALTER TABLE "patients" ADD COLUMN IF NOT EXISTS "mrn_bidx" bytea;
ALTER TABLE "patients" ADD COLUMN IF NOT EXISTS "notes" fieldcrypt_value;
DO $fieldcrypt$ DECLARE col text; want text; live text; BEGIN
	FOR col, want IN VALUES ('mrn', 'fieldcrypt_value'), ('mrn_bidx', 'bytea'), ('notes', 'fieldcrypt_value') LOOP
		SELECT t.typname INTO live FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
			WHERE a.attrelid = '"patients"'::regclass AND a.attname = col AND NOT a.attisdropped;
		IF live = 'bytea' AND want = 'fieldcrypt_value' THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE fieldcrypt_value', '"patients"', col);
		ELSIF live <> want THEN
			RAISE EXCEPTION 'fieldcrypt: column %.% is of type %, not %; plaintext is never converted in place: add a column beside it', '"patients"', col, live, want;
		END IF;
	END LOOP;
END $fieldcrypt$;
CREATE UNIQUE INDEX IF NOT EXISTS "idx_patients_mrn_bidx" ON "patients" ("mrn_bidx");
ALTER TABLE "visits" ADD COLUMN IF NOT EXISTS "reason" fieldcrypt_value;
DO $fieldcrypt$ DECLARE col text; want text; live text; BEGIN
	FOR col, want IN VALUES ('reason', 'fieldcrypt_value') LOOP
		SELECT t.typname INTO live FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
			WHERE a.attrelid = '"visits"'::regclass AND a.attname = col AND NOT a.attisdropped;
		IF live = 'bytea' AND want = 'fieldcrypt_value' THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE fieldcrypt_value', '"visits"', col);
		ELSIF live <> want THEN
			RAISE EXCEPTION 'fieldcrypt: column %.% is of type %, not %; plaintext is never converted in place: add a column beside it', '"visits"', col, live, want;
		END IF;
	END LOOP;
END $fieldcrypt$;
