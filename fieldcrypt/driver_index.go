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
