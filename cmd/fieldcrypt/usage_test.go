package main

import (
	"strings"
	"testing"
)

func TestWrongUseIsExplained(t *testing.T) {
	const (
		db  = "--database=sqlite:test.db"
		kek = "--kek=local:test.key"
	)
	for _, tc := range []struct{ line, says string }{
		{"", "which command?"},
		{"keys", "which command?"},
		{"key list", `unknown command "key" (did you mean keys?)`},
		{"keys crate medical " + db, `unknown command "crate" (did you mean create?)`},
		{"help keys crate", `there is no command "keys crate"`},
		{"completion tcsh", `unknown command "tcsh"`},
		{"version now", "fieldcrypt version"},
		{"keys list --jsn", "unknown flag: --jsn"},
		{"keys list medical", "keys list"},
		{"keys list", "Set FIELDCRYPT_DATABASE_URL, or give --database"},
		{"keys list --database app.db", "--database is no database URL"},
		{"keys list --database sqlite:", "the path is missing"},
		{"keys list --database sqlite://app.db", "sqlite:///PATH"},
		{"keys list --database file:app.db?%zz", "do not parse"},
		{"keys list --database postgres://127.0.0.1:1/x?sslmode=maybe", "sslmode"},
		{"keys list --database postgres://127.0.0.1:port/x", "percent-encode"},
		{"keys list --kek env:K " + db, "--kek goes with --verify"},
		{"keys list --verify " + db, "which KMS key? Give --kek"},
		{"keys ddl --dialect mysql", "--dialect is postgres or sqlite"},
		{"keys show " + db, "which scope?"},
		{"keys show a b " + db, "at most 1"},
		{"keys show Medical " + db, "[a-z][a-z0-9_-]{0,62}"},
		{"keys show medical/ " + db, "the tenant is missing"},
		{"keys show medical/a/b " + db, "a tenant must match"},
		{"keys create " + kek + " " + db, "which scope?"},
		{"keys create medical medical " + kek + " " + db, "medical is named twice"},
		{"keys create medical " + db, "which KMS key? Give --kek"},
		{"keys create medical --tenant-context md5 " + kek + " " + db, "--tenant-context is plain or sha256"},
		{"keys create medical --kek local:none.key " + db, "--create-key-file makes one"},
		{"keys create medical --kek local://none.key " + db, "local:///PATH"},
		{"keys create medical --kek local-kms://abc " + db, "say where the key is"},
		{"keys create medical --kek env:FIELDCRYPT_NO_KEY " + db, "FIELDCRYPT_NO_KEY"},
		{"keys create medical --kek vault:x " + db, "that is no KEK"},
		{"keys create medical --kek aws-kms:///alias/x " + db, "which region? Add ?region=REGION"},
		{"keys create medical --kek aws-kms:///a+b?region=eu-west-1 " + db, "is not a key id"},
		{"keys create medical --kek aws-kms://arn:aws:s3:::x " + db, "which region?"},
		{"keys create medical --kek local:made.key --kek local:made.key --create-key-file " + db, "twice"},
		{"keys create medical --actor a\x1bb " + kek + " " + db, "printable"},
		{"keys add " + kek + " " + db, "which scope? Name one"},
		{"keys add a b " + kek + " " + db, "which scope? Name one"},
		{"keys add medical " + db, "which KMS key? Give --kek"},
		{"keys add medical --purpose sign " + kek + " " + db, "--purpose is seal or index"},
		{"keys promote medical " + kek + " " + db, "which key? Name the scope and the key's id"},
		{"keys promote medical x " + kek + " " + db, `"x" is no key id`},
		{"keys promote medical 0 " + kek + " " + db, `"0" is no key id`},
		{"keys promote medical 4294967296 " + kek + " " + db, "is no key id"},
		{"keys promote medical 0x1ffffffff " + kek + " " + db, "is no key id"},
		{"keys promote Medical 1 " + kek + " " + db, "[a-z][a-z0-9_-]{0,62}"},
		{"keys promote medical 1 --max-age 0 " + kek + " " + db, "--max-age must be positive"},
		{"keys promote medical 1 --max-age soon " + kek + " " + db, "invalid"},
		{"keys enable medical " + kek + " " + db, "which key?"},
		{"keys disable medical 1 " + kek + " " + db, "why may the key go?"},
		{"keys disable medical 1 --override= --proof=x " + kek + " " + db, "open x"},
		{"keys disable medical 1 --override=y --proof=x " + kek + " " + db, "not both"},
		{"keys disable medical 1 --proof none.json " + kek + " " + db, "none.json"},
		{"keys destroy medical 1 --execute " + kek + " " + db, "why may the key go?"},
		{"keys destroy-scope " + kek + " " + db, "which scope? Name one"},
		{"keys destroy-scope notes/acme " + kek + " " + db, "--reason is missing"},
		{"keys destroy-scope notes/acme --reason x --confirm notes --execute " + kek + " " + db, "--confirm names"},
		{"keys destroy-scope notes/acme --reason x --max-age -1s " + kek + " " + db, "--max-age must be positive"},
		{"keys rewrap medical " + db, "which KMS key? Give --kek"},
		{"keys rewrap medical --tenant-context md5 --kek env:K " + db, "--tenant-context is plain or sha256"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			r := newCLI(t).code(exitUsage, strings.Fields(tc.line)...)
			r.has(t, tc.says)
			if r.out != "" {
				t.Errorf("on stdout: %s", r.out)
			}
		})
	}
}

func TestAWSKeyURIs(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	for uri, want := range map[string]awsKey{
		"aws-kms:///alias/medical-key?region=eu-west-1": {id: "alias/medical-key", region: "eu-west-1"},
		"aws-kms:///alias/medical-key":                  {id: "alias/medical-key"},
		"aws-kms:///1234abcd":                           {id: "1234abcd"},
		"aws-kms://" + arn:                              {id: arn, region: "eu-west-1"},
		"aws-kms:///alias/x?endpoint=http://127.0.0.1:4566&region=eu-west-1": {
			id: "alias/x", region: "eu-west-1", endpoint: "http://127.0.0.1:4566"},
		"aws-kms:///alias/x?endpoint=https%3A%2F%2F%5B%3A%3A1%5D%3A4566": {id: "alias/x", endpoint: "https://[::1]:4566"},
	} {
		if got, err := parseAWSKey(uri); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", uri, got, err)
		}
	}
	for _, uri := range []string{
		"aws-kms:", "aws-kms://", "aws-kms:///", "aws-kms:alias/x", "aws-kms://alias/x", "aws-kms://arn:aws:kms",
		"aws-kms://" + arn + "?region=us-east-1", "aws-kms:///alias/x?region=", "aws-kms:///alias/x?region=a&region=b",
		"aws-kms:///alias/x?profile=p", "aws-kms:///alias/x?region=%zz", "aws-kms:///alias/x?endpoint=http://kms.example.com",
		"aws-kms:///alias/x?endpoint=http://u:p@127.0.0.1", "aws-kms:///alias/x?endpoint=127.0.0.1:80", "aws-kms:///alias/x?endpoint=ftp://127.0.0.1",
	} {
		if got, err := parseAWSKey(uri); err == nil {
			t.Errorf("%s: taken as %+v", uri, got)
		}
	}
}

func TestNoSecretIsEverPrinted(t *testing.T) {
	const canary = "s3cr3tCanary"
	for _, url := range []string{
		"postgres://app:" + canary + "@127.0.0.1:1/x",
		"postgres://app:" + canary + "%zz@127.0.0.1:1/x",
		"postgres://app:12/" + canary + "@127.0.0.1:1/x",
		"postgres://app:" + canary + "@127.0.0.1:port/x",
		"postgres://app@127.0.0.1:1/x?password=" + canary,
		"postgres://app@127.0.0.1:1/x?pass%77ord=" + canary,
		"postgres://app@127.0.0.1:1/x?sslpassword=" + canary + "&sslmode=maybe",
		"postgres:host=127.0.0.1 password=" + canary,
		"host=127.0.0.1 port=1 password=" + canary,
		"mysql://app:" + canary + "@127.0.0.1/x",
		canary,
	} {
		c := newCLI(t)
		byFlag := c.code(exitUsage, "keys", "list", "--database", url)
		t.Setenv(databaseVariable, url)
		byVariable := c.run("keys", "list")
		if byVariable.code != exitUsage && byVariable.code != exitIncomplete {
			t.Errorf("exit code %d", byVariable.code)
		}
		for _, r := range []result{byFlag, byVariable} {
			if strings.Contains(r.out+r.err, canary) {
				t.Errorf("%s: printed:\n%s%s", url, r.out, r.err)
			}
		}
	}
	c := newSQLite(t)
	t.Setenv("CANARY_KEY", "fieldcrypt-kek-v1:"+canary)
	for _, kek := range []string{
		"fieldcrypt-kek-v1:" + canary, "env:fieldcrypt-kek-v1:" + canary, "env:CANARY_KEY", canary,
	} {
		if r := c.code(exitUsage, "keys", "create", "medical", "--kek", kek); strings.Contains(r.out+r.err, canary) {
			t.Errorf("%s: printed:\n%s%s", kek, r.out, r.err)
		}
	}
	text := withoutPasswords("dial postgres://app:" + canary + "@host/x failed; aws-kms://arn:aws:kms:eu-west-1:1:key/2")
	if want := "dial postgres://app:xxxxx@host/x failed; aws-kms://arn:aws:kms:eu-west-1:1:key/2"; text != want {
		t.Errorf("got %s", text)
	}
}

// A password in the arguments shows in the list of processes.
func TestAPasswordInTheArgumentsIsRefused(t *testing.T) {
	c := newCLI(t)
	for _, url := range []string{"postgres://app:pw@127.0.0.1:1/x", "postgresql://app@127.0.0.1:1/x?password=pw"} {
		c.code(exitUsage, "keys", "list", "--database", url).has(t, "put the URL into FIELDCRYPT_DATABASE_URL")
	}
	c.code(exitIncomplete, "keys", "list", "--database", "postgres://app@127.0.0.1:1/x?sslmode=disable").has(t, "check the database URL")
}
