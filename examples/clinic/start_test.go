package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt/devkeys"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func TestFlags(t *testing.T) {
	env := map[string]string{}
	getenv := func(name string) string { return env[name] }
	c, err := parseConfig(nil, getenv)
	if err != nil || c.addr != defaultAddr || c.database != "" || c.data != defaultData || len(c.kmsKeys) != 0 {
		t.Errorf("no flags: %+v, %v", c, err)
	}
	env["DATABASE_URL"], env["MEDICAL_KEY"], env["FINANCE_KEY"] = "postgres://me@localhost/env", "alias/m", "alias/f"
	c, err = parseConfig(nil, getenv)
	if err != nil || c.database != env["DATABASE_URL"] || c.kmsKeys["medical"] != "alias/m" || c.kmsKeys["finance"] != "alias/f" {
		t.Errorf("environment: %+v, %v", c, err)
	}
	c, err = parseConfig([]string{"-database", "postgresql://me@localhost/flag", "-finance-key", "alias/f2"}, getenv)
	if err != nil || c.database != "postgresql://me@localhost/flag" || c.kmsKeys["finance"] != "alias/f2" {
		t.Errorf("flags before environment: %+v, %v", c, err)
	}
	if c, err = parseConfig([]string{"-database", ""}, getenv); err != nil || c.database != "" {
		t.Errorf("an empty flag: %+v, %v", c, err)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-x"}, {"argument"}, {"-addr", "nonsense"}, {"-data", ""}, {"-log", "loud"},
		{"-request-timeout", "0s"}, {"-request-timeout", "5"}, {"-drain-timeout", "-1s"},
		{"-medical-key", "alias/m"}, {"-finance-key", "alias/f"},
		{"-database", "mysql://u:geheim@localhost/x"}, {"-database", "host=localhost password=geheim"},
		{"-database", "postgres://u:geheim@localhost:port/x"},
	} {
		_, err := parseConfig(args, noEnvironment)
		var stderr bytes.Buffer
		if code := report(&stderr, err); code != 2 || !errors.Is(err, errUsage) {
			t.Errorf("%v: exit code %d, %v", args, code, err)
		}
		if strings.Contains(stderr.String(), "geheim") {
			t.Errorf("the password is in the error: %s", stderr.String())
		}
	}
}

func TestKeyFileIsRefusedInProduction(t *testing.T) {
	production := func(name string) string { return map[string]string{devkeys.EnvVariable: "production"}[name] }
	if _, err := parseConfig(nil, production); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
	if _, err := parseConfig([]string{"-medical-key", "alias/m", "-finance-key", "alias/f"}, production); err != nil {
		t.Errorf("with KMS keys: %v", err)
	}
}

// untilListening runs the service until it listens, and then stops it.
func untilListening(t *testing.T, args ...string) (log string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &stopper{stop: cancel}
	err = run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), noEnvironment, out)
	return out.String(), err
}

// stopper is a log that calls stop when the service listens.
type stopper struct {
	screen
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"msg":"listening"`)) {
		s.stop()
	}
	return s.screen.Write(p)
}

func TestLostKeyFileIsAnErrorWithTheCure(t *testing.T) {
	for name, database := range map[string]string{"SQLite": "", "Postgres": pgtest.DB(t)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			flags := []string{"-data", dir, "-database", database}
			if out, err := untilListening(t, flags...); err != nil || !strings.Contains(out, "key file") {
				t.Fatalf("%v: %s", err, out)
			}
			key := filepath.Join(dir, "clinic.key")
			if err := os.Rename(key, key+".away"); err != nil {
				t.Fatal(err)
			}
			_, err := untilListening(t, flags...)
			var stderr bytes.Buffer
			if code := report(&stderr, err); code != 1 || !errors.Is(err, keymgr.ErrKEKNotAllowed) || !strings.Contains(stderr.String(), "put back the key file") {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
			if err := os.Rename(key+".away", key); err != nil {
				t.Fatal(err)
			}
			if out, err := untilListening(t, flags...); err != nil {
				t.Errorf("with the file put back: %v: %s", err, out)
			}
		})
	}
}

func TestKeysAtAWSAreMadeByAnOperator(t *testing.T) {
	srv := awskmstest.Start(t)
	creds := srv.Credentials()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS":  srv.URL(), // where the SDK takes AWS to be
		"AWS_REGION":            srv.Region(),
		"AWS_ACCESS_KEY_ID":     creds.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": creds.SecretAccessKey,
		"AWS_SESSION_TOKEN":     "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"), "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	srv.CreateKey("alias/medical-key")
	srv.CreateKey("alias/finance-key")
	dir := t.TempDir()
	flags := []string{"-data", dir, "-medical-key", "alias/medical-key", "-finance-key", "alias/finance-key"}

	_, err := untilListening(t, flags...)
	var stderr bytes.Buffer
	if code := report(&stderr, err); code != 1 || !errors.Is(err, keymgr.ErrScopeNotFound) || !strings.Contains(stderr.String(), "keys create -h") {
		t.Errorf("without keys: exit code %d: %s", code, stderr.String())
	}
	if got := srv.Count("GenerateDataKey"); got != 0 {
		t.Errorf("the service made %d keys", got)
	}

	cfg, err := parseConfig(flags, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openDatabase(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.sql.Close()
	k, err := openKEKs(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	lazy := keyConfig(db, k, nil)
	lazy.Lazy = true
	operator, err := keymgr.Open(t.Context(), lazy)
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close()
	for domain := range cfg.kmsKeys {
		if err := operator.Create(t.Context(), keymgr.Scope{Domain: domain}); err != nil {
			t.Fatal(err)
		}
	}

	srv.ResetCalls()
	if out, err := untilListening(t, flags...); err != nil {
		t.Errorf("with keys: %v: %s", err, out)
	}
	if got := srv.Count("Decrypt"); got != 2 {
		t.Errorf("%d calls of Decrypt at the start, want one for each domain", got)
	}
	if _, err := os.Stat(cfg.keyFile()); err == nil {
		t.Error("a key file was made")
	}
}
