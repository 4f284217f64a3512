package fieldcrypt

import (
	"fmt"
	"reflect"
)

// NextSuffix makes the column of a blind index that is being moved to another
// key out of the index's own column: drivers write both (FORMAT.md, "Blind
// indexes").
const NextSuffix = "_next"

// Identity returns the index's stable logical name, "patients.mrn_bidx".
func (ix *BlindIndex) Identity() string { return identity{ix.Table, ix.Name}.String() }

// NextIndex is [Sealer.Index] for the second column of an index that is being moved
// to another key; moving is false where it is not, and that column then stays
// out of the statement: it may not be there.
func (s *Sealer) NextIndex(ix *BlindIndex, values ...reflect.Value) (term []byte, moving bool, err error) {
	at := ix.at(s.crypter)
	d, err := s.domain(at, ix.Domain, ix.PerTenant)
	if err != nil {
		return nil, false, ix.err("index", err, "")
	}
	key := d.keys.Reindexing(ix.Identity())
	if key == nil {
		return nil, false, nil
	}
	if len(ix.Column)+len(NextSuffix) > maxName {
		return nil, false, ix.err("index", fmt.Errorf("%w: the name of its second column is longer than %d bytes", ErrUnsupported, maxName),
			"end the re-index (keymgr.Manager.EndReindex), and rename the index column")
	}
	buf := getScratch()
	defer buf.free()
	input, ok, err := ix.input(buf.b[:0], at, d.tenant, values)
	buf.b = input
	if err != nil {
		return nil, false, ix.err("index", err, "")
	}
	if !ok {
		return nil, true, nil
	}
	return ix.compute(nil, key, buf), true, nil
}
