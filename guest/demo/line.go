package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// LogFormat is the version of the log that EventBoot announces as format=.
const LogFormat = 1

// LineMax bounds a log line, without its line feed; ParseLine refuses longer ones.
const LineMax = 256

// The events of the log. Those about a slot carry port= (the root port's
// bus:device.function), slot= (its physical slot number) and, once a card was
// seen, plug= (a count of cards in that slot since boot, from 1); those about
// one function of the card carry bdf= too. Functions on bus 0 have port=none.
const (
	EventBoot        = "boot"         // format, clock (Hz): hart 0 runs
	EventPort        = "port"         // a root port; slot, bus, irq, hotplug, sltcap
	EventReady       = "ready"        // ports, devices: interrupts are on, the other harts are called
	EventHartUp      = "hart-up"      // another hart runs
	EventPresence    = "presence"     // a card was seen in an unpowered or just reset slot
	EventPowerOn     = "power-on"     // power on, indicator blinking
	EventLinkUp      = "link-up"      // us: the card answers
	EventFound       = "found"        // bdf, id (vendor:device), class, driver (or none)
	EventDriverReady = "driver-ready" // bdf, driver; for disks capacity (sectors), ro, generation
	EventUp          = "up"           // indicator on: device_del is now asked of the guest
	EventFirstRead   = "first-read"   // bdf, sector, sum (Sum...), checksum, us since the driver was started
	EventWriteVerify = "write-verify" // bdf, sector, requests, result (ResultOK, ResultBad, ResultBlank), us
	EventRNGRead     = "rng-read"     // bdf, bytes, data (hex), us
	EventIO          = "io"           // bdf, reads, writes, bytes, errors since the plug; every 2 s and at the end
	EventCapacity    = "capacity"     // bdf, capacity, was: the disk was resized
	EventAttention   = "attention"    // the button was pressed: somebody wants the card back
	EventQuiesced    = "quiesced"     // us, dropped: no more requests in flight
	EventPowerOff    = "power-off"    // power and indicator off in one write
	EventRemoved     = "removed"      // surprise (0 or 1): the slot is empty
	EventSurprise    = "surprise"     // the card went without being asked; replaced=1: another is in its place
	EventError       = "error"        // what=, and what it is about
	EventPanic       = "panic"        // what, mcause, mepc, mtval: this hart is parked
)

// Values of sum= in EventFirstRead: what sector 0 says about the disk.
const (
	SumOK      = "ok"      // formatted by FormatDisk, checksum holds
	SumBad     = "bad"     // formatted, but the checksum does not hold
	SumBlank   = "blank"   // all zeros: the guest writes only zeros
	SumForeign = "foreign" // somebody's data: the guest does not write
	SumError   = "error"   // the read failed
)

// ErrorStorm is the what= of an EventError of which the guest recovers: nobody
// answered for an interrupt again and again, and its line was off for a moment.
const ErrorStorm = "interrupt-storm"

// Values of result= in EventWriteVerify.
const (
	ResultOK    = "ok"
	ResultBad   = "bad"
	ResultBlank = "blank"
)

// Field is one key=value of a log line.
type Field struct{ Key, Value string }

// Line is one line of the guest's log.
type Line struct {
	At     time.Duration // guest time since reset
	Hart   int
	Event  string
	Fields []Field // in order
}

// Get returns the value of a field, "" if the line has none of that name.
func (l Line) Get(key string) string {
	for _, f := range l.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// Uint returns a decimal field as a number; false if it is absent or is none.
func (l Line) Uint(key string) (uint64, bool) {
	v, err := strconv.ParseUint(l.Get(key), 10, 64)
	return v, err == nil
}

// Failed says whether the line tells of something gone wrong in the guest: an
// error, a panic, or data that did not hold. An interrupt storm is not: the host
// held a hart up between taking a device off its list and resetting it, and the
// guest goes on.
func (l Line) Failed() bool {
	switch l.Event {
	case EventError:
		return l.Get("what") != ErrorStorm
	case EventPanic:
		return true
	case EventFirstRead:
		return l.Get("sum") == SumBad || l.Get("sum") == SumError
	case EventWriteVerify:
		return l.Get("result") == ResultBad
	case EventIO:
		return l.Get("errors") != "0"
	}
	return false
}

// String is the line as the guest writes it, without a line feed.
func (l Line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%d.%06d] hart%d: %s", l.At/time.Second, l.At%time.Second/time.Microsecond, l.Hart, l.Event)
	for _, f := range l.Fields {
		fmt.Fprintf(&b, " %s=%s", f.Key, f.Value)
	}
	return b.String()
}

// ParseLine reads one line of the log, with or without its line ending. A
// line that is not one of the guest's (another program's output, a torn line)
// is an error that quotes it.
func ParseLine(s string) (Line, error) {
	text := strings.TrimRight(s, "\r\n")
	l, ok := parse(text)
	if !ok || len(text) > LineMax {
		return Line{}, fmt.Errorf("demo: not a log line: %.80q", text)
	}
	return l, nil
}

// parse splits "[S.UUUUUU] hartN: event key=value ...", single spaces between.
func parse(s string) (l Line, ok bool) {
	stamp, rest, ok := cut(s, "[", "] hart")
	if !ok {
		return l, false
	}
	hart, rest, ok := strings.Cut(rest, ": ")
	if !ok {
		return l, false
	}
	if l.At, ok = parseStamp(stamp); !ok {
		return l, false
	}
	n, ok := parseDigits(hart, 3)
	if !ok {
		return l, false
	}
	l.Hart = int(n)
	words := strings.Split(rest, " ")
	if l.Event = words[0]; !isName(l.Event) {
		return l, false
	}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok || !isName(key) || !isValue(value) {
			return l, false
		}
		l.Fields = append(l.Fields, Field{key, value})
	}
	return l, true
}

// cut returns what is between a prefix and the first separator, and the rest.
func cut(s, prefix, separator string) (inner, rest string, ok bool) {
	if s, ok = strings.CutPrefix(s, prefix); !ok {
		return "", "", false
	}
	return strings.Cut(s, separator)
}

func parseStamp(s string) (time.Duration, bool) {
	seconds, micros, ok := strings.Cut(s, ".")
	if !ok || len(micros) != 6 {
		return 0, false
	}
	sec, ok := parseDigits(seconds, 9) // nine digits of seconds are 31 years and fit a Duration
	if !ok {
		return 0, false
	}
	us, ok := parseDigits(micros, 6)
	return time.Duration(sec)*time.Second + time.Duration(us)*time.Microsecond, ok
}

// parseDigits reads 1 to limit decimal digits and nothing else.
func parseDigits(s string, limit int) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > limit {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// isName: lower-case letters, digits and inner hyphens, first a letter.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// isValue: printable ASCII without spaces.
func isValue(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}
