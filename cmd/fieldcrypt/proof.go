package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
)

// proofFlags say why a key may go.
type proofFlags struct{ file, override string }

const proofHelp = `--proof names the file that the migrator wrote when it had counted that no row
needs the key and verified that what is there opens. It holds for a week, and
for the present version of the keysets alone. --override gives the reason why
the key may go without a proof, for the log: rows that do need it are lost.`

func (f *proofFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "proof", "", "`FILE` with the migrator's proof")
	cmd.Flags().StringVar(&f.override, "override", "", "`REASON` why the key may go without a proof")
}

// maxProof bounds a file that is read as a proof.
const maxProof = 1 << 24

func (f *proofFlags) read() (keymgr.Proof, error) {
	reason := strings.TrimSpace(f.override)
	switch {
	case f.file != "" && f.override != "":
		return keymgr.Proof{}, usagef("--proof or --override, not both")
	case f.override != "" && reason == "":
		return keymgr.Proof{}, usagef("--override wants a reason")
	case reason != "":
		return keymgr.Proof{Override: reason}, nil
	case f.file == "":
		return keymgr.Proof{}, usagef("why may the key go? Give the migrator's --proof, or an --override with the reason")
	}
	file, err := os.Open(f.file)
	if err != nil {
		return keymgr.Proof{}, usage(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxProof))
	if err != nil {
		return keymgr.Proof{}, usage(err)
	}
	var proof keymgr.Proof
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&proof); err == nil {
		_, err = d.Token()
		if errors.Is(err, io.EOF) && proof.Override == "" {
			return proof, nil
		}
	}
	return keymgr.Proof{}, usagef("--proof: %s is no proof as the migrator writes it", f.file)
}
