package uart16550

import (
	"testing"

	"pgregory.net/rapid"
)

type bench struct {
	*Device
	sent    []byte
	blocked bool
	line    bool
	ready   int
}

func newBench() *bench {
	b := &bench{}
	b.Device = New(Config{
		Send: func(c byte) bool {
			if !b.blocked {
				b.sent = append(b.sent, c)
			}
			return !b.blocked
		},
		IRQ:          func(l bool) { b.line = l },
		ReceiveReady: func() { b.ready++ },
	})
	return b
}

func (b *bench) get(off uint64) byte {
	v, _ := b.Read(off, 1)
	return byte(v)
}

func (b *bench) set(off uint64, v byte) { b.Write(off, 1, uint64(v)) }

func TestTransmit(t *testing.T) {
	b := newBench()
	for _, c := range []byte("hello") {
		if b.get(regLSR)&(lsrTHRE|lsrTEMT) != lsrTHRE|lsrTEMT {
			t.Fatal("transmitter not empty")
		}
		b.set(regData, c)
	}
	if string(b.sent) != "hello" {
		t.Errorf("sent %q", b.sent)
	}
}

func TestTransmitInterrupt(t *testing.T) {
	b := newBench()
	b.set(regIER, ierTransmit)
	if !b.line || b.get(regIIR) != iirTransmit {
		t.Fatal("enabling the interrupt on an empty transmitter does not raise it")
	}
	if b.line || b.get(regIIR) != iirNone {
		t.Fatal("reading IIR does not clear it")
	}
	b.set(regData, 'x')
	if !b.line {
		t.Error("no interrupt after the byte has gone")
	}
}

func TestBackPressure(t *testing.T) {
	b := newBench()
	b.set(regIIR, fcrEnable)
	b.set(regIER, ierTransmit)
	b.get(regIIR)
	b.blocked = true
	for i := range 16 {
		b.set(regData, byte('a'+i))
	}
	if b.get(regLSR)&lsrTHRE != 0 || b.line {
		t.Error("transmitter claims to be empty")
	}
	b.set(regData, '!') // one too many
	b.blocked = false
	b.Writable()
	if string(b.sent) != "bcdefghijklmnop!" {
		t.Errorf("sent %q", b.sent)
	}
	if !b.line || b.get(regLSR)&lsrTHRE == 0 {
		t.Error("empty again, but nobody is told")
	}
}

func TestReceive(t *testing.T) {
	b := newBench()
	b.set(regIIR, fcrEnable|2<<fcrTrigger)
	b.set(regIER, ierReceive)
	if n := b.CanReceive(); n != 16 {
		t.Fatalf("room for %d, want 16", n)
	}
	b.Receive([]byte("1234567"))
	if !b.line || b.get(regIIR) != iirTimeout|iirFIFO {
		t.Error("below the trigger level: want the time-out interrupt")
	}
	b.Receive([]byte("89abcdefg"))
	if b.get(regIIR) != iirReceive|iirFIFO {
		t.Error("above the trigger level: want the receive interrupt")
	}
	if b.CanReceive() != 0 {
		t.Error("room in a full FIFO")
	}
	var got []byte
	for b.get(regLSR)&lsrData != 0 {
		got = append(got, b.get(regData))
	}
	if string(got) != "123456789abcdefg" || b.line || b.ready != 1 {
		t.Errorf("read %q, line %v, told ready %d times", got, b.line, b.ready)
	}
	if b.get(regData) != 0 {
		t.Error("an empty receiver has data")
	}
}

func TestOverrun(t *testing.T) {
	b := newBench()
	b.set(regIER, ierLine)
	b.Receive([]byte("ab"))
	if !b.line || b.get(regIIR) != iirLine {
		t.Error("no line status interrupt")
	}
	if v := b.get(regLSR); v&lsrOverrun == 0 || b.get(regLSR)&lsrOverrun != 0 {
		t.Errorf("LSR %#x: the overrun shows once", v)
	}
	if b.get(regData) != 'a' {
		t.Error("the byte before the overrun is lost")
	}
	b.Break()
	if b.get(regLSR)&lsrBreak == 0 {
		t.Error("no break")
	}
}

func TestDivisorAndScratch(t *testing.T) {
	b := newBench()
	b.set(regLCR, lcrDLAB|3)
	b.set(regData, 0x34)
	b.set(regIER, 0x12)
	if b.divisor != 0x1234 || b.get(regData) != 0x34 || b.get(regIER) != 0x12 {
		t.Errorf("divisor %#x", b.divisor)
	}
	b.set(regLCR, 3)
	b.set(regSCR, 0x5a)
	if b.get(regIER) != 0 || b.get(regSCR) != 0x5a || b.get(regLCR) != 3 || len(b.sent) != 0 {
		t.Error("DLAB reaches beyond the divisor")
	}
}

func TestLoopback(t *testing.T) {
	b := newBench()
	b.set(regMCR, mcrLoopback|mcrRTS|mcrOut2)
	if v := b.get(regMSR); v&0xf0 != msrCTS|msrDCD {
		t.Errorf("MSR %#x", v)
	}
	b.set(regData, 'x')
	if len(b.sent) != 0 || b.get(regData) != 'x' {
		t.Error("the byte did not come back")
	}
	if b.CanReceive() != 0 {
		t.Error("room for the outside in loopback mode")
	}
	b.set(regMCR, 0)
	if b.ready != 1 {
		t.Error("nobody told that loopback has ended")
	}
}

func TestFIFODetection(t *testing.T) {
	b := newBench()
	if b.get(regIIR) != iirNone {
		t.Errorf("IIR %#x after reset", b.get(regIIR))
	}
	b.set(regIIR, fcrEnable)
	if b.get(regIIR) != iirNone|iirFIFO {
		t.Error("a 16550A shows its FIFOs in IIR")
	}
	b.Receive([]byte("abc"))
	b.set(regIIR, fcrEnable|fcrClearRecv)
	if b.get(regLSR)&lsrData != 0 {
		t.Error("clearing leaves data")
	}
	b.Receive([]byte("abc"))
	b.set(regIIR, 0) // switching FIFOs clears them
	if b.get(regLSR)&lsrData != 0 || b.CanReceive() != 1 {
		t.Error("switching FIFOs off leaves data")
	}
}

func TestAccessSizes(t *testing.T) {
	b := newBench()
	if _, ok := b.Read(8, 1); ok || b.Write(8, 1, 0) {
		t.Error("accesses outside are accepted")
	}
	b.Write(regSCR, 4, 0x12345678)
	if v, ok := b.Read(regSCR, 4); !ok || v != 0x78 {
		t.Errorf("a wide access reads %#x, %v; want its register", v, ok)
	}
}

// TestAnyRegisters: whatever a guest does, nothing panics, bounds hold and
// the line is what IIR says.
func TestAnyRegisters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		t.Repeat(map[string]func(*rapid.T){
			"read":  func(t *rapid.T) { b.get(rapid.Uint64Range(0, 9).Draw(t, "o")) },
			"write": func(t *rapid.T) { b.set(rapid.Uint64Range(0, 9).Draw(t, "o"), rapid.Byte().Draw(t, "v")) },
			"recv":  func(t *rapid.T) { b.Receive(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "p")) },
			"block": func(t *rapid.T) { b.blocked = rapid.Bool().Draw(t, "b"); b.Writable() },
			"": func(t *rapid.T) {
				if b.recv.n > fifoSize || b.xmit.n > fifoSize || b.CanReceive() > fifoSize {
					t.Fatal("a FIFO outgrew itself")
				}
				if b.Device.line != (b.interrupt() != iirNone) || b.line != b.Device.line {
					t.Fatal("the line is not what IIR says")
				}
			},
		})
	})
}

func BenchmarkTransmit(b *testing.B) {
	d := New(Config{IRQ: func(bool) {}})
	b.ReportAllocs()
	for b.Loop() {
		d.Write(regData, 1, 'x')
		d.Read(regLSR, 1)
	}
}
