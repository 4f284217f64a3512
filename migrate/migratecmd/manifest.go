package migratecmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

func (c commands) manifest() *cobra.Command {
	return group("manifest", "Compare the manifest of the models with the database", c.manifestCheck())
}

func (c commands) manifestCheck() *cobra.Command {
	var (
		asJSON bool
		sample int
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Name every difference between the manifest and the live tables",
		Long: `Compare the manifest with the database: tables and columns that are missing or
of another type, checks that are, columns that look encrypted and are not in the
manifest, and what else a migration would meet. It only reads, and exits with 4
if something is there that a migration refuses.`,
		Example: `  fieldcrypt manifest check --manifest fieldcrypt.json
  fieldcrypt manifest check --json --sample 100 --config fieldcrypt.yaml`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if sample < 0 {
				return usagef("--sample is not negative")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&sample, "sample", 0, "read so many values of every bytea column that the manifest does not name, to see whether they are sealed")
	return c.verb(cmd, Need{Manifest: true}, func(ctx context.Context, p *migrate.Project, _ []string) error {
		tables, problems, err := p.DB.Catalogue().Check(ctx, p.Manifest, migrate.CheckOptions{Sample: sample})
		if err != nil {
			return err
		}
		refusal := problems.Err()
		if refusal != nil {
			refusal = advise(refusalError{errors.New("the database is not as the manifest says")}, "mend what is marked refuse above")
		}
		if asJSON {
			if err := printJSON(cmd.OutOrStdout(), struct {
				OK       bool          `json:"ok"`
				Tables   int           `json:"tables"`
				Problems []problemView `json:"problems"`
			}{refusal == nil, len(tables), viewProblems(problems)}); err != nil {
				return err
			}
			return refusal
		}
		printProblems(cmd.OutOrStdout(), problems)
		if refusal == nil {
			sayf(cmd.OutOrStdout(), "%s as the manifest says", plural(len(tables), "table"))
		}
		return refusal
	})
}

// refusalError matches migrate.ErrRefused without its text.
type refusalError struct{ error }

func (e refusalError) Is(target error) bool { return target == migrate.ErrRefused }
