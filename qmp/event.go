package qmp

// Event is something a server tells its clients unasked. Data is a *qobject.Dict,
// a [qobject.Marshaler] that gives one, or nil for an event without data. An
// Event is immutable once sent.
type Event struct {
	Name string
	Data any
}

// Timestamp is when an event happened, in wall-clock time. QEMU sends -1 for
// both members when it cannot tell the time.
type Timestamp struct {
	Seconds      int64
	Microseconds int64
}
