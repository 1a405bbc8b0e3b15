package readline

// key is what a byte, or an escape sequence, means to the editor.
type key int

const (
	keyNone key = iota // part of a sequence, or nothing we know
	keyChar
	keyEnter
	keyHome
	keyEnd
	keyLeft
	keyRight
	keyUp
	keyDown
	keyDelete
	keyBackspace
	keyKillWord     // the one before the cursor
	keyKillNextWord // the one behind it
	keyKillLine     // what is before the cursor
	keyKillRest     // what is behind it
	keyYank
	keyTranspose
	keyWordLeft
	keyWordRight
	keyTab
	keyClear
	keyAbandon
)

// controlKeys are the single bytes with a meaning of their own: QEMU's, and B, C,
// F, K, T and Y, which mean nothing there.
var controlKeys = [256]key{
	'A' & 31: keyHome,
	'B' & 31: keyLeft,
	'C' & 31: keyAbandon,
	'D' & 31: keyDelete,
	'E' & 31: keyEnd,
	'F' & 31: keyRight,
	'H' & 31: keyBackspace,
	'I' & 31: keyTab,
	'J' & 31: keyEnter,
	'K' & 31: keyKillRest,
	'L' & 31: keyClear,
	'M' & 31: keyEnter,
	'N' & 31: keyDown,
	'P' & 31: keyUp,
	'T' & 31: keyTranspose,
	'U' & 31: keyKillLine,
	'W' & 31: keyKillWord,
	'Y' & 31: keyYank,
	127:      keyBackspace,
}

// csiKeys are the final bytes of ESC [ sequences without a number. H and F are
// what terminals send for Home and End; QEMU ignores the one and takes the other
// for the key that goes up.
var csiKeys = [256]key{
	'A': keyUp,
	'B': keyDown, 'E': keyDown,
	'C': keyRight,
	'D': keyLeft,
	'F': keyEnd,
	'H': keyHome,
}

// ctrlKeys are the final bytes of the same sequences with a modifier behind a
// semicolon: the arrows with Ctrl, Alt or Shift.
var ctrlKeys = [256]key{
	'A': keyUp,
	'B': keyDown,
	'C': keyWordRight,
	'D': keyWordLeft,
	'F': keyEnd,
	'H': keyHome,
}

// altKeys are the bytes behind an escape that begin no sequence.
var altKeys = [256]key{
	'b': keyWordLeft,
	'd': keyKillNextWord,
	'f': keyWordRight,
	127: keyKillWord,
}

// tildeKeys are the numbers of ESC [ number ~.
var tildeKeys = [...]key{1: keyHome, 3: keyDelete, 4: keyEnd, 7: keyHome, 8: keyEnd}

// ss3Keys are the final bytes of ESC O sequences.
var ss3Keys = [256]key{'F': keyEnd, 'H': keyHome}

const (
	escape = 27
	csi    = 155 // the eight-bit form of ESC [
	// maxParam stops a sequence number from growing without end; no key has
	// one as large.
	maxParam = 1000
)

type decodeState int

const (
	stateNormal decodeState = iota
	stateEscape
	stateCSI
	stateSS3
)

// decoder turns bytes into keys. An unknown sequence is swallowed; an escape
// followed by a byte that starts no sequence and is none of altKeys swallows that
// byte too.
type decoder struct {
	state    decodeState
	param    int
	modified bool // a semicolon has come
}

func (d *decoder) next(b byte) (key, byte) {
	switch d.state {
	case stateEscape:
		return d.escape(b), 0
	case stateCSI:
		return d.csi(b), 0
	case stateSS3:
		d.state = stateNormal
		return ss3Keys[b], 0
	default:
		return d.normal(b)
	}
}

func (d *decoder) normal(b byte) (key, byte) {
	switch {
	case b == escape:
		d.state = stateEscape
	case b == csi:
		*d = decoder{state: stateCSI}
	case controlKeys[b] != keyNone:
		return controlKeys[b], 0
	case b >= 32:
		return keyChar, b
	}
	return keyNone, 0
}

func (d *decoder) escape(b byte) key {
	switch b {
	case '[':
		*d = decoder{state: stateCSI}
	case 'O':
		d.state = stateSS3
	default:
		d.state = stateNormal
		return altKeys[b]
	}
	return keyNone
}

func (d *decoder) csi(b byte) key {
	if b >= '0' && b <= '9' {
		if !d.modified {
			d.param = min(d.param*10+int(b-'0'), maxParam)
		}
		return keyNone
	}
	if b == ';' {
		d.modified = true
		return keyNone
	}
	d.state = stateNormal
	switch {
	case b != '~' && d.modified:
		return ctrlKeys[b]
	case b != '~':
		return csiKeys[b]
	}
	if d.param < len(tildeKeys) {
		return tildeKeys[d.param]
	}
	return keyNone
}
