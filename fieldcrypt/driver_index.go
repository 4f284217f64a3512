package fieldcrypt

// Partial reports whether a value that is not NULL can have an index that is:
// where a transform may leave nothing of it. A driver that answers "differs from"
// or NOT must count such values in.
func (ix *BlindIndex) Partial() bool {
	for _, p := range ix.parts {
		if p.transform != nil {
			return true
		}
	}
	return false
}

// Whole reports whether the index is of whole values: no part keeps only the
// first or last characters. Such an index answers equality of its fields, a
// truncated one with rows besides.
func (ix *BlindIndex) Whole() bool {
	for _, p := range ix.parts {
		if p.shortens() {
			return false
		}
	}
	return true
}

// Transform returns the transforms of a part, by its number from 0, as declared;
// "" for none. Parts with the same make the same of equal values.
func (ix *BlindIndex) Transform(part int) string {
	if t := ix.parts[part].transform; t != nil {
		return t.String()
	}
	return ""
}
