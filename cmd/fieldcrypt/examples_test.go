package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

// needs are the commands that come before the examples of a command, each on
// the two databases that examples name.
var needs = map[string][]string{
	"keys create": {},
	"keys list":   {"keys create medical --kek " + medical},
	"keys show":   {"keys create medical notes/acme --kek " + medical},
	"keys rewrap": {"keys create medical --kek " + medical},
	"keys add":    {"keys create medical --kek " + medical},

	"keys instances":     {},
	"keys forget":        {},
	"keys destroy-scope": {"keys create notes/acme --kek " + medical},
}

// exampleKey is the key id in examples. keyFor makes the key that a command's
// examples speak of, with the file proof.json.
const exampleKey = "1122334455"

var keyFor = map[string]keymgr.KeyState{
	"keys promote": keymgr.StatePending,
	"keys disable": keymgr.StateActive,
	"keys enable":  keymgr.StateDisabled,
	"keys destroy": keymgr.StateDisabled,
}

// exampleJob is the job id in examples.
const exampleJob = "k3v5xq2m7d4fzq6a"

func ofMigration(path string) bool {
	first, _, _ := strings.Cut(path, " ")
	return slices.Contains([]string{"migrate", "rotate", "census", "verify", "manifest", "doctor"}, first)
}

// exampleClinic makes the clinic that the examples of migrations speak of, in
// env.db, with an old key and a job.
func (c cli) exampleClinic(path string) (key, job string) {
	c.t.Helper()
	c.ok("ddl", "--execute")
	key = fmt.Sprint(c.oldKey("sqlite:env.db", medical, keymgr.StateActive))
	c.must(makeClinic(c.t.Context(), "sqlite:env.db", medical, "fieldcrypt.json", 20))
	c.must(os.WriteFile("fieldcrypt.yaml", []byte(configText(medical)+"max_age: 1s\n"), 0o600))
	started := c.ok("migrate", "start", "reencrypt", "--execute", "--config", "fieldcrypt.yaml").out
	if words := strings.Fields(started); len(words) > 1 {
		job = words[1]
	}
	if strings.HasPrefix(path, "migrate failures") || path == "migrate retire" || path == "rotate" {
		c.ok("migrate", "work", "--config", "fieldcrypt.yaml")
	}
	return key, job
}

func TestEveryExampleRuns(t *testing.T) {
	for _, cmd := range verbs(newRoot(io.Discard, io.Discard)) {
		path := strings.TrimPrefix(cmd.CommandPath(), "fieldcrypt ")
		t.Run(path, func(t *testing.T) {
			examples := commandLines(t, cmd.Example)
			if len(examples) == 0 {
				t.Fatal("no example")
			}
			c := newCLI(t)
			c.kms()
			t.Setenv(databaseVariable, "sqlite:env.db")
			if before, ok := needs[path]; ok {
				c.ok("keys", "migrate")
				c.ok("keys", "migrate", "--database", "sqlite:app.db")
				for _, line := range before {
					c.ok(strings.Fields(line)...)
				}
			}
			key, job := exampleKey, exampleJob
			if ofMigration(path) {
				key, job = c.exampleClinic(path)
			}
			if state, ok := keyFor[path]; ok {
				c.ok("keys", "migrate")
				key = fmt.Sprint(c.oldKey("sqlite:env.db", medical, state))
				c.writeProof("proof.json", c.proof("medical", key))
			}
			if path == "keys forget" {
				c.exampleInstance("env.db")
			}
			for _, args := range examples {
				for i, arg := range args {
					switch arg {
					case exampleKey:
						args[i] = key
					case exampleJob:
						args[i] = job
					}
				}
				c.ok(args...)
			}
		})
	}
}

func TestHelpIsForEveryCommand(t *testing.T) {
	c := newCLI(t)
	for _, cmd := range verbs(newRoot(io.Discard, io.Discard)) {
		words := strings.Fields(cmd.CommandPath())[1:]
		byFlag, byVerb := c.ok(append(words, "--help")...), c.ok(append([]string{"help"}, words...)...)
		byFlag.has(t, cmd.Example, "Usage:\n  "+cmd.CommandPath())
		if byFlag.err != "" || byFlag.out != byVerb.out {
			t.Errorf("%s: help in two versions, or on stderr", cmd.CommandPath())
		}
	}
}

// verbs are the commands that do something, but for cobra's own.
func verbs(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var list []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.Name() != "completion" && sub.Name() != "help" {
			list = append(list, verbs(sub)...)
		}
	}
	return list
}

// commandLines splits an example into commands and their arguments, as a shell
// does with comments, single quotes and continued lines.
func commandLines(t *testing.T, example string) [][]string {
	t.Helper()
	var list [][]string
	for line := range strings.SplitSeq(strings.ReplaceAll(example, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var words []string
		for i, part := range strings.Split(line, "'") {
			if i%2 == 1 {
				words = append(words, part)
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		if words[0] != "fieldcrypt" || strings.ContainsAny(line, "$\"|;&>") && !strings.Contains(line, "'") {
			t.Fatalf("not a plain command of this program: %s", line)
		}
		list = append(list, words[1:])
	}
	return list
}
