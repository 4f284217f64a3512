package gormcrypt

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"gorm.io/gorm/schema"
)

// verdict is what was found about a model, once per type.
type verdict struct {
	err     error    // why no statement on it may run
	domains []string // that its relations need, its own too
}

// verdict looks at a model, plain ones too: it may have tags and no marker.
func (b *binding) verdict(s *schema.Schema) *verdict {
	if v, ok := b.checked.Load(s.ModelType); ok {
		return v.(*verdict)
	}
	v := &verdict{err: b.judge(s)}
	b.reach(s, map[*schema.Schema]bool{}, v)
	slices.Sort(v.domains)
	v.domains = slices.Compact(v.domains)
	b.checked.Store(s.ModelType, v)
	return v
}

func (b *binding) judge(s *schema.Schema) error {
	if guardOf(s) == nil && s.ModelType.Kind() == reflect.Struct {
		m, err := b.crypter.Model(s.ModelType)
		switch {
		case err != nil:
			return err
		case len(m.Fields) > 0:
			return missingMarker(m)
		}
	}
	for _, rel := range relations(s) {
		for _, ref := range rel.References {
			if sf := ref.PrimaryKey; isEncrypted(sf) || isEncrypted(ref.ForeignKey) {
				if !isEncrypted(sf) {
					sf = ref.ForeignKey
				}
				return modelErr(s.ModelType.String(), rel.Name, fmt.Sprintf("the relation refers to the encrypted field %s, and ciphertext differs at every write; refer to a plain key", sf.Name))
			}
		}
	}
	return nil
}

// relations returns the relations of a schema. Another schema that is being
// parsed may be adding some.
func relations(s *schema.Schema) []*schema.Relationship {
	s.Relationships.Mux.RLock()
	defer s.Relationships.Mux.RUnlock()
	return slices.Collect(maps.Values(s.Relationships.Relations))
}

func isEncrypted(sf *schema.Field) bool { return sf != nil && sf.FieldType == storedType }

// reach collects the domains of a model and of what it leads to.
func (b *binding) reach(s *schema.Schema, seen map[*schema.Schema]bool, v *verdict) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	for _, t := range b.tablesOf(s) {
		v.domains = append(v.domains, t.domains...)
	}
	for _, rel := range relations(s) {
		b.reach(rel.FieldSchema, seen, v)
	}
}
