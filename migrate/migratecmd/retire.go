package migratecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

func (c commands) retire() *cobra.Command {
	var (
		limits              limitFlags
		work                workFlags
		every               time.Duration
		out                 string
		keepGuards, execute bool
	)
	cmd := &cobra.Command{
		Use:   "retire <domain>[/<tenant>] <key-id>",
		Short: "Prove that no row needs a seal key, for \"keys disable\" and \"keys destroy\"",
		Long: `Prove that no row needs a seal key any more: seal anew what names it, bar it from
every column, open every value, and count those that name it. The proof is a
document that "keys disable --proof" and "keys destroy --proof" take. No key is
changed. Without --execute it says what there is to seal anew.

` + limitHelp,
		Example: "  fieldcrypt migrate retire medical " + exampleKey + " --config fieldcrypt.yaml\n" +
			"  fieldcrypt migrate retire medical " + exampleKey + " --execute --out proof.json --config fieldcrypt.yaml",
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		_, scopeErr := scopeOfKey(args)
		_, limitErr := limits.over(cmd, migrate.Limits{})
		_, workErr := work.options(nil)
		watch := watchFlags{every: every}
		return errors.Join(scopeErr, limitErr, workErr, watch.check())
	}
	limits.register(cmd)
	work.register(cmd)
	fs := cmd.Flags()
	fs.DurationVar(&every, "every", 10*time.Second, "tell the progress so often, where there is no terminal")
	fs.StringVar(&out, "out", "", "write the proof to this `FILE` (default: to stdout)")
	fs.BoolVar(&keepGuards, "keep-guards", false, "leave the CHECKs in place that bar the key from the columns")
	fs.BoolVar(&execute, "execute", false, "do it")
	return c.verb(cmd, Need{Manifest: true, Keys: true}, func(ctx context.Context, p *migrate.Project, args []string) error {
		s, err := scopeOfKey(args)
		if err != nil {
			return err
		}
		id, err := parseKey(args[1])
		if err != nil {
			return err
		}
		if err := knownTables(p, nil, s.Domain); err != nil {
			return err
		}
		if !execute {
			plan, err := p.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Domain: s.Domain, Tenant: s.Tenant, KeyIDs: []uint32{id}})
			if err != nil {
				return err
			}
			printPlan(cmd.OutOrStdout(), plan)
			if err := plan.Problems.Err(); err != nil {
				return err
			}
			sayf(cmd.ErrOrStderr(), dryRunNote)
			return nil
		}
		l, err := limits.over(cmd, migrate.Limits{})
		if err != nil {
			return err
		}
		o, err := work.options(p)
		if err != nil {
			return err
		}
		watch := watchFlags{every: every}
		w := watch.watch(ctx, cmd, p.DB)
		proof, err := p.Retire(ctx, s, keymgr.Seal, id, migrate.RetireOptions{Limits: l, Work: o, KeepGuards: keepGuards, Progress: w.rotation()})
		w.stop()
		if err != nil {
			if ctx.Err() != nil {
				return advise(err, "stopped after the batch at hand; the same command goes on")
			}
			return err
		}
		return writeProof(cmd, proof, out)
	})
}

// exampleKey is the id of a key in examples.
const exampleKey = "1122334455"

func writeProof(cmd *cobra.Command, proof keymgr.Proof, file string) error {
	if file == "" {
		return printJSON(cmd.OutOrStdout(), proof)
	}
	text, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("the proof was made, and could not be written: %w", err)
	}
	sayf(cmd.OutOrStdout(), "proven   %s: %s key %d, sha256:%s, in %s", proof.Scope, proof.Purpose, proof.KeyID, proof.SHA256(), file)
	return nil
}
