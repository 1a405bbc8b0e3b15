package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/backplane-vm/backplane/qmp"
)

// stderrMax is how much of an emulator's complaints is kept for an error.
const stderrMax = 4 << 10

// An Emulator is a program that takes QEMU's flags.
type Emulator struct {
	Name    string
	Program string   // the path of its binary
	Guest   []string // the flags that load the demo guest
	Dir     string   // for sockets and disks; its path must be short, as a socket's must
	Clock   Clock
	// Patient says that a command which waits holds nobody else up.
	Patient bool
}

// machineFlags are those of every machine measured.
func (e *Emulator) machineFlags() []string {
	return append([]string{"-M", "virt", "-nodefaults", "-display", "none", "-smp", "2", "-m", "128"}, e.Guest...)
}

// A Process is a machine in a process of its own.
type Process struct {
	Subject
	cmd    *exec.Cmd
	stderr tail
	waiter sync.WaitGroup
	status error // of the process; set before waiter is done
}

// Start starts a machine with further flags and connects to its monitor. When
// ctx ends the process is killed. The caller stops it.
func (e *Emulator) Start(ctx context.Context, flags ...string) (*Process, error) {
	dir, err := os.MkdirTemp(e.Dir, "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // once connected, the socket has done its duty
	socket := filepath.Join(dir, "qmp")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	p := &Process{Subject: Subject{Log: NewLog(e.Clock), Clock: e.Clock}}
	args := append(e.machineFlags(), "-serial", "stdio",
		"-chardev", "socket,id=mon,path="+socket, "-mon", "chardev=mon,mode=control")
	p.cmd = exec.CommandContext(ctx, e.Program, append(args, flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.waiter.Go(func() {
		p.status = p.cmd.Wait()
		p.Log.End()
		listener.Close() // whoever waits for it to connect waits in vain
	})
	conn, err := listener.Accept()
	if err == nil {
		p.QMP, err = qmp.NewClient(ctx, conn)
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("%s did not start: %w", e.Name, p.why(err))
	}
	return p, nil
}

// why adds to err what the process said, if it has ended by itself.
func (p *Process) why(err error) error {
	if text := p.stderr.String(); text != "" {
		return fmt.Errorf("%w; it said: %s", err, text)
	}
	return err
}

func (p *Process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	p.waiter.Wait()
}

// Stop tells the machine to quit and waits until its process has ended.
func (p *Process) Stop(ctx context.Context) error {
	err := p.QMP.Execute(ctx, "quit", nil, nil)
	if errors.Is(err, qmp.ErrClosed) {
		err = nil // QEMU may be gone before its answer is out
	}
	if err != nil {
		p.kill()
	}
	p.QMP.Close()
	p.waiter.Wait()
	if err == nil && p.status != nil {
		err = p.why(p.status)
	}
	return err
}

// Resident returns how much memory the process has in RAM, in bytes, as Linux
// tells it.
func (p *Process) Resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc does not tell the resident memory")
}

// Greeting starts a machine that is to run nothing, and returns how long after
// that its monitor greets.
func (e *Emulator) Greeting(ctx context.Context) (Span, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Program, append(e.machineFlags(), "-S", "-qmp", "stdio")...)
	var stderr tail
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe() // kept open: at its end the client has gone
	if err != nil {
		return Span{}, err
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Span{}, err
	}
	span := Span{Asked: e.Clock()}
	if err := cmd.Start(); err != nil {
		return span, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	span.Answered = e.Clock()
	cancel()
	_ = cmd.Wait() // killed: its status says nothing
	if err != nil || !strings.Contains(line, `"QMP"`) {
		return span, fmt.Errorf("%s did not greet: it said %q, and %s", e.Name, line, &stderr)
	}
	return span, nil
}

// A tail keeps the last of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-stderrMax):]
	return len(p), nil
}

// String returns it on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ReplaceAll(bytes.TrimSpace(t.buf), []byte{'\n'}, []byte("; ")))
}
