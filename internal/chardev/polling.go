package chardev

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollTime is how long a reader polls before it sleeps: as long as a client takes
// for its next command that waits for each reply, and what waking a thread on an
// idle core may cost.
const pollTime = 50 * time.Microsecond

// pollAlone is how long a client must have been the only one to ask for its reader to
// poll. Where several ask, cores have better to do.
const pollAlone = 10 * time.Millisecond

// active is whose input came last, of all machines of the process.
var active struct {
	poller atomic.Pointer[poller]
	since  atomic.Int64 // when it became that; see pollClock
}

// pollClock is the time since the process began.
func pollClock() time.Duration { return time.Since(pollEpoch) }

var pollEpoch = time.Now() // never changes

// A poller makes reading from a socket poll adaptively: when the input before came
// within pollTime, it looks for the next one that long before the reader sleeps.
// So who asks again as soon as it has its reply finds the reader awake, and who
// does not makes it poll once. It belongs to who reads.
type poller struct {
	raw   syscall.RawConn
	look  func(fd uintptr) // poll as a value, made once
	began time.Duration    // when the reader began to wait
	eager bool             // the input before came soon
	ready [1]unix.PollFd
}

// newPoller returns the poller of a socket, nil if it is not worth it: a client of
// this process is better served by the thread that would poll, and one of another
// host is too far.
func newPoller(c syscall.Conn) *poller {
	raw, err := c.SyscallConn()
	if err != nil || !fromOtherProcess(raw) {
		return nil
	}
	return newPollerOf(raw)
}

func newPollerOf(raw syscall.RawConn) *poller {
	p := &poller{raw: raw}
	p.look = p.poll
	return p
}

// fromOtherProcess tells of a socket that another process of this host has connected.
func fromOtherProcess(raw syscall.RawConn) bool {
	var peer *unix.Ucred
	err := raw.Control(func(fd uintptr) {
		peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) // nil if there is no such thing
	})
	return err == nil && peer != nil && peer.Pid != 0 && int(peer.Pid) != os.Getpid()
}

// before is called before a read; it returns when there is input, or polling is over.
func (p *poller) before() {
	p.began = pollClock()
	if p.eager && p.alone() && p.began-time.Duration(active.since.Load()) >= pollAlone {
		_ = p.raw.Control(p.look) // an error: it is closed, as the read will say
	}
}

// after is called after the read.
func (p *poller) after() {
	now := pollClock()
	p.eager = now-p.began < pollTime
	if !p.alone() {
		active.poller.Store(p)
		active.since.Store(int64(now))
	}
}

// alone tells that nobody else has had input since this one had.
func (p *poller) alone() bool { return active.poller.Load() == p }

func (p *poller) poll(fd uintptr) {
	p.ready[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for p.alone() && pollClock()-p.began < pollTime {
		if n, _ := unix.Poll(p.ready[:], 0); n > 0 { // an error: it was interrupted
			return
		}
	}
}
