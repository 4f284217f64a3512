package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestWrongFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"unknown flag":             {"-mysql x", "not defined: -mysql"},
		"argument":                 {"postgres://localhost/test", "unexpected argument"},
		"missing value":            {"-postgres", "needs an argument"},
		"bad Postgres URL":         {"-postgres postgres://u:geheim@[/x", "-postgres"},
		"bad Postgres port":        {"-postgres postgres://u:geheim@localhost:x/y", "-postgres"},
		"kms is no URL":            {"-kms azure", "neither aws nor a URL"},
		"kms without a host":       {"-kms http://", "neither aws nor a URL"},
		"kms over plain http":      {"-kms http://192.0.2.7:4566", "use https"},
		"kek without kms":          {"-kek alias/a", "need -kms"},
		"aws without keys":         {"-kms aws", "needs -kek and -kek2"},
		"aws without a second key": {"-kms aws -kek alias/a", "needs -kek and -kek2"},
		"the same key twice":       {"-kms aws -kek alias/a -kek2 alias/a", "the same key"},
	} {
		t.Run(name, func(t *testing.T) {
			tmp := tempFolder(t)
			out := newScreen()
			err := run(t.Context(), strings.Fields(c.args), out)
			var stderr bytes.Buffer
			if code := report(&stderr, err, false); code != 2 {
				t.Errorf("exit code %d, want 2 (%v)", code, err)
			}
			if !strings.Contains(stderr.String(), c.want) || !strings.Contains(stderr.String(), usage) {
				t.Errorf("stderr %q, want %q and the usage", stderr.String(), c.want)
			}
			if strings.Contains(stderr.String(), "geheim") {
				t.Error("the password is in the error")
			}
			if out.Len() > 0 {
				t.Errorf("something on stdout: %s", out)
			}
			checkEmpty(t, tmp)
		})
	}
}

func TestHelpExplainsEveryFlag(t *testing.T) {
	out := newScreen()
	if err := run(t.Context(), []string{"-h"}, out); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"-postgres", "-kms", "-kek", "-kek2", "-keep", "-h"} {
		if !strings.Contains(out.String(), "\n  "+flag+" ") {
			t.Errorf("%s is not explained", flag)
		}
	}
}

func TestEndpointOnThisMachineIsRecognized(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1:4566": true, "http://localhost:4566": true, "http://[::1]:4566": true,
		"https://kms.eu-west-1.amazonaws.com": false,
	} {
		o, err := parseFlags([]string{"-kms", url})
		if err != nil || o.loopback != want {
			t.Errorf("%s: loopback %t, %v; want %t", url, o.loopback, err, want)
		}
	}
}
