package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysInstances() *cobra.Command {
	var (
		database databaseFlag
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "instances [<domain>[/<tenant>]]",
		Short: "List the running applications and the keys that they hold",
		Long: `List the instances: the running applications that report which versions of
which keysets they hold. A new key becomes the primary when all of them have it.

  live     it reports
  silent   it has missed reports: paused, cut off, or dead. Promotion of keys
           waits for it, because its cache may still serve
  gone     silent for so long that what it held serves no more

An instance that holds nothing of a scope opens it at its next use, as it is
stored then. Times are those of the database's clock.`,
		Example: `  fieldcrypt keys instances
  fieldcrypt keys instances medical --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var of keymgr.Scope
			if len(args) > 0 {
				var err error
				if of, err = parseScope(args[0]); err != nil {
					return err
				}
			}
			ctx := cmd.Context()
			db, err := database.open(ctx, false)
			if err != nil {
				return err
			}
			defer db.Close()
			fleet, err := sqlstore.New(db).Instances(ctx, of)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), viewFleet(fleet))
			}
			return printFleet(cmd.OutOrStdout(), viewFleet(fleet), fleet.Now)
		},
	}
	database.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// instanceView is what an instance tells of itself. Its JSON is for scripts:
// fields are added, never changed.
type instanceView struct {
	Instance  string     `json:"instance"`
	State     string     `json:"state"` // live, silent or gone
	Host      string     `json:"host"`
	StartedAt time.Time  `json:"started_at"`
	CheckedAt time.Time  `json:"checked_at"`
	LastSeen  time.Time  `json:"last_seen"`
	GoneAt    time.Time  `json:"gone_at"` // if it stays silent
	Scopes    []heldView `json:"scopes"`
}

// heldView is what an instance holds of a scope.
type heldView struct {
	Scope     string    `json:"scope"`
	Domain    string    `json:"domain"`
	Tenant    string    `json:"tenant,omitempty"`
	Version   uint64    `json:"version"`
	SealKeys  []uint32  `json:"seal_keys"`
	IndexKeys []uint32  `json:"index_keys"`
	SealKey   uint32    `json:"seal_key"`  // it seals with
	IndexKey  uint32    `json:"index_key"` // it writes indexes with
	SeenAt    time.Time `json:"seen_at"`
}

func viewFleet(f keymgr.Fleet) []instanceView {
	views := []instanceView{}
	for _, i := range f.Instances {
		v := instanceView{
			Instance: i.ID, State: instanceState(i, f.Now), Host: i.Host,
			StartedAt: i.StartedAt, CheckedAt: i.CheckedAt, LastSeen: i.LastSeen, GoneAt: i.LastSeen.Add(i.MaxAge), Scopes: []heldView{},
		}
		for _, h := range i.Scopes {
			v.Scopes = append(v.Scopes, heldView{
				Scope: h.Scope.String(), Domain: h.Scope.Domain, Tenant: h.Scope.Tenant, Version: h.Version,
				SealKeys: h.SealKeys, IndexKeys: h.IndexKeys, SealKey: h.SealKey, IndexKey: h.IndexKey, SeenAt: h.SeenAt,
			})
		}
		views = append(views, v)
	}
	return views
}

func instanceState(i keymgr.Instance, now time.Time) string {
	switch {
	case i.Gone(now):
		return "gone"
	case i.Silent(now):
		return "silent"
	}
	return "live"
}

func printFleet(w io.Writer, views []instanceView, now time.Time) error {
	if len(views) == 0 {
		_, err := fmt.Fprintln(w, "no instances")
		return err
	}
	rows := [][]string{{"INSTANCE", "HOST", "STATE", "LAST SEEN", "STARTED", "SCOPE", "VERSION", "SEALS WITH", "INDEXES WITH", "ALSO READS"}}
	for _, v := range views {
		head := []string{v.Instance, v.Host, v.State, ageText(now.Sub(v.LastSeen)) + " ago", timeText(v.StartedAt)}
		if len(v.Scopes) == 0 {
			rows = append(rows, append(head, "-", "", "", "", ""))
		}
		for _, h := range v.Scopes {
			rows = append(rows, append(head, h.Scope, fmt.Sprint(h.Version), fmt.Sprint(h.SealKey), fmt.Sprint(h.IndexKey), h.others()))
			head = []string{"", "", "", "", ""}
		}
	}
	return table(w, rows)
}

// others are the keys that it reads with and does not write with.
func (h heldView) others() string {
	var ids []string
	for _, id := range h.SealKeys {
		if id != h.SealKey {
			ids = append(ids, fmt.Sprint(id))
		}
	}
	for _, id := range h.IndexKeys {
		if id != h.IndexKey {
			ids = append(ids, fmt.Sprint(id))
		}
	}
	return strings.Join(ids, " ")
}
