package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 1, "what TestDifferential draws commands from; 0 for the time of day")
	count = flag.Int("commands", 10_000, "how many commands TestDifferential sends")
)

// inOneProcess is how many commands a pair of programs gets at most before a
// fresh pair takes over.
const inOneProcess = 250

// differential is what testdata/differential.txt tells.
type differential struct {
	skip  map[string]bool
	drop  []*regexp.Regexp
	known []*answers
}

// answers are two answers to one command that may stand side by side.
type answers struct {
	command, theirs, ours *regexp.Regexp
	seen                  int
}

// readDifferential reads lines of the form
//
//	skip COMMAND REASON                      is not sent
//	drop REGEXP<tab>REASON                   is taken out of both answers
//	known COMMAND<tab>THEIRS<tab>OURS<tab>REASON   regular expressions
func readDifferential(t *testing.T) *differential {
	t.Helper()
	text, err := os.ReadFile("testdata/differential.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := &differential{skip: map[string]bool{}}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		fields := strings.Split(rest, "\t")
		switch {
		case line == "" || line[0] == '#':
		case kind == "skip" && strings.Contains(rest, " "):
			name, _, _ := strings.Cut(rest, " ")
			d.skip[name] = true
		case kind == "drop" && len(fields) == 2:
			d.drop = append(d.drop, regexp.MustCompile(fields[0]))
		case kind == "known" && len(fields) == 4:
			d.known = append(d.known, &answers{
				command: regexp.MustCompile("^(" + fields[0] + ")$"),
				theirs:  regexp.MustCompile(fields[1]), ours: regexp.MustCompile(fields[2]),
			})
		default:
			t.Fatalf("differential.txt: %q", line)
		}
	}
	return d
}

// same tells whether two answers are the same as far as the list says.
func (d *differential) same(name, theirs, ours string) bool {
	for _, r := range d.drop {
		theirs, ours = r.ReplaceAllString(theirs, ""), r.ReplaceAllString(ours, "")
	}
	if theirs == ours {
		return true
	}
	for _, k := range d.known {
		if k.command.MatchString(name) && k.theirs.MatchString(theirs) && k.ours.MatchString(ours) {
			k.seen++
			return true
		}
	}
	return false
}

// TestDifferential sends the same random commands to the binary and to the QEMU
// that is installed, valid ones and others, and compares the answers. Which may
// differ, and why, stands in testdata/differential.txt.
func TestDifferential(t *testing.T) {
	qemu, ok := programs(t)["QEMU"]
	if !ok {
		return
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again: go test -run TestDifferential -seed %d -commands %d", *seed, *count)
	d := readDifferential(t)
	g := &generator{Rand: rand.New(rand.NewPCG(*seed, 0))}
	differ, sent, by := 0, 0, map[string]int{}
	for sent < *count {
		theirs, ours := beginDialogue(t, qemu), beginDialogue(t, binary)
		if g.schema == nil {
			g.learn(t, theirs, ours, d)
		}
		n, wrong := g.compare(t, d, theirs, ours, by)
		sent, differ = sent+n, differ+wrong
		theirs.end()
		ours.end()
		if t.Failed() && differ > 50 {
			break
		}
	}
	t.Logf("%d commands, %d kinds; %d differences that are not listed", sent, len(g.commands), differ)
	if differ > 0 {
		t.Logf("by command: %v", by)
	}
}

// learn takes the schema of both and the commands that both have.
func (g *generator) learn(t *testing.T, theirs, ours *dialogue, d *differential) {
	t.Helper()
	var schema, mine []entity
	for _, x := range []struct {
		from *dialogue
		to   *[]entity
	}{{theirs, &schema}, {ours, &mine}} {
		var answer struct{ Return json.RawMessage }
		text := x.from.ask([]string{`{"execute":"query-qmp-schema"}`})[0]
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(answer.Return, x.to); err != nil {
			t.Fatal(err)
		}
	}
	g.schema = map[string]entity{}
	for _, e := range mine {
		g.schema[e.Name] = e
	}
	other := map[string]entity{}
	for _, e := range schema {
		other[e.Name] = e
	}
	seen := map[string]bool{}
	for _, e := range schema {
		if o, ok := g.schema[e.Name]; ok && e.MetaType == "command" && o.MetaType == "command" && !d.skip[e.Name] {
			g.commands = append(g.commands, e.Name)
			prune(g.schema, other, o.Arg, e.Arg, seen)
		}
	}
	slices.Sort(g.commands)
}

// compare sends some commands to both and counts those whose answers were
// compared, and of them those that differ. It ends with the first command that
// only one of the two has carried out.
func (g *generator) compare(t *testing.T, d *differential, theirs, ours *dialogue, by map[string]int) (compared, differ int) {
	t.Helper()
	names, lines := make([]string, inOneProcess), make([]string, inOneProcess)
	for i := range lines {
		names[i], lines[i] = g.command()
	}
	first := make(chan []string, 1)
	go func() { first <- theirs.ask(lines) }()
	b := ours.ask(lines)
	a := <-first
	for i := range lines {
		switch {
		case i >= len(a) || i >= len(b):
			t.Errorf("%s: QEMU answered %d of %d, this build %d; the next is %.300s", names[i], len(a), len(lines), len(b), lines[i])
			return i + 1, differ + 1
		case !d.same(names[i], a[i], b[i]):
			if by[names[i]]++; by[names[i]] <= 3 {
				t.Errorf("%.400s\nQEMU %.600s\nours %.600s", lines[i], a[i], b[i])
			}
			differ++
		}
		if done(a[i]) != done(b[i]) {
			return i + 1, differ
		}
	}
	return len(lines), differ
}

// done tells whether an answer says that the command was carried out.
func done(answer string) bool { return strings.Contains(answer, `"return": `) }

// dialogue is a QMP conversation with a program over its standard input and output.
type dialogue struct {
	t   *testing.T
	cmd *exec.Cmd
	to  io.WriteCloser
	out *bufio.Reader
}

// beginDialogue starts a program with some things to play with.
func beginDialogue(t *testing.T, program string) *dialogue {
	t.Helper()
	return beginDialogueIn(t, t.TempDir(), program, "-blockdev", "driver=null-co,node-name=n0,size=1048576,read-zeroes=on",
		"-drive", "if=none,id=d0,format=null-co,node-name=nd0", "-object", "rng-builtin,id=o1", "-object", "throttle-group,id=tg")
}

// beginDialogueIn starts a program in a folder, with two root ports.
func beginDialogueIn(t *testing.T, dir, program string, args ...string) *dialogue {
	t.Helper()
	c := &dialogue{t: t, cmd: exec.Command(program, append([]string{"-M", "virt", "-m", "64", "-nodefaults", "-display", "none", "-S", "-bios", "none",
		"-device", "pcie-root-port,id=rp0,chassis=1", "-device", "pcie-root-port,id=rp1,chassis=2", "-qmp", "stdio"}, args...)...)}
	c.cmd.Dir = dir
	to, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.to, c.out, c.cmd.Stderr = to, bufio.NewReaderSize(out, 1<<20), os.Stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.ask([]string{`{"execute":"qmp_capabilities"}`})
	return c
}

func (c *dialogue) end() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // killed: its status says nothing
}

// mark is the id of what is asked after each command, so that its answers, of
// which there may be none or many, are known to be complete.
func mark(i int) string { return fmt.Sprintf("mark %d", i) }

// ask sends lines and returns what was answered to each, without events. The
// list is shorter if the program ended.
func (c *dialogue) ask(lines []string) (answers []string) {
	go func() {
		w := bufio.NewWriter(c.to)
		for i, line := range lines {
			if !json.Valid([]byte(line)) {
				line += "\xff" // brings the parser back from whatever was begun
			}
			fmt.Fprintf(w, "%s\n{\"execute\":\"query-uuid\",\"id\":%q}\n", line, mark(i))
		}
		_ = w.Flush() // a program that has ended is noticed by who reads
	}()
	stuck := time.AfterFunc(patience, func() {
		c.t.Errorf("%s does not answer", c.cmd.Path)
		_ = c.cmd.Process.Kill()
	})
	defer stuck.Stop()
	var said []string
	for len(answers) < len(lines) {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return answers
		}
		stuck.Reset(patience)
		line = redact([]byte(strings.TrimRight(line, "\r\n")))
		switch {
		case strings.Contains(line, quote(mark(len(answers)))):
			answers, said = append(answers, strings.Join(said, "\n")), nil
		case !strings.Contains(line, `"event": `) && !strings.HasPrefix(line, `{"QMP"`):
			said = append(said, line)
		}
	}
	return answers
}
