package hmp

// Args are the arguments of a command, by the keys of its description. A key
// whose argument was not given is absent. The kinds, and the method that reads
// each:
//
//	s F B   a word, a file name, a block device name      String
//	S       the rest of the line                          String
//	O       an option list "driver,key=value,..."         Options
//	i       a 32-bit number or expression                 Int
//	l       a 64-bit number or expression                 Int
//	M       a number of MiB, delivered in bytes           Int
//	o       a size with a suffix, MiB without, in bytes   Int
//	T       seconds, or with ms, us, ns                   Seconds
//	b       on or off                                     Bool
//	-x      the flag -x                                   Bool
//	-xs     the flag -x with a word behind it             String
//	/       a format as in "x/4wx"                        Format
//
// A '?' behind a kind makes the argument optional; a '.' behind i, l or M
// makes it present only when the user writes a '.' before it.
type Args struct {
	values map[string]any
}

// Options is an argument of kind O: the text as the user wrote it, and what
// Hooks.Options made of it (nil without that hook).
type Options struct {
	Text  string
	Value any
}

// Format is how memory or a number is to be shown. Kind is one of o d u x i c,
// Size is 1, 2, 4 or 8 bytes, or -1 for instructions.
type Format struct {
	Count int64
	Kind  byte
	Size  int
}

func (a *Args) set(key string, v any) {
	if a.values == nil {
		a.values = make(map[string]any)
	}
	a.values[key] = v
}

// Has reports whether the argument was given.
func (a *Args) Has(key string) bool { _, ok := a.values[key]; return ok }

// String returns a textual argument, "" if it is absent.
func (a *Args) String(key string) string { return arg[string](a, key) }

// Int returns a number, 0 if it is absent. Sizes are in bytes.
func (a *Args) Int(key string) int64 { return arg[int64](a, key) }

// Bool returns a switch or a flag, false if it is absent.
func (a *Args) Bool(key string) bool { return arg[bool](a, key) }

// Seconds returns a duration in seconds, 0 if it is absent.
func (a *Args) Seconds(key string) float64 { return arg[float64](a, key) }

// Options returns an option list, empty if it is absent.
func (a *Args) Options(key string) Options { return arg[Options](a, key) }

// Format returns the format argument; it is always there for a command that
// describes one.
func (a *Args) Format(key string) Format { return arg[Format](a, key) }

func arg[T any](a *Args, key string) T {
	v, _ := a.values[key].(T)
	return v
}
