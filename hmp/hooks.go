package hmp

// Hooks are the questions a monitor asks the machine. Any of them may be nil.
// They are called by the monitor's owner, during Feed or Collect, and must not
// block.
type Hooks struct {
	// Options turns the text of an argument of kind O into the caller's
	// form. list is the argument's key, which names the option list
	// ("device"). An error refuses the command; its text goes to Report,
	// because QEMU writes it to its standard error and not to the monitor.
	Options func(list, text string) (any, error)
	// Ready reports whether the machine is complete. Before that only
	// Preconfig commands run. Nil means always.
	Ready func() bool
	// Report takes what QEMU would write to its standard error.
	Report func(err error)
	// Files and Blocks propose file names and block devices for completion.
	Files  func(prefix string) []string
	Blocks func() []string
}

// FormatDefaults are the format letter and the size that hold when a command
// does not give them: the last ones used, across commands and, in QEMU, across
// all monitors of a process.
type FormatDefaults struct {
	Kind byte // one of o d u x i c
	Size int  // bytes
}

// NewFormatDefaults returns the defaults of a fresh machine: hexadecimal words.
func NewFormatDefaults() *FormatDefaults { return &FormatDefaults{Kind: 'x', Size: 4} }
