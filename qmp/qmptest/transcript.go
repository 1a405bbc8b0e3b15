package qmptest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
)

// Transcript is a recorded conversation with one fresh QEMU.
type Transcript struct {
	Args   []string // the flags QEMU was run with
	Timing bool     // the order or the count of lines depends on timing
	Note   string
	Steps  []Step
}

// Dir says what happened in a [Step].
type Dir string

// What happens in a conversation.
const (
	In     Dir = "in"     // Raw was sent to QEMU
	Out    Dir = "out"    // Raw was received, a line without its CR LF
	Quiet  Dir = "quiet"  // nothing came for a while
	EOF    Dir = "eof"    // the process ended
	Signal Dir = "signal" // the process was sent a signal
	Wait   Dir = "wait"   // a pause
)

// Step is one line of a recording.
type Step struct {
	Dir Dir
	Raw []byte // of In and Out
}

// ReadTranscript reads the recording in a file: see [ParseTranscript].
func ReadTranscript(path string) (*Transcript, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := ParseTranscript(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return t, nil
}

// ParseTranscript reads a recording of JSON lines: an object with "dir" each,
// and with "raw" (text) or "hex" (bytes) for what was said. Other members but
// those of the first line are not looked at. Errors begin with the number of
// the line.
func ParseTranscript(text []byte) (*Transcript, error) {
	var t Transcript
	number := 0
	for line := range bytes.Lines(text) {
		var err error
		if number++; number == 1 {
			err = json.Unmarshal(line, &t)
		} else {
			var s Step
			s, err = readStep(line)
			t.Steps = append(t.Steps, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", number, err)
		}
	}
	return &t, nil
}

// readStep picks members out of a line without decoding all of it: the values
// in the recordings nest deeper than decoders care to go.
func readStep(line []byte) (s Step, err error) {
	text := func(name string) (value string) {
		_, rest, found := bytes.Cut(line, []byte(`"`+name+`": "`))
		if found && err == nil {
			err = json.NewDecoder(bytes.NewReader(append([]byte{'"'}, rest...))).Decode(&value)
		}
		return value
	}
	s.Dir, s.Raw = Dir(text("dir")), []byte(text("raw"))
	if digits := text("hex"); digits != "" && err == nil {
		s.Raw, err = hex.DecodeString(digits)
	}
	if s.Dir == "" && err == nil {
		err = fmt.Errorf("a step without a direction")
	}
	return s, err
}

// volatile are the parts of a line that differ from run to run, and from one
// version of a server to the next. The table never changes.
var volatile = []struct {
	pattern *regexp.Regexp
	instead []byte
}{
	{regexp.MustCompile(`"timestamp": \{"seconds": -?\d+, "microseconds": -?\d+\}`), []byte(`"timestamp": T`)},
	{regexp.MustCompile(`\{"qemu": \{[^}]*\}, "package": "[^"]*"\}`), []byte(`VERSION`)},
	{regexp.MustCompile(`"thread-id": \d+`), []byte(`"thread-id": N`)},
	{regexp.MustCompile(`"pid": \d+`), []byte(`"pid": N`)},
}

// Redact returns line with what no two runs have in common replaced: times,
// versions, numbers of threads and processes. Lines are to be compared after
// it.
func Redact(line []byte) []byte {
	for _, v := range volatile {
		line = v.pattern.ReplaceAll(line, v.instead)
	}
	return line
}
