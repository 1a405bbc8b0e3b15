package chardev

import (
	"sync"
	"syscall"
)

// The bytes of RFC 854 that are looked at, and the options of RFC 856 to 858 and 860.
const (
	telnetSE    = 240
	telnetBreak = 243
	telnetIP    = 244
	telnetSB    = 250
	telnetWill  = 251
	telnetDo    = 253
	telnetDont  = 254
	telnetIAC   = 255

	optionBinary   = 0
	optionEcho     = 1
	optionSuppress = 3
	optionMark     = 6
)

// telnetOffer is what a server says first, the same that QEMU does: it echoes,
// has no turns, and both sides send eight bits.
var telnetOffer = [...]byte{
	telnetIAC, telnetWill, optionEcho,
	telnetIAC, telnetWill, optionSuppress,
	telnetIAC, telnetWill, optionBinary,
	telnetIAC, telnetWill + 2, optionBinary,
}

// telnetMark answers who asks for a timing mark: a client that has sent an interrupt
// may show nothing before it.
var telnetMark = [...]byte{telnetIAC, telnetWill, optionMark}

// An Interrupter is a connection by which an interrupt may come that is no key:
// telnet's Interrupt Process or Break.
type Interrupter interface {
	Conn
	// InterruptAs has Read return the key in its place. It is for use before Read.
	InterruptAs(key byte)
}

// A telnetConn speaks telnet on a socket. Only a server offers anything;
// neither answers offers, so that there can be no loop.
type telnetConn struct {
	*socketConn
	server  bool
	onBreak func()

	in telnetDecoder // the reader's

	writing sync.Mutex
	greeted bool
	escaped []byte // for Write
}

// Read takes input and gives what is left without telnet's commands. It reads
// again if that is nothing.
func (t *telnetConn) Read(p []byte) (int, error) {
	for {
		if err := t.greet(); err != nil {
			return 0, err
		}
		n, err := t.socketConn.Read(p)
		kept, breaks := t.in.decode(p[:n])
		for range breaks {
			t.onBreak()
		}
		if err := t.mark(); err != nil {
			return kept, err
		}
		if kept > 0 || err != nil || len(p) == 0 {
			return kept, err
		}
	}
}

// Write sends p with IAC written twice.
func (t *telnetConn) Write(p []byte) (int, error) {
	if err := t.greet(); err != nil {
		return 0, err
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	t.escaped = t.escaped[:0]
	for _, b := range p {
		if b == telnetIAC {
			t.escaped = append(t.escaped, telnetIAC)
		}
		t.escaped = append(t.escaped, b)
	}
	if _, err := t.socketConn.Write(t.escaped); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SyscallConn refuses: what the socket carries is not what Read and Write do.
func (t *telnetConn) SyscallConn() (syscall.RawConn, error) { return nil, errNotRaw }

// InterruptAs implements [Interrupter].
func (t *telnetConn) InterruptAs(key byte) { t.in.interrupt = key }

// mark answers what was read, if it asks for a timing mark.
func (t *telnetConn) mark() error {
	if !t.in.mark {
		return nil
	}
	t.in.mark = false
	t.writing.Lock()
	defer t.writing.Unlock()
	_, err := t.socketConn.Write(telnetMark[:])
	return err
}

// greet makes the offers, once.
func (t *telnetConn) greet() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.greeted || !t.server {
		return nil
	}
	t.greeted = true
	_, err := t.socketConn.Write(telnetOffer[:])
	return err
}

// The states of a telnetDecoder.
const (
	telnetText = iota
	telnetCR   // behind a carriage return, while input is not binary
	telnetCommand
	telnetVerb // behind WILL, WONT, DO, DONT: an option follows
	telnetSub  // between SB and SE
	telnetSubCommand
)

// A telnetDecoder takes the commands out of a stream. Its zero value is at the
// beginning.
type telnetDecoder struct {
	state  int
	verb   byte
	binary bool // the other side has said that it sends eight bits
	mark   bool // it has asked for a timing mark
	// interrupt is the key that stands for an interrupt or a break; 0 for none.
	interrupt byte
}

// decode moves the text of p to its beginning and returns its length, and how
// often a break was sent. Whatever the bytes are, it takes them all: unknown
// commands and options are passed over.
func (d *telnetDecoder) decode(p []byte) (kept, breaks int) {
	for _, b := range p {
		switch d.state {
		case telnetCR:
			d.state = telnetText
			if b == 0 { // CR NUL is a bare CR
				continue
			}
			fallthrough
		case telnetText:
			if b == telnetIAC {
				d.state = telnetCommand
				continue
			}
			if b == '\r' && !d.binary {
				d.state = telnetCR
			}
			p[kept] = b
			kept++
		case telnetCommand:
			switch {
			case b == telnetIAC:
				d.state = telnetText
				p[kept] = b
				kept++
			case b >= telnetWill && b <= telnetDont:
				d.state, d.verb = telnetVerb, b
			case b == telnetSB:
				d.state = telnetSub
			default:
				d.state = telnetText
				switch {
				case d.interrupt != 0 && (b == telnetIP || b == telnetBreak):
					p[kept] = d.interrupt
					kept++
				case b == telnetBreak:
					breaks++
				}
			}
		case telnetVerb:
			d.state = telnetText
			switch {
			case b == optionBinary && d.verb <= telnetWill+1:
				d.binary = d.verb == telnetWill
			case b == optionMark && d.verb == telnetDo:
				d.mark = true
			}
		case telnetSub:
			if b == telnetIAC {
				d.state = telnetSubCommand
			}
		case telnetSubCommand:
			d.state = telnetSub
			if b == telnetSE {
				d.state = telnetText
			}
		}
	}
	return kept, breaks
}
