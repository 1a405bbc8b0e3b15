package readline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminal is the screen line that an editor draws on, as far as the editor
// uses one.
type terminal struct {
	cells  []rune
	cursor int
	lines  []string // those that scrolled away
}

func (s *terminal) write(text string) {
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "\x1b[D"):
			s.cursor--
			i += 2
		case strings.HasPrefix(text[i:], "\x1b[C"):
			s.cursor++
			i += 2
		case strings.HasPrefix(text[i:], "\x1b[K"):
			s.cells = s.cells[:s.cursor]
			i += 2
		case strings.HasPrefix(text[i:], "\x1b[2J\x1b[1;1H"):
			s.cells, s.cursor, s.lines = nil, 0, nil
			i += len("\x1b[2J\x1b[1;1H") - 1
		case text[i] == '\n':
			s.lines = append(s.lines, string(s.cells))
			s.cells, s.cursor = nil, 0
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			s.put(r)
			i += n - 1
		}
	}
}

func (s *terminal) put(r rune) {
	if s.cursor == len(s.cells) {
		s.cells = append(s.cells, r)
	} else {
		s.cells[s.cursor] = r
	}
	s.cursor++
}

// check fails unless the screen shows what the editor holds. In the middle of a
// character it waits for the rest.
func (s *terminal) check(t *testing.T, e *Editor) {
	t.Helper()
	line, cursor := e.Line()
	if !wholeRunes([]byte(line[:cursor])) {
		return
	}
	before := []rune("> " + line[:cursor])
	if !slices.Equal(s.cells, []rune("> "+line)) || s.cursor != len(before) {
		t.Fatalf("screen %q cursor %d, line %q cursor %d", s.cells, s.cursor, line, cursor)
	}
}

func newTest(complete Completer) (*Editor, *terminal) {
	s := &terminal{}
	e := New("> ", s.write, complete)
	e.ShowPrompt()
	return e, s
}

// typeIn feeds keys and prompts again after each line, which it returns.
func typeIn(e *Editor, keys string) (lines []string) {
	for i := range len(keys) {
		if line, done := e.Feed(keys[i]); done {
			lines = append(lines, line)
			e.ShowPrompt()
		}
	}
	return lines
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name, keys, line string
		cursor           int
	}{
		{"insert", "ac\x1b[Db", "abc", 2},
		{"home and end", "b\x01a\x05c", "abc", 3},
		{"xterm home and end", "b\x1bOHa\x1bOFc", "abc", 3},
		{"vt home and end", "b\x1b[1~a\x1b[4~c", "abc", 3},
		{"left and right stop at the ends", "a\x1b[C\x1b[C\x1b[D\x1b[D\x1b[Db", "ba", 1},
		{"eight-bit sequences", "b\x9bDa", "ab", 1},
		{"delete", "abc\x01\x04\x1b[3~", "c", 0},
		{"delete at the end", "a\x04", "a", 1},
		{"backspace", "abc\x08\x7f", "a", 1},
		{"backspace at the start", "a\x01\x08", "a", 0},
		{"kill to the start", "abcd\x1b[D\x15", "d", 0},
		{"kill word", "one two  \x17", "one ", 4},
		{"kill word inside", "one two\x1b[D\x17", "one o", 4},
		{"clear keeps the line", "ab\x1b[D\x0c", "ab", 1},
		{"abandon", "\x1b[Aabc\x1b[D\x03de", "de", 2},
		{"abandon nothing", "\x03\x03", "", 0},
		{"unknown keys", "\x00\x1b[Z\x1b[7~\x1b[~\x1bOX\x1bqa", "a", 1},
		{"a number without end", "\x1b[" + strings.Repeat("9", 1000) + "~a", "a", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, s := newTest(nil)
			typeIn(e, c.keys)
			if line, cursor := e.Line(); line != c.line || cursor != c.cursor {
				t.Errorf("line %q cursor %d", line, cursor)
			}
			s.check(t, e)
		})
	}
}

func TestLineIsBounded(t *testing.T) {
	e, _ := newTest(func(string) (int, []string) { return 0, []string{strings.Repeat("w", 9000)} })
	typeIn(e, strings.Repeat("x", MaxLine-10))
	typeIn(e, "\t12345678901234567890")
	lines := typeIn(e, "\r")
	if len(lines) != 1 || len(lines[0]) != MaxLine {
		t.Fatalf("got %d lines, first of %d bytes", len(lines), len(lines[0]))
	}
}

func TestHistory(t *testing.T) {
	const up, down = "\x1b[A", "\x1b[B"
	e, s := newTest(nil)
	if got := typeIn(e, up+down+"one\rtwo\r\rthree\n"); !slices.Equal(got, []string{"one", "two", "", "three"}) {
		t.Fatalf("lines %q", got)
	}
	for _, c := range []struct{ keys, line string }{
		{up, "three"}, {up, "two"}, {up, "one"}, {up, "one"},
		{down, "two"}, {down, "three"}, {down, ""}, {down, ""},
		{"\x10\x10", "two"}, {"\x0e", "three"},
	} {
		typeIn(e, c.keys)
		if line, _ := e.Line(); line != c.line {
			t.Errorf("after %q: %q, want %q", c.keys, line, c.line)
		}
		s.check(t, e)
	}
	typeIn(e, up+"\r") // "two" moves to the end
	if got := e.History(); !slices.Equal(got, []string{"one", "three", "two"}) {
		t.Errorf("history %q", got)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	e, _ := newTest(nil)
	for i := range 3 * MaxHistory {
		typeIn(e, fmt.Sprintf("line %d\r", i))
	}
	typeIn(e, fmt.Sprintf("line %d\r", 2*MaxHistory))
	got := e.History()
	if len(got) != MaxHistory || got[0] != fmt.Sprintf("line %d", 2*MaxHistory+1) || got[MaxHistory-1] != fmt.Sprintf("line %d", 2*MaxHistory) {
		t.Errorf("%d entries, %q to %q", len(got), got[0], got[len(got)-1])
	}
}

func TestSecret(t *testing.T) {
	e, s := newTest(nil)
	e.SetPrompt("> ", true)
	typeIn(e, "pass")
	if string(s.cells) != "> ****" {
		t.Errorf("screen %q", s.cells)
	}
	if got := typeIn(e, "\r"); !slices.Equal(got, []string{"pass"}) || len(e.History()) != 0 {
		t.Errorf("line %q, history %q", got, e.History())
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  []string
		typed  int
		line   string
		screen []string
	}{
		{"none", nil, 1, "a", nil},
		{"single", []string{"abc"}, 1, "abc ", nil},
		{"twice the same", []string{"abc", "abc"}, 1, "abc ", nil},
		{"folder", []string{"abc/"}, 1, "abc/", nil},
		{"empty", []string{""}, 0, "a", nil},
		{"shorter than typed", []string{""}, 5, "a", nil},
		{"several", []string{"abcd", "abce"}, 1, "abc", []string{"> a", "abcd      abce      "}},
		{"sorted in columns", []string{"axx", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ayy"}, 1, "a", []string{
			"> a",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  axx" + strings.Repeat(" ", 36),
			"ayy" + strings.Repeat(" ", 36),
		}},
		{"wider than the screen", []string{"b", "a" + strings.Repeat("x", 90)}, 0, "a", []string{
			"> a", "a" + strings.Repeat("x", 90), "b" + strings.Repeat(" ", 79),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, s := newTest(func(line string) (int, []string) {
				if line != "a" {
					t.Errorf("asked for %q", line)
				}
				return c.typed, c.words
			})
			typeIn(e, "a\t")
			if line, _ := e.Line(); line != c.line {
				t.Errorf("line %q", line)
			}
			if !slices.Equal(s.lines, c.screen) {
				t.Errorf("screen %q", s.lines)
			}
			s.check(t, e)
		})
	}
}

// TestKeysOfOurOwn are those that QEMU's monitor does not know.
func TestKeysOfOurOwn(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"abc\x02\x02x", "axbc"},                         // Ctrl-B
		{"abc\x01\x06x", "axbc"},                         // Ctrl-F
		{"abc def\x01\x06\x0b", "a"},                     // Ctrl-K
		{"abc def\x01\x06\x0b\x19\x19", "abc defbc def"}, // Ctrl-Y
		{"abc def\x17\x19\x19", "abc defdef"},            // what Ctrl-W took
		{"abc\x15x\x19", "xabc"},                         // what Ctrl-U took
		{"one two\x1bbx", "one xtwo"},                    // Alt-B
		{"one two\x01\x1bfx", "onex two"},                // Alt-F
		{"one two\x01\x1bd", " two"},                     // Alt-D
		{"one two\x1b\x7f", "one "},                      // Alt-Backspace
		{"one two\x1b[1;5Dx", "one xtwo"},                // Ctrl-Left
		{"one two\x1b[H\x1b[1;5Cx", "onex two"},          // Home, Ctrl-Right
		{"abc\x1b[H\x1b[Fx", "abcx"},                     // End
		{"abc\x1b[7~x\x1b[8~y", "xabcy"},                 // rxvt's Home and End
		{"abc\x1b[1;99;1Zx", "abcx"},                     // a sequence nobody knows
	} {
		e, s := newTest(nil)
		typeIn(e, c.keys)
		if line, _ := e.Line(); line != c.want {
			t.Errorf("%q: %q, want %q", c.keys, line, c.want)
		}
		s.check(t, e)
	}
	e, _ := newTest(nil)
	e.SetPrompt("> ", true)
	typeIn(e, "secret\x15\x19")
	if line, _ := e.Line(); line != "" {
		t.Errorf("a password comes back: %q", line)
	}
}

func TestCompletionsAreBounded(t *testing.T) {
	e, s := newTest(func(string) (int, []string) {
		var words []string
		for i := range 1000 {
			words = append(words, fmt.Sprintf("%06d", i))
		}
		return 0, words
	})
	typeIn(e, "\t")
	if n := len(strings.Fields(strings.Join(s.lines[1:], " "))); n != MaxCompletions {
		t.Errorf("%d candidates shown", n)
	}
}

func FuzzEditor(f *testing.F) {
	f.Add([]byte("abc\x1b[D\x1b[Dx\x17\x15\t\r\x1b[A\x0c"))
	f.Add([]byte("ab\x1b[D\x03c\x1b[A\x03"))
	f.Add([]byte("\x9b3~\x1bOH\x1b[99999999999999999999~\x04"))
	f.Fuzz(func(t *testing.T, keys []byte) {
		if len(keys) > 2000 {
			return // the whole screen is looked at after each
		}
		e, s := newTest(func(line string) (int, []string) { return len(line), []string{line + "x", line + "yz"} })
		for _, b := range keys {
			if line, done := e.Feed(b); done {
				if len(line) > MaxLine {
					t.Fatalf("a line of %d bytes", len(line))
				}
				e.ShowPrompt()
			}
			s.check(t, e)
		}
		if len(e.History()) > MaxHistory {
			t.Fatal("history has no bound")
		}
	})
}

// TestAbandon: the line that was left stays on the screen and out of the history.
func TestAbandon(t *testing.T) {
	e, s := newTest(nil)
	typeIn(e, "one\rtwo\x1b[A\x03three\x1b[A\x1b[D\x1b[B\x03")
	if got := e.History(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("history %q", got)
	}
	if want := []string{"> one", "> one^C", "> three^C"}; !slices.Equal(s.lines, want) {
		t.Errorf("screen %q, want %q", s.lines, want)
	}
	if typeIn(e, "\x1b[A\x1b[B"); string(s.cells) != "> " {
		t.Errorf("behind the newest line is %q", s.cells)
	}
	s.check(t, e)
}

// BenchmarkFeed types a command of usual length and starts over.
func BenchmarkFeed(b *testing.B) {
	e := New("(qemu) ", func(string) {}, nil)
	keys := []byte("device_add virtio-blk-pci,id=d0,bus=rp0\r")
	b.ReportAllocs()
	for b.Loop() {
		for _, k := range keys {
			e.Feed(k)
		}
	}
}
