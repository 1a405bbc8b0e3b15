package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// differences are what testdata/differences.txt tells.
type differences map[string]*difference

// difference is what may differ from one recording.
type difference struct {
	skip     string         // why it is not compared at all
	runsOn   bool           // QEMU's process ended at the end; this one does not
	lines    map[int]string // why a line that QEMU says, from 1, is not said so here
	anyOrder bool           // the order of lines depends on timing
	started  bool           // a file of that name was there
}

// readDifferences reads lines of the form
//
//	NAME:LINE,LINE... REASON   these lines of QEMU's are not said
//	-FLAG VALUE REASON         this flag, with this value, is left out
//	NAME:runs-on REASON        QEMU's process ended there
//	NAME REASON                the conversation is not held
func readDifferences(t *testing.T) differences {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := differences{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		head, reason, _ := strings.Cut(line, " ")
		name, numbers, some := strings.Cut(head, ":")
		if head[0] == '-' {
			head, reason, _ = strings.Cut(reason, " ")
			name, some = name+" "+head, false
		}
		if reason = strings.TrimSpace(reason); reason == "" {
			t.Fatalf("differences.txt: no reason in %q", line)
		}
		d := all[name]
		if d == nil {
			d = &difference{lines: map[int]string{}}
			all[name] = d
		}
		switch {
		case !some:
			d.skip = reason
			continue
		case numbers == "runs-on":
			d.runsOn = true
			continue
		}
		for number := range strings.SplitSeq(numbers, ",") {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("differences.txt: %q: %v", line, err)
			}
			d.lines[n] = reason
		}
	}
	return all
}

// missing returns the flags that this build does not have, as "-FLAG VALUE".
func (all differences) missing() (flags []string) {
	for name := range all {
		if name[0] == '-' {
			flags = append(flags, name)
		}
	}
	return flags
}

func (all differences) of(name string) *difference {
	d := all[name]
	if d == nil {
		d = &difference{}
		all[name] = d
	}
	d.started = true
	return d
}

// checkNames finds entries about recordings that there are none of.
func (all differences) checkNames(t *testing.T) {
	if _, err := os.Stat(recordings); err != nil {
		return // most are not there
	}
	for name, d := range all {
		if !d.started && name[0] != '-' {
			t.Errorf("differences.txt: there is no recording %s", name)
		}
	}
}

// same finds which line of want is which of got.
func (d *difference) same(want, got []string) map[int]int {
	if d.anyOrder {
		return match(want, got)
	}
	return common(want, got)
}

// complete tells whether all of want has come but for what is known not to.
func (d *difference) complete(want, got []string) bool {
	if len(got) < len(want)-len(d.lines) {
		return false // and there may be too many to compare at each
	}
	same := d.same(want, got)
	for i := range want {
		if _, found := same[i]; !found && d.lines[i+1] == "" {
			return false
		}
	}
	return true
}

// compare reports lines that differ and should not, and the other way round.
func (d *difference) compare(t *testing.T, want, got []string) {
	t.Helper()
	same := d.same(want, got)
	for i, w := range want {
		reason, known := d.lines[i+1]
		_, found := same[i]
		switch {
		case found && known:
			t.Errorf("line %d is as QEMU's now; remove it from differences.txt (%s)", i+1, reason)
		case !found && !known:
			t.Errorf("%s:%d is missing:\nwant %.600s", t.Name(), i+1, w)
		}
	}
	extra := len(got) - len(same)
	taken := map[int]bool{}
	for _, j := range same {
		taken[j] = true
	}
	if extra > len(d.lines) || t.Failed() {
		for j, g := range got {
			if !taken[j] {
				t.Errorf("this was said, and not by QEMU:\n got %.600s", g)
			}
		}
	}
}

// match finds which line of a is which of b, in any order.
func match(a, b []string) map[int]int {
	at := map[string][]int{}
	for j, line := range b {
		at[line] = append(at[line], j)
	}
	same := map[int]int{}
	for i, line := range a {
		if js := at[line]; len(js) > 0 {
			same[i], at[line] = js[0], js[1:]
		}
	}
	return same
}

// common finds a longest common subsequence: which line of a is which of b.
func common(a, b []string) map[int]int {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	same := map[int]int{}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			same[i] = j
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return same
}
