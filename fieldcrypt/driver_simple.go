package fieldcrypt

// Simple reports whether values of the field are sealed and opened without
// calling methods of its Go type, so that a driver may do so in several
// goroutines at once: text, bytes, numbers, bools and times.
func (f *Field) Simple() bool {
	switch f.codec.form {
	case formTime, formRawJSON, formBytes, formString, formInt, formUint, formFloat, formBool:
		return !f.codec.valuer
	}
	return false
}
