package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestKMSThatRefuses(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "medical", "--kek", medical)
	kms.Deny("alias/medical-key-2")
	for _, args := range [][]string{
		{"keys", "create", "finance", "--kek", newer},
		{"keys", "rewrap", "medical", "--from", medical, "--kek", newer, "--execute"},
	} {
		c.code(exitRefused, args...).has(t, "AccessDenied", "kms:GenerateDataKey")
	}
	if got := c.list("--verify", "--kek", medical); len(got) != 1 || !got[0].Verified {
		t.Errorf("after the refusals: %+v", got)
	}
	c.code(exitRefused, "keys", "create", "finance", "--kek", "aws-kms:///alias/none?region="+region).has(t, "NotFound")
}

func TestKMSThatDoesNotAnswer(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "medical", "notes/acme", "--kek", medical)
	kms.Down()
	verify := []string{"--verify", "--kek", medical}
	c.code(exitIncomplete, "keys", "create", "finance", "--kek", medical).has(t, "check the region, the network and the credentials")
	c.code(exitIncomplete, append([]string{"keys", "show", "medical"}, verify...)...)
	c.code(exitIncomplete, append([]string{"keys", "list"}, verify...)...)
	kms.Up()
	c.ok(append([]string{"keys", "list"}, verify...)...)
}

func TestKMSCredentialsThatExpire(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	kms.ExpireCredentials()
	c.code(exitIncomplete, "keys", "create", "medical", "--kek", medical).has(t, "ExpiredToken", "they may have expired")
}

func TestCreateGoesOnWhereItStopped(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	kms.Throttle(0.5) // every second call
	create := []string{"keys", "create", "a", "b", "c", "--kek", medical}
	c.code(exitIncomplete, create...).has(t, "created  a\n", "1 of 3 scopes are made; --if-missing passes over them")
	kms.Recover()
	c.ok(append(create, "--if-missing")...).has(t, "exists   a\ncreated  b\ncreated  c\n")
}

func TestRewrapGoesOnWhereItStopped(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	const finance = "aws-kms:///alias/finance-key?region=" + region
	c.ok("keys", "create", "a", "--kek", medical)
	c.ok("keys", "create", "b", "--kek", finance)
	rewrap := []string{"keys", "rewrap", "a", "b", "--from", medical, "--from", finance, "--kek", newer, "--execute"}
	kms.Deny("alias/finance-key")
	c.code(exitRefused, rewrap...).has(t, "a (version 1): rewrapped and verified")
	kms.Recover()
	c.ok(rewrap...).has(t, "a (version 1): nothing to do", "b (version 1): rewrapped and verified")
	c.ok("keys", "list", "--verify", "--kek", newer)
}

func TestCtrlCStopsCleanly(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "medical", "--kek", medical)
	for _, args := range [][]string{
		{"keys", "create", "finance", "--kek", newer},
		{"keys", "rewrap", "medical", "--from", medical, "--kek", newer, "--execute"},
		{"keys", "list", "--verify", "--kek", medical},
		{"keys", "show", "medical", "--verify", "--kek", medical},
	} {
		arrived, release := kms.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		var out, err bytes.Buffer
		if code := run(ctx, args, &out, &err); code != exitIncomplete || !strings.Contains(err.String(), "interrupted") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, &out, &err)
		}
		release()
		kms.Recover()
	}
	if got := c.list("--verify", "--kek", medical); len(got) != 1 || !got[0].Verified {
		t.Errorf("after the interruptions: %+v", got)
	}
}
