package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// createNotes makes the scopes of n tenants.
func (c cli) createNotes(n int, kek string) {
	c.t.Helper()
	args := []string{"keys", "create"}
	for i := range n {
		args = append(args, fmt.Sprintf("notes/t%02d", i))
	}
	c.ok(append(args, "--kek", kek)...)
}

func count(kms *awskmstest.Server) map[string]int {
	counts := map[string]int{}
	for _, call := range kms.Calls() {
		counts[call.Operation]++
	}
	return counts
}

func TestRewrapOfAllScopes(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	c.ok("keys", "create", "medical", "finance", "notes", "--kek", medical)
	c.createNotes(3, medical) // "notes" has keys of its own and those of tenants
	rewrap := []string{"keys", "rewrap", "--all", "--from", medical, "--kek", newer}

	c.ok(rewrap...).has(t, "planned    finance\n", "planned    notes/t02\n", "6 scopes: 6 would be rewrapped\n", "dry run")
	if got := c.list(); slices.ContainsFunc(got, func(v scopeView) bool { return v.KEKs[0].URI != medical }) {
		t.Errorf("the dry run has changed something: %+v", got)
	}
	c.ok(append(rewrap, "--domain", "notes", "--execute")...).
		has(t, "rewrapped  notes\n", "rewrapped  notes/t02\n", "4 scopes: 4 rewrapped and verified\n")
	if c.kekURI("medical") != medical || c.kekURI("notes") != newer || c.kekURI("notes/t01") != newer {
		t.Error("--domain")
	}
	c.ok(append(rewrap, "--execute", "--concurrency", "2", "--rate", "1000")...).
		has(t, "6 scopes: 2 rewrapped and verified, 4 unchanged\n")
	c.ok("keys", "list", "--verify", "--kek", newer)

	kms.ResetCalls()
	r := c.ok("keys", "rewrap", "--all", "--execute", "--without-opening", "--from", newer, "--kek", medical)
	r.has(t, "6 scopes: 6 rewrapped without opening them\n")
	if got := count(kms); got["ReEncrypt"] != 12 || got["Decrypt"]+got["Encrypt"]+got["GenerateDataKey"] != 0 {
		t.Errorf("KMS calls: %v", got)
	}
	c.ok("keys", "list", "--verify", "--kek", medical)
	c.ok("keys", "rewrap", "medical", "--execute", "--without-opening", "--from", medical, "--kek", newer).
		has(t, "medical (version 1): rewrapped inside the KMS, not opened")

	c.code(exitRefused, append(rewrap, "--domain", "none")...).has(t, `none of domain "none"`)
}

func TestRewrapOfAllToAKeyThatIsYetToBeMade(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "notes/a", "--kek", "local:old.key", "--create-key-file")
	rewrap := []string{"keys", "rewrap", "--all", "--from", "local:old.key", "--kek", "local:new.key", "--create-key-file"}
	c.ok(rewrap...).has(t, "2 scopes: 2 would be rewrapped")
	if _, err := os.Stat("new.key"); !os.IsNotExist(err) {
		t.Errorf("the dry run made a file: %v", err)
	}
	c.ok(append(rewrap, "--execute")...).has(t, "2 rewrapped and verified")
	c.ok("keys", "list", "--verify", "--kek", "local:new.key")
}

func TestRewrapOfAllKeepsTenantContexts(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "notes/a", "--kek", "local:old.key", "--create-key-file")
	c.ok("keys", "create", "notes/b", "--tenant-context", "sha256", "--kek", "local:old.key")
	rewrap := []string{"keys", "rewrap", "--all", "--from", "local:old.key", "--kek", "local:new.key", "--create-key-file", "--execute"}
	c.ok(rewrap...)
	contexts := func() string {
		return c.show("notes/a").KEKs[0].TenantContext + " " + c.show("notes/b").KEKs[0].TenantContext
	}
	if contexts() != "plain sha256" {
		t.Error(contexts())
	}
	c.ok(append(rewrap, "--tenant-context", "sha256")...).has(t, "2 scopes: 1 rewrapped and verified, 1 unchanged")
	if contexts() != "sha256 sha256" {
		t.Error(contexts())
	}
}

func TestRewrapOfAllGoesOnAfterFailures(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	const finance = "aws-kms:///alias/finance-key?region=" + region
	c.createNotes(4, medical)
	c.ok("keys", "create", "finance", "--kek", finance)
	rewrap := []string{"keys", "rewrap", "--all", "--from", medical, "--from", finance, "--kek", newer, "--execute"}
	kms.Deny("alias/finance-key")
	c.code(exitFailures, rewrap...).
		has(t, "failed     finance: ", "AccessDenied", "5 scopes: 4 rewrapped and verified, 1 failed\n", "run the same command again")

	r := c.code(exitFailures, append(rewrap, "--json")...)
	var outcomes []string
	var last struct{ Sums sumsView }
	for line := range strings.Lines(r.out) {
		var v rewrapView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if v.Scope != "" {
			outcomes = append(outcomes, v.Scope+" "+v.Outcome)
			if (v.Outcome == "failed") != (v.Problem != "" && strings.Contains(v.Class, "denied")) {
				t.Errorf("%+v", v)
			}
		}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(outcomes)
	want := []string{"finance failed", "notes/t00 unchanged", "notes/t01 unchanged", "notes/t02 unchanged", "notes/t03 unchanged"}
	if !slices.Equal(outcomes, want) || last.Sums.Failed != 1 || last.Sums.Unchanged != 4 || last.Sums.Scopes != 5 || !last.Sums.Complete {
		t.Errorf("%v\n%+v", outcomes, last)
	}
	kms.Recover()
	c.ok(rewrap...).has(t, "5 scopes: 1 rewrapped and verified, 4 unchanged\n")
	c.ok("keys", "list", "--verify", "--kek", newer)
}

func TestRewrapUnderAnAliasThatHasMoved(t *testing.T) {
	c := newSQLite(t)
	server := c.kms()
	c.ok("keys", "create", "medical", "finance", "--kek", medical)
	c.createNotes(2, medical)
	alias := "alias/medical-key"
	client := server.Client()
	was, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &alias})
	if err != nil {
		t.Fatal(err)
	}
	same := []string{"keys", "rewrap", "medical", "--kek", medical}
	c.ok(same...).has(t, "medical (version 1): nothing to do")
	c.ok(append(same, "--execute")...).has(t, "medical (version 1): nothing to do")

	now := server.CreateKey()
	if _, err := client.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: &now}); err != nil {
		t.Fatal(err)
	}
	old := []string{"--from", "aws-kms://" + *was.KeyMetadata.Arn}
	for _, how := range [][]string{nil, {"--execute"}, {"--execute", "--without-opening"}} {
		c.code(exitRefused, append(same, how...)...).has(t, "wrapped by a key that the alias no longer names", now)
		c.code(exitFailures, append([]string{"keys", "rewrap", "--all", "--kek", medical}, how...)...).
			has(t, "wrapped by a key that the alias no longer names", now, "4 failed, 4 wrapped by a key that the alias no longer named")
	}
	c.ok(append(same, old...)...).has(t, "medical (version 1): would be rewrapped", "no longer names; it names aws-kms://"+now)
	c.ok(append(append(same, old...), "--execute")...).has(t, "medical (version 1): rewrapped and verified", "no longer names; it names aws-kms://"+now)
	all := append([]string{"keys", "rewrap", "--all", "--kek", medical}, old...)
	c.ok(all...).has(t, "4 scopes: 3 would be rewrapped, 1 unchanged, 3 wrapped by a key that the alias no longer named")
	c.ok(append(all, "--execute", "--without-opening")...).has(t, "4 scopes: 3 rewrapped without opening them, 1 unchanged")
	c.ok("keys", "list", "--verify", "--kek", medical)
}

func TestRewrapFlagsThatWouldHaveNoEffect(t *testing.T) {
	c := newSQLite(t)
	for _, args := range [][]string{
		{"medical", "--all"},
		{"medical", "--domain", "medical"},
		{"medical", "--concurrency", "2"},
		{"medical", "--rate", "2"},
		{"medical", "--json"},
		{"--all", "--concurrency", "0"},
		{"--all", "--rate", "-1"},
		{},
	} {
		c.code(exitUsage, append([]string{"keys", "rewrap", "--kek", medical}, args...)...)
	}
	c.code(exitUsage, "keys", "rewrap", "--all")
}

// process starts the program as a process of its own, and returns its stderr.
func (c cli) process(args ...string) (*exec.Cmd, *bufio.Scanner) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return cmd, bufio.NewScanner(stderr)
}

func (c cli) wrappedUnder(kek string) (n int) {
	for _, v := range c.list() {
		if v.KEKs[0].URI == kek {
			n++
		}
	}
	return n
}

var rewrapAll = []string{"keys", "rewrap", "--all", "--from", medical, "--kek", newer, "--concurrency", "3", "--execute"}

func TestCtrlCFinishesTheScopesUnderWay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals there")
	}
	c := newSQLite(t)
	kms := c.kms()
	c.createNotes(10, medical)
	arrived, _ := kms.Hang()
	cmd, stderr := c.process(rewrapAll...)
	for range 3 {
		<-arrived
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	stderr.Scan()
	if !strings.Contains(stderr.Text(), "the scopes under way are being finished") {
		t.Error(stderr.Text())
	}
	kms.Recover()
	var rest strings.Builder
	for stderr.Scan() {
		rest.WriteString(stderr.Text() + "\n")
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitIncomplete || !strings.Contains(rest.String(), "run the command again for the rest") {
		t.Errorf("%v\n%s", err, &rest)
	}
	// Each of the three workers finishes its scope, and may have got hold of one
	// more before the end was seen.
	done := c.wrappedUnder(newer)
	if done < 3 || done > 6 {
		t.Errorf("%d scopes were rewrapped", done)
	}
	c.ok(rewrapAll...).has(t, fmt.Sprintf("10 scopes: %d rewrapped and verified, %d unchanged", 10-done, done))
	c.ok("keys", "list", "--verify", "--kek", newer)
}

func TestRewrapOfAllIsResumedAfterAKill(t *testing.T) {
	c := newSQLite(t)
	kms := c.kms()
	kms.SetLatency(5 * time.Millisecond) // so that the kill comes in between
	c.createNotes(12, medical)
	for _, lines := range []int{1, 2, 3} {
		before := c.wrappedUnder(newer)
		cmd := exec.CommandContext(t.Context(), os.Args[0], rewrapAll...)
		cmd.Env = append(os.Environ(), asMain+"=1")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := 0
		for out := bufio.NewScanner(stdout); out.Scan(); {
			if strings.HasPrefix(out.Text(), "rewrapped  ") {
				told++
			}
			if told == lines {
				cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		// What it told of is done, every scope opens, and nothing is done twice.
		if done := c.wrappedUnder(newer) - before; done < told || told < min(lines, 12-before) {
			t.Errorf("told of %d scopes, %d are done", told, done)
		}
		c.ok("keys", "list", "--verify", "--kek", medical, "--kek", newer)
	}
	done := c.wrappedUnder(newer)
	kms.SetLatency(0)
	rest := 12 - done
	kms.ResetCalls()
	c.ok(rewrapAll...)
	if got := count(kms); got["ReEncrypt"] != rest {
		t.Errorf("%d scopes were left: %v", rest, got)
	}
	c.ok("keys", "list", "--verify", "--kek", newer)
}
