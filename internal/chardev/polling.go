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
const pollTime = int64(50 * time.Microsecond)

// pollAlone is how long a client must have been the only one to ask for its reader to
// poll. Where several ask, cores have better to do.
const pollAlone = int64(10 * time.Millisecond)

// An attention is whose input came last, of all sockets of a [Set].
type attention struct {
	now    func() int64 // [sched.World.Now]
	poller atomic.Pointer[poller]
	since  atomic.Int64 // when it became that
}

// A poller makes reading from a socket poll adaptively: when the input before came
// within pollTime, it looks for the next one that long before the reader sleeps.
// So who asks again as soon as it has its reply finds the reader awake, and who
// does not makes it poll once. It belongs to who reads.
type poller struct {
	*attention
	raw   syscall.RawConn
	look  func(fd uintptr) // poll as a value, made once
	began int64            // when the reader began to wait
	eager bool             // the input before came soon
	ready [1]unix.PollFd
}

// newPoller returns the poller of a socket, nil if it is not worth it: a client of
// this process is better served by the thread that would poll, and one of another
// host is too far.
func (a *attention) newPoller(c syscall.Conn) *poller {
	raw, err := c.SyscallConn()
	if err != nil || !fromOtherProcess(raw) {
		return nil
	}
	return a.newPollerOf(raw)
}

func (a *attention) newPollerOf(raw syscall.RawConn) *poller {
	p := &poller{attention: a, raw: raw}
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
	p.began = p.now()
	if p.eager && p.alone() && p.began-p.since.Load() >= pollAlone {
		_ = p.raw.Control(p.look) // an error: it is closed, as the read will say
	}
}

// after is called after the read.
func (p *poller) after() {
	now := p.now()
	p.eager = now-p.began < pollTime
	if !p.alone() {
		p.attention.poller.Store(p)
		p.since.Store(now)
	}
}

// alone tells that nobody else of the Set has had input since this one had.
func (p *poller) alone() bool { return p.attention.poller.Load() == p }

func (p *poller) poll(fd uintptr) {
	p.ready[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for p.alone() && p.now()-p.began < pollTime {
		if n, _ := unix.Poll(p.ready[:], 0); n > 0 { // an error: it was interrupted
			return
		}
	}
}
