package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: far more than anything takes, so that only a
// machine that hangs exceeds it.
const patience = 60 * time.Second

// process is a running backplane.
type process struct {
	*testing.T
	dir string // for sockets and logs; removed at the end
	cmd *exec.Cmd

	mu     sync.Mutex
	stderr bytes.Buffer

	exited chan struct{} // closed once it has ended, with status set
	status int
}

// Write takes what the program says on stderr.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

// said returns what the program said on stderr so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// newProcess prepares the binary with args, in which DIR stands for the test's folder.
func newProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{T: t, dir: t.TempDir(), exited: make(chan struct{})}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", p.dir)
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stderr = p
	return p
}

// start runs the program; at the end of the test it is terminated, if it has
// not ended by itself, and must do so in an orderly way.
func (p *process) start() {
	p.Helper()
	p.begin()
	p.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error says that it has ended
		if status := p.wait(); status != 0 {
			p.Errorf("exit status %d; it said:\n%s", status, p.said())
		}
	})
}

// begin is start for a program that ends by itself, in whatever way.
func (p *process) begin() {
	p.Helper()
	if err := p.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		err := p.cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			p.status = exit.ExitCode()
		}
	}()
}

// wait returns the exit status. A program that does not end is killed, and
// says where all its goroutines are.
func (p *process) wait() int {
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.exited
		p.Errorf("%s does not end; it says:\n%s", filepath.Base(binary), p.said())
	}
	return p.status
}

// path is a file in the process's folder.
func (p *process) path(name string) string { return filepath.Join(p.dir, name) }

// usage is what a process holds.
type usage struct {
	files   int // open file descriptors
	threads int // of the operating system
	rss     int // KiB
}

func (u usage) String() string {
	return fmt.Sprintf("%d open files, %d threads, %d KiB resident", u.files, u.threads, u.rss)
}

func (p *process) usage() usage {
	p.Helper()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		p.Fatal(err)
	}
	text, err := os.ReadFile(proc + "status")
	if err != nil {
		p.Fatal(err)
	}
	u := usage{files: len(fds)}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch n, _ := strconv.Atoi(words[1]); words[0] {
		case "Threads:":
			u.threads = n
		case "VmRSS:":
			u.rss = n
		}
	}
	return u
}

// until calls ready, which should ask the machine something and so takes its
// time, until it says true.
func (p *process) until(what string, ready func() bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !ready() {
		select {
		case <-p.exited:
			p.Fatalf("the program ended before %s; it said:\n%s", what, p.said())
		case <-ctx.Done():
			p.Fatalf("not in %v: %s", patience, what)
		case <-time.After(time.Millisecond):
		}
	}
}

// logged reports whether the guest's log, the file "log", has a text.
func (p *process) logged(text string) bool {
	all, err := os.ReadFile(p.path("log"))
	return err == nil && bytes.Contains(all, []byte(text))
}

// exists reports whether a file is in the process's folder.
func (p *process) exists(name string) bool {
	_, err := os.Stat(p.path(name))
	return err == nil
}

// A syncBuffer takes what a program says while others look at it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
