package hmp

import (
	"fmt"

	"github.com/backplane-vm/backplane/hmp/readline"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// NoCPU is the current CPU of a monitor on which none was chosen; commands
// then take the first one.
const NoCPU = -1

// console is what the commands of a monitor see of it.
type console struct {
	out     output
	editor  *readline.Editor // nil when nobody is there to type
	cpu     int
	suspend int // nobody reads the terminal while this is not 0
}

func (c *console) write(s string) { c.out.writeString(s) }

// addSuspend counts a reason not to read. The last reason gone shows the
// prompt.
func (c *console) addSuspend(n int) {
	c.suspend += n
	if c.suspend < 0 {
		panic("hmp: monitor resumed more often than suspended")
	}
	if c.suspend == 0 && n < 0 && c.editor != nil {
		c.editor.Restart()
		c.editor.ShowPrompt()
	}
}

// Call is one run of a command: who asked, and where its output goes. It is
// the handler's until the handler returns, or until Resume after a Suspend.
type Call struct {
	// Name is the command's name as its table has it ("quit|q").
	Name string
	// Owner is what the monitor was made with; see Config.Owner.
	Owner any

	console *console
	help    func(call *Call, text string)
}

// Help writes what the help command prints for text: the rows of the table,
// or of the command or sub-command that text names.
func (c *Call) Help(text string) { c.help(c, text) }

// Printf writes formatted text to the monitor; "\n" ends a line.
func (c *Call) Printf(format string, a ...any) { c.console.write(fmt.Sprintf(format, a...)) }

// Write makes a Call an io.Writer; it never fails.
func (c *Call) Write(p []byte) (int, error) {
	c.console.write(string(p))
	return len(p), nil
}

// PrintError writes err the way the monitor shows the error of a handler:
// "Error: ", the text, and hints on lines of their own. A nil err is nothing.
func (c *Call) PrintError(err error) {
	if e := qerr.From(err); e != nil {
		c.Printf("Error: %s\n%s", e.Desc, e.Hint)
	}
}

// CPU is the index of the monitor's current CPU, or NoCPU.
func (c *Call) CPU() int { return c.console.cpu }

// SetCPU makes the CPU with this index the monitor's current one. That it
// exists is the caller's to check.
func (c *Call) SetCPU(index int) { c.console.cpu = index }

// Interactive reports whether somebody sits at the monitor; false during
// human-monitor-command.
func (c *Call) Interactive() bool { return c.console.editor != nil }

// History returns the lines entered, oldest first; none when not interactive.
func (c *Call) History() []string {
	if c.console.editor == nil {
		return nil
	}
	return c.console.editor.History()
}

// Suspend keeps the monitor from reading after the handler has returned, for
// a command that goes on in the background. It reports false, and does
// nothing, when the monitor is not interactive: then the handler has to
// finish before it returns.
func (c *Call) Suspend() bool {
	if c.console.editor == nil {
		return false
	}
	c.console.addSuspend(1)
	return true
}

// Resume undoes a Suspend that reported true, and shows the prompt. The same
// goroutine or lock applies as for the monitor itself.
func (c *Call) Resume() { c.console.addSuspend(-1) }
