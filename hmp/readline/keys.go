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
	keyKillWord
	keyKillLine
	keyTab
	keyClear
)

// controlKeys are the single bytes with a meaning of their own.
var controlKeys = [256]key{
	'A' & 31: keyHome,
	'D' & 31: keyDelete,
	'E' & 31: keyEnd,
	'H' & 31: keyBackspace,
	'I' & 31: keyTab,
	'J' & 31: keyEnter,
	'L' & 31: keyClear,
	'M' & 31: keyEnter,
	'N' & 31: keyDown,
	'P' & 31: keyUp,
	'U' & 31: keyKillLine,
	'W' & 31: keyKillWord,
	127:      keyBackspace,
}

// csiKeys are the final bytes of ESC [ sequences without a number.
var csiKeys = [256]key{
	'A': keyUp, 'F': keyUp,
	'B': keyDown, 'E': keyDown,
	'C': keyRight,
	'D': keyLeft,
}

// tildeKeys are the numbers of ESC [ number ~.
var tildeKeys = [...]key{1: keyHome, 3: keyDelete, 4: keyEnd}

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
// followed by a byte that starts no sequence swallows that byte too.
type decoder struct {
	state decodeState
	param int
}

func (d *decoder) next(b byte) (key, byte) {
	switch d.state {
	case stateEscape:
		d.escape(b)
	case stateCSI:
		return d.csi(b), 0
	case stateSS3:
		d.state = stateNormal
		return ss3Keys[b], 0
	default:
		return d.normal(b)
	}
	return keyNone, 0
}

func (d *decoder) normal(b byte) (key, byte) {
	switch {
	case b == escape:
		d.state = stateEscape
	case b == csi:
		d.state, d.param = stateCSI, 0
	case controlKeys[b] != keyNone:
		return controlKeys[b], 0
	case b >= 32:
		return keyChar, b
	}
	return keyNone, 0
}

func (d *decoder) escape(b byte) {
	switch b {
	case '[':
		d.state, d.param = stateCSI, 0
	case 'O':
		d.state = stateSS3
	default:
		d.state = stateNormal
	}
}

func (d *decoder) csi(b byte) key {
	if b >= '0' && b <= '9' {
		d.param = min(d.param*10+int(b-'0'), maxParam)
		return keyNone
	}
	d.state = stateNormal
	if b != '~' {
		return csiKeys[b]
	}
	if d.param < len(tildeKeys) {
		return tildeKeys[d.param]
	}
	return keyNone
}
