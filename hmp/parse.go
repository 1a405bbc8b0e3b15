package hmp

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// argError refuses the arguments of a command. shown goes to the monitor as it
// stands, reported to Hooks.Report.
type argError struct {
	shown    string
	reported error
}

func (e *argError) Error() string { return strings.TrimSuffix(e.shown, "\n") }

func refuse(format string, a ...any) error {
	return &argError{shown: fmt.Sprintf(format, a...) + "\n"}
}

// argParser reads arguments from a line.
type argParser struct {
	name     string // the command's name in messages, as the table has it
	line     string
	i        int
	register Lookup
	options  func(list, text string) (any, error)
	formats  *FormatDefaults
	args     Args
}

// parse reads all of params and insists on the end of the line. An error is an
// *argError.
func (p *argParser) parse(params []param) (*Args, error) {
	for k := range params {
		if err := p.param(&params[k], params[k+1:]); err != nil {
			return nil, err
		}
	}
	if p.skip(); p.i < len(p.line) {
		return nil, refuse("%s: extraneous characters at the end of line", p.name)
	}
	return &p.args, nil
}

func (p *argParser) skip() { p.i = skipBlanks(p.line, p.i) }

// rest is what is left of the line.
func (p *argParser) rest() string { return p.line[p.i:] }

// param reads one argument; later are those that follow it in the description.
func (p *argParser) param(a *param, later []param) error {
	if a.kind == '-' {
		return p.flag(a, later)
	}
	p.skip()
	if a.optional && p.i == len(p.line) {
		return nil
	}
	switch a.kind {
	case 's', 'F', 'B':
		return p.word(a)
	case 'S':
		return p.remainder(a)
	case 'O':
		return p.optionList(a)
	case '/':
		return p.format(a)
	case 'i', 'l', 'M':
		return p.number(a)
	case 'o':
		return p.size(a)
	case 'T':
		return p.seconds(a)
	default: // 'b': parseParams lets no other through
		return p.onOff(a)
	}
}

func (p *argParser) word(a *param) error {
	word, end, err := readWord(p.line, p.i)
	if err != nil {
		what := "string"
		switch a.kind {
		case 'F':
			what = "filename"
		case 'B':
			what = "block device name"
		}
		return p.badWord(err, fmt.Sprintf("%s: %s expected\n", p.name, what))
	}
	p.args.set(a.key, word)
	p.i = end
	return nil
}

// badWord refuses a missing or badly quoted word. What is wrong with the
// quotes QEMU tells its standard output alone.
func (p *argParser) badWord(err error, shown string) error {
	refused := &argError{shown: shown}
	if !errors.Is(err, errNoWord) {
		refused.reported = err
	}
	return refused
}

func (p *argParser) remainder(a *param) error {
	if p.rest() == "" {
		return refuse("%s: string expected", p.name)
	}
	p.args.set(a.key, p.rest())
	p.i = len(p.line)
	return nil
}

func (p *argParser) optionList(a *param) error {
	if p.rest() == "" {
		return nil
	}
	text, end, err := readWord(p.line, p.i)
	if err != nil {
		return p.badWord(err, "")
	}
	opts := Options{Text: text}
	if p.options != nil {
		if opts.Value, err = p.options(a.key, text); err != nil {
			return &argError{reported: err}
		}
	}
	p.args.set(a.key, opts)
	p.i = end
	return nil
}

// formatSizes are the letters for sizes in a format.
var formatSizes = map[byte]int{'b': 1, 'h': 2, 'w': 4, 'g': 8, 'L': 8}

func (p *argParser) format(a *param) error {
	f := Format{Count: 1, Kind: p.formats.Kind, Size: -1}
	if strings.HasPrefix(p.rest(), "/") {
		p.i++
		if err := p.formatLetters(&f); err != nil {
			return err
		}
	}
	if f.Kind != 'i' { // instructions have their own sizes
		if f.Size < 0 {
			f.Size = p.formats.Size
		}
		p.formats.Size = f.Size
	}
	p.formats.Kind = f.Kind
	p.args.set(a.key, f)
	return nil
}

func (p *argParser) formatLetters(f *Format) error {
	if n := digitRun(p.rest()); n > 0 {
		f.Count = decimal(p.rest()[:n])
		p.i += n
	}
	for ; p.i < len(p.line) && strings.IndexByte(blanks, p.line[p.i]) < 0; p.i++ {
		c := p.line[p.i]
		if size, ok := formatSizes[c]; ok {
			f.Size = size
		} else if strings.IndexByte("oduxic", c) >= 0 {
			f.Kind = c
		} else {
			return refuse("invalid char in format: '%s'", p.line[p.i:p.i+1])
		}
	}
	return nil
}

// decimal reads digits; a count out of range is as large as can be.
func decimal(digits string) int64 {
	var n uint64
	for _, c := range []byte(digits) {
		hi, lo := bits.Mul64(n, 10)
		n = lo + uint64(c-'0')
		if hi != 0 || n > math.MaxInt32 {
			return math.MaxInt32
		}
	}
	return int64(n)
}

func (p *argParser) number(a *param) error {
	if a.dotted {
		if !strings.HasPrefix(p.rest(), ".") {
			return nil
		}
		p.i++
	}
	val, end, err := evalExpr(p.line, p.i, p.register)
	if err != nil {
		return refuse("%v", err)
	}
	p.i = end
	switch {
	case a.kind == 'i' && uint64(val)>>32 != 0:
		return refuse("'%s' has failed: integer is for 32-bit values", p.name)
	case a.kind == 'M' && val < 0:
		return refuse("enter a positive value")
	case a.kind == 'M':
		val <<= 20
	}
	p.args.set(a.key, val)
	return nil
}

func (p *argParser) size(a *param) error {
	size, n, err := parseSize(p.rest())
	if err != nil {
		return refuse("%v", err)
	}
	p.args.set(a.key, size)
	p.i += n
	return nil
}

func (p *argParser) seconds(a *param) error {
	seconds, n, err := parseSeconds(p.rest())
	if err != nil {
		return refuse("%v", err)
	}
	p.args.set(a.key, seconds)
	p.i += n
	return nil
}

func (p *argParser) onOff(a *param) error {
	end := p.i
	for end < len(p.line) && p.line[end] > ' ' && p.line[end] < 127 {
		end++
	}
	switch p.line[p.i:end] {
	case "on":
		p.args.set(a.key, true)
	case "off":
		p.args.set(a.key, false)
	default:
		return refuse("Expected 'on' or 'off'")
	}
	p.i = end
	return nil
}

// flag reads -x if it comes next. A flag that belongs further back is left for
// its turn, so flags are taken in the order of the description only.
func (p *argParser) flag(a *param, later []param) error {
	i := skipBlanks(p.line, p.i)
	if i == len(p.line) || p.line[i] != '-' {
		return nil
	}
	if i+1 == len(p.line) {
		// QEMU formats the missing letter as a NUL byte, which cuts its
		// message off before the end of the line.
		return &argError{shown: fmt.Sprintf("%s: unsupported option -", p.name)}
	}
	if p.line[i+1] != a.flag {
		for k := range later {
			if later[k].kind == '-' && later[k].flag == p.line[i+1] {
				return nil
			}
		}
		return refuse("%s: unsupported option -%s", p.name, p.line[i+1:i+2])
	}
	p.i = i + 2
	if !a.valued {
		p.args.set(a.key, true)
		return nil
	}
	word, end, err := readWord(p.line, p.i)
	if err != nil {
		return p.badWord(err, fmt.Sprintf("%s: value expected for -%c\n", p.name, a.flag))
	}
	p.args.set(a.key, word)
	p.i = end
	return nil
}
