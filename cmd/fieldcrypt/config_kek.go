package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configuredKEKs are the KEKs of the environment or else of the file, as
// domain=URI or, for all domains, URI.
func (c *configFile) configuredKEKs() (list []string) {
	if v := os.Getenv(variableOf("kek")); v != "" {
		return strings.Fields(v)
	}
	for domain, d := range c.Domains {
		for _, uri := range d.KEKs {
			list = append(list, domain+"="+uri)
		}
	}
	return list
}

// setKEKs sets --kek. The commands that change the keys of one domain take that
// domain's; those for which it is a choice, such as where to move to, take none.
func (c *configFile) setKEKs(cmd *cobra.Command, args []string, source string) error {
	f := cmd.Flags().Lookup("kek")
	if f == nil || f.Changed {
		return nil
	}
	if os.Getenv(variableOf("kek")) != "" {
		source = variableOf("kek")
	}
	if f.Annotations[kekOfDomains] != nil {
		return setFlag(cmd, "kek", source, c.configuredKEKs()...)
	}
	if f.Annotations[kekOfScope] == nil || len(args) == 0 {
		return nil
	}
	domain, _, _ := strings.Cut(args[0], "/")
	for _, arg := range args {
		if of, _, _ := strings.Cut(arg, "/"); of != domain && cmd.Name() == "create" {
			return nil // several domains have no one KEK
		}
	}
	var uris []string
	for _, entry := range c.configuredKEKs() {
		if of, uri := splitKEK(entry); of == "" || of == domain {
			uris = append(uris, uri)
		}
	}
	return setFlag(cmd, "kek", source, uris...)
}

// What a --kek of a command is.
const (
	kekOfScope   = "fieldcrypt_kek_of_scope"   // those of the scope that the first argument names
	kekOfDomains = "fieldcrypt_kek_of_domains" // [domain=]URI
)

func annotateKEK(fs *pflag.FlagSet, what string) {
	_ = fs.SetAnnotation("kek", what, []string{"true"}) // the flag is there
}

// splitKEK takes domain=URI apart; domain is "" for an URI alone.
func splitKEK(entry string) (domain, uri string) {
	if before, after, found := strings.Cut(entry, "="); found && !strings.Contains(before, ":") {
		return before, after
	}
	return "", entry
}
