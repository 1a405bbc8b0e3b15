package mem

// Result says how an access ended. When one access becomes several, the worst
// result counts; the order of the constants is the order of badness.
type Result uint8

// The results, as a bus gives them.
const (
	OK          Result = iota // done
	DecodeError               // nothing there, or nothing that takes this size or alignment
	AccessError               // the device refused
)

// String returns the result in words.
func (r Result) String() string {
	return [...]string{"ok", "decode error", "access error"}[r]
}
