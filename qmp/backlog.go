package qmp

// MaxQueue is how many parsed requests of one client may wait. It is QEMU's
// number (QMP_REQ_QUEUE_LEN_MAX), and clients can see it: with it full an
// out-of-band command is not read.
const MaxQueue = 8

// Backlog is the rule of back-pressure: when the owner of a session stops
// reading from its client, and when it goes on. It counts; the queue itself is
// the owner's, and so is the lock that guards both.
//
//   - Without out-of-band execution one request is in the house at a time: the
//     reader stops with each request and goes on after its answer.
//   - With it the reader stops when MaxQueue requests wait, and goes on as
//     soon as one of them is taken. The request in work does not count.
//   - Out-of-band requests themselves take no place.
//
// What is not read stays in the client's socket. The mode that counts is the
// one in force when the request was read: qmp_capabilities, which changes it,
// is answered under the rule it came in by.
type Backlog struct {
	waiting int
	running bool
	alone   bool // a request read without OOB is unanswered
}

// Push notes a request that joins the queue of a session in which out-of-band
// execution is on or not. It tells whether the reader has to stop.
func (b *Backlog) Push(oobEnabled bool) (stop bool) {
	b.waiting++
	if !oobEnabled {
		b.alone = true
	}
	return b.Stopped()
}

// Pop notes that the oldest waiting request is taken to be run. It tells
// whether the reader may go on.
func (b *Backlog) Pop() (resume bool) {
	was := b.Stopped()
	b.waiting--
	b.running = true
	return was && !b.Stopped()
}

// Answered notes that the request taken last has been answered. It tells
// whether the reader may go on.
func (b *Backlog) Answered() (resume bool) {
	was := b.Stopped()
	b.running = false
	if b.waiting == 0 {
		b.alone = false
	}
	return was && !b.Stopped()
}

// Clear notes that the client has gone and its queue was emptied. It tells
// whether the reader may go on; it may not while the last client's command is
// in work, if that one was read without out-of-band execution.
func (b *Backlog) Clear() (resume bool) {
	was := b.Stopped()
	b.waiting = 0
	b.alone = b.alone && b.running
	return was && !b.Stopped()
}

// Stopped tells whether the reader has to leave the socket alone.
func (b *Backlog) Stopped() bool { return b.alone || b.waiting >= MaxQueue }

// Waiting returns how many requests are queued.
func (b *Backlog) Waiting() int { return b.waiting }
