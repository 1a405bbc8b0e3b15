package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// descriptorSteps is how many commands a comparison of descriptors takes.
const descriptorSteps = 300

// TestDescriptorsLikeQEMU has ours and the QEMU that is installed take the same
// descriptors, at random, and compares what they say. The guest runs: an older
// QEMU removes descriptors at no other time.
func TestDescriptorsLikeQEMU(t *testing.T) {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			var sides [2]*fdSide
			for i, program := range []string{qemuProgram, binary} {
				sides[i] = newFDSide(t, program)
			}
			g := &fdSteps{Rand: rand.New(rand.NewPCG(seed, 0)), t: t}
			for range descriptorSteps {
				s := g.next()
				theirs, ours := sides[0].do(s), sides[1].do(s)
				if theirs != ours {
					t.Errorf("%s %s with %d files:\nQEMU: %s\nours: %s", s.command, s.arguments, len(s.files), theirs, ours)
				}
			}
		})
	}
}

// fdSide is one of the two, and what it calls the descriptors that it was given.
type fdSide struct {
	*fdConn
	fds []string // by the order in which they came into sets
}

func newFDSide(t *testing.T, program string) *fdSide {
	p := newProcess(t, "-M", "virt", "-m", "16", "-bios", "none", "-nodefaults", "-display", "none", "-qmp", "unix:DIR/S,server=on,wait=off")
	p.cmd.Path, p.cmd.Err = exec.LookPath(program)
	p.start()
	p.until("the monitor listens", func() bool { return p.exists("S") })
	return &fdSide{fdConn: dialFD(t, p.path("S"))}
}

// fdNumber is where a number is that each side gives in its own way.
var fdNumber = regexp.MustCompile(`(?:"fd": |, fd:)(\d+)`) // never changes

// do runs a step and returns the answer with descriptors by their order.
func (s *fdSide) do(step fdStep) string {
	arguments := step.arguments
	for i, fd := range slices.Backward(s.fds) {
		arguments = strings.ReplaceAll(arguments, fmt.Sprintf("FD%d.", i), fd)
	}
	arguments = regexp.MustCompile(`FD\d+\.`).ReplaceAllString(arguments, "99999")
	answer := s.ask(step.command, arguments, step.files...)
	if m := fdNumber.FindStringSubmatch(answer); m != nil && step.command == "add-fd" {
		for i, fd := range s.fds {
			if fd == m[1] { // removed, and the number is used again
				s.fds[i] = "99998"
			}
		}
		s.fds = append(s.fds, m[1])
	}
	return fdNumber.ReplaceAllStringFunc(answer, func(text string) string {
		i := slices.Index(s.fds, fdNumber.FindStringSubmatch(text)[1])
		return fmt.Sprintf("fd FD%d", i)
	})
}

// A fdStep is one command; FDn. in its arguments is the nth descriptor that was
// put into a set.
type fdStep struct {
	command, arguments string
	files              []*os.File
}

type fdSteps struct {
	*rand.Rand
	t     *testing.T
	added int
}

// next makes up a step.
func (g *fdSteps) next() fdStep {
	s := fdStep{files: g.files()}
	name := []string{"a", "b", "", "1a", "\u00e4"}[g.IntN(5)]
	chardev := string(rune('p' + g.IntN(3)))
	set := g.IntN(5)
	args := map[string]any{}
	switch s.command = []string{"getfd", "getfd", "closefd", "add-fd", "add-fd", "add-fd", "remove-fd", "query-fdsets", "chardev-add", "chardev-add",
		"chardev-remove", "query-name", "blockdev-add", "blockdev-del", "object-add"}[g.IntN(15)]; s.command {
	case "getfd", "closefd":
		args["fdname"] = name
	case "add-fd":
		if g.IntN(2) == 0 {
			args["fdset-id"] = set - g.IntN(2)
		}
		if g.IntN(2) == 0 {
			args["opaque"] = name
		}
		g.added++
	case "remove-fd":
		args["fdset-id"] = set
		if g.IntN(2) == 0 {
			args["fd"] = fmt.Sprintf("FD%d.", g.IntN(g.added+1))
		}
	case "chardev-add":
		args["id"], args["backend"] = chardev, g.backend(set, name)
	case "chardev-remove":
		args["id"] = chardev
	case "blockdev-add":
		// Two of the same file would not share it; the words of other failures differ.
		args = map[string]any{"driver": "file", "node-name": "n", "filename": fmt.Sprintf("/dev/fdset/x%d", set), "read-only": true}
	case "blockdev-del":
		args["node-name"] = "n"
	case "object-add":
		args = map[string]any{"qom-type": "rng-random", "id": "r", "filename": "/dev/fdset/x"}
	}
	text, err := json.Marshal(args)
	if err != nil {
		g.t.Fatal(err)
	}
	s.arguments = regexp.MustCompile(`"(FD\d+\.)"`).ReplaceAllString(string(text), "$1")
	return s
}

// backend is a character device that opens a set, or a socket by its name.
func (g *fdSteps) backend(set int, name string) any {
	path := fmt.Sprintf("/dev/fdset/%d", set)
	kind, data := "", map[string]any{}
	switch g.IntN(4) {
	case 0:
		kind, data = "file", map[string]any{"out": path, "append": g.IntN(2) == 0}
	case 1:
		kind, data = "file", map[string]any{"out": path, "in": path}
	case 2:
		kind, data = "pipe", map[string]any{"device": path}
	case 3:
		if name == "" { // QEMU 7.2 makes a socket of whatever is called that
			name = "a"
		}
		addr := map[string]any{"type": "fd", "data": map[string]any{"str": name}}
		kind, data = "socket", map[string]any{"addr": addr, "server": g.IntN(2) == 0, "wait": false}
		if data["server"] == false {
			delete(data, "wait")
		}
	}
	return map[string]any{"type": kind, "data": data}
}

// files are what comes with a command: often nothing, or open for reading, writing
// or both.
func (g *fdSteps) files() (files []*os.File) {
	for range g.IntN(3) {
		flag := []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR}[g.IntN(3)]
		f, err := os.OpenFile(filepath.Join(g.t.TempDir(), "f"), flag|os.O_CREATE, 0o600)
		if err != nil {
			g.t.Fatal(err)
		}
		g.t.Cleanup(func() { _ = f.Close() })
		files = append(files, f)
	}
	return files
}
