package uart16550

// fifoSize is that of the 16550A; without FCR.enable it is 1.
const fifoSize = 16

// fifo is a ring of at most fifoSize bytes.
type fifo struct {
	buf      [fifoSize]byte
	first, n int
}

func (f *fifo) push(b byte, depth int) bool {
	if f.n >= depth {
		return false
	}
	f.buf[(f.first+f.n)%fifoSize] = b
	f.n++
	return true
}

// pop returns the oldest byte, or 0 if there is none.
func (f *fifo) pop() byte {
	if f.n == 0 {
		return 0
	}
	b := f.buf[f.first]
	f.first = (f.first + 1) % fifoSize
	f.n--
	return b
}
