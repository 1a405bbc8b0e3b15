package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// worker is a client that plugs and unplugs. A port, two ids and a disk are
// its own: there it knows what the machine has to answer.
type worker struct {
	*round
	rnd   *rand.Rand
	c     *qmp.Client
	n     int
	image string

	device string     // what is plugged in its own port; "" for nothing
	disk   bool       // that is a disk
	since  qmp.Cursor // before it was plugged

	surprises [2]int // of the guest's in that port, before the last plug and the one before
}

func (r *round) newWorker(n int) *worker {
	w := &worker{round: r, n: n, c: r.client(), image: r.disk(fmt.Sprintf("disk%d", n))}
	r.check(w.addNode())
	return w
}

func (w *worker) port() string    { return fmt.Sprintf("rp%d", w.n) }
func (w *worker) address() string { return fmt.Sprintf("00:%02x.0", w.n+1) }
func (w *worker) node() string    { return fmt.Sprintf("n%d", w.n) }

func (w *worker) addNode() error {
	return w.do("blockdev-add", qobject.Members("driver", "raw", "node-name", w.node(),
		"file", qobject.Members("driver", "file", "filename", w.image)))
}

func (w *worker) do(command string, args *qobject.Dict) error {
	if args == nil {
		args = qobject.NewDict()
	}
	return w.c.Execute(w.ctx, command, args, nil)
}

// expect is nil if err is one of the answers; the answer "" is success, one
// that ends in '*' stands for all that begin so.
func expect(what string, err error, answers ...string) error {
	said, err := says(err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, a := range answers {
		if prefix, open := strings.CutSuffix(a, "*"); said == a || open && strings.HasPrefix(said, prefix) {
			return nil
		}
	}
	return fmt.Errorf("%s: the answer is %q, not one of %q", what, said, answers)
}

// run works sequences off until the round has no more.
func (w *worker) run() error {
	for {
		i := w.next.Add(1)
		if i > int64(w.length) {
			return nil
		}
		w.rnd = rand.New(rand.NewPCG(w.seed, uint64(i)<<8))
		var did []string
		for range 4 + w.rnd.IntN(7) {
			s := w.choose()
			did = append(did, s.name)
			if err := s.do(w); err != nil {
				return fmt.Errorf("sequence %d of client %d (%s): %w", i, w.n, strings.Join(did, ", "), err)
			}
		}
		if err := w.unplug(); err != nil {
			return fmt.Errorf("sequence %d of client %d (%s), at its end: %w", i, w.n, strings.Join(did, ", "), err)
		}
		if w.quits && i == int64(w.length*2/3) {
			return w.do("quit", nil)
		}
	}
}

// step is something a worker does. Chance is how often, compared with others.
type step struct {
	name   string
	chance int
	do     func(w *worker) error
}

// steps never changes.
var steps = []step{
	{"plug", 14, (*worker).plug},
	{"unplug", 8, (*worker).unplug},
	{"unplug twice", 3, (*worker).unplugTwice},
	{"wait for the guest", 5, (*worker).awaitGuest},
	{"plug that fails", 8, (*worker).plugInVain},
	{"plug a full port", 3, (*worker).plugFull},
	{"shared plug", 6, (*worker).plugShared},
	{"shared unplug", 6, (*worker).unplugShared},
	{"disconnect", 4, (*worker).disconnect},
	{"disk away and back", 3, (*worker).renewDisk},
	{"look", 4, (*worker).look},
	{"stop and cont", 2, (*worker).pause},
	{"reset", 1, (*worker).reset},
}

func (w *worker) choose() step {
	total := 0
	for _, s := range steps {
		total += s.chance
	}
	at := w.rnd.IntN(total)
	for _, s := range steps {
		if at -= s.chance; at < 0 {
			return s
		}
	}
	panic("unreachable")
}

// plug plugs a disk or a random-number device into the worker's own port.
func (w *worker) plug() error {
	disk := w.rnd.IntN(3) > 0
	driver, args := "virtio-rng-pci", []any{"bus", w.port()}
	if disk {
		driver, args = "virtio-blk-pci", append(args, "drive", w.node())
	}
	since := w.c.Events().Cursor()
	if id := w.device; id != "" { // with the same id
		err := plug(w.ctx, w.c, driver, id, args...)
		duplicate := fmt.Sprintf("Duplicate device ID '%s'", id)
		return w.unless(expect("plug again", err, duplicate), func() error {
			if err == nil {
				w.has(id, disk, w.since)
			}
			return expect("plug again", err, "", "Permission conflict on node *")
		})
	}
	id := fmt.Sprintf("w%d-%d", w.n, w.rnd.IntN(2))
	if err := expect("plug", plug(w.ctx, w.c, driver, id, args...), ""); err != nil {
		return err
	}
	w.has(id, disk, since)
	return nil
}

// has notes what was plugged into the worker's own port.
func (w *worker) has(id string, disk bool, since qmp.Cursor) {
	w.device, w.disk, w.since = id, disk, since
	w.surprises = [2]int{w.guest.surprises(w.address()), w.surprises[0]}
	w.note(id)
}

// unless handles an error that may come from the guest having thrown the
// device out: instead is what to do then. A guest does that which powers a
// slot on, finds that the card has gone meanwhile, and powers the slot off
// when the next card is already there.
func (w *worker) unless(err error, instead func() error) error {
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, lossTime)
	defer cancel()
	end, waited := w.c.WaitEvent(ctx, w.since, deleted(w.device))
	if waited != nil {
		return fmt.Errorf("%w (and the device is not gone: %w)", err, waited)
	}
	if now := w.guest.surprises(w.address()); now == w.surprises[1] {
		return fmt.Errorf("%w (the device is gone, and the guest had no reason to let it go)", err)
	}
	w.device, w.since = "", end.Next
	return instead()
}

// lossTime is how long after its effects the end of a device may be announced.
const lossTime = 10 * time.Second

func (w *worker) note(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plugged[id]++
}

// unplug takes away what is in the worker's own port, for good.
func (w *worker) unplug() error {
	if w.device == "" {
		return expect("unplug nothing", unplug(w.ctx, w.c, "w-none"), "Device 'w-none' not found")
	}
	id := w.device
	w.device = ""
	if err := remove(w.ctx, w.c, w.since, id); err != nil {
		return fmt.Errorf("unplug: %w", err)
	}
	return expect("unplug again", unplug(w.ctx, w.c, id), fmt.Sprintf("Device '%s' not found", id))
}

// unplugTwice asks without waiting for the end; a later step sees to that.
func (w *worker) unplugTwice() error {
	if w.device == "" {
		return nil
	}
	gone := fmt.Sprintf("Device '%s' not found", w.device)
	pending := "Device " + w.device + saysPending
	for range 2 {
		if err := expect("unplug", unplug(w.ctx, w.c, w.device), "", saysBusy, pending, gone); err != nil {
			return err
		}
	}
	return w.unplug()
}

func (w *worker) awaitGuest() error {
	if w.device == "" || w.quits {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(w.ctx, bringUpTime, errRetry)
	defer cancel()
	err := w.guest.up(ctx, w.address())
	return w.unless(err, func() error { return nil })
}

// bringUpTime is how long a guest that is held up by resets and stops may take
// to drive a new device. The guest's clock goes on while a crowded host keeps it
// from running; its own limits are five seconds.
const bringUpTime = 20 * time.Second

// plugInVain tries a plug that must fail, and leave nothing.
func (w *worker) plugInVain() error {
	cases := []struct {
		driver, want string
		args         []any
	}{
		{"virtio-blk-pci", "Property 'virtio-blk-device.drive' can't find value 'nonesuch'", []any{"drive", "nonesuch", "bus", w.port()}},
		{"virtio-blk-pci", "drive property not set", []any{"bus", w.port()}},
		{"virtio-rng-pci", "Property 'virtio-rng-pci.nonesuch' not found", []any{"nonesuch", int64(1), "bus", w.port()}},
		{"virtio-rng-pci", "Bus 'nonesuch' not found", []any{"bus", "nonesuch"}},
		{"virtio-rng-pci", "Bus 'pcie.0' does not support hotplugging", []any{"bus", "pcie.0"}},
		{"nonesuch", "'nonesuch' is not a valid device model name", nil},
		{"virtio-rng-pci", "Invalid parameter type for 'multifunction', expected: boolean", []any{"multifunction", "perhaps", "bus", w.port()}},
	}
	c := cases[w.rnd.IntN(len(cases))]
	if w.device != "" && slices.Contains(c.args, any(w.port())) {
		return nil // the port is full; that comes first in some cases and last in others
	}
	id := fmt.Sprintf("w%d-%d", w.n, w.rnd.IntN(2))
	if id == w.device {
		return nil
	}
	if err := expect("plug in vain", plug(w.ctx, w.c, c.driver, id, c.args...), c.want); err != nil {
		return err
	}
	return expect("unplug what was not plugged", unplug(w.ctx, w.c, id), fmt.Sprintf("Device '%s' not found", id))
}

func (w *worker) plugFull() error {
	if w.device == "" {
		return nil
	}
	id := fmt.Sprintf("full%d", w.n)
	err := plug(w.ctx, w.c, "virtio-rng-pci", id, "bus", w.port())
	return w.unless(expect("plug a full port", err, "PCI: slot 0 function 0 already occupied by *"), func() error {
		if err == nil {
			w.has(id, false, w.since)
		}
		return expect("plug a port that was full", err, "")
	})
}

func (w *worker) shared() string { return fmt.Sprintf("rp%d", workers+w.rnd.IntN(sharedPorts)) }

func (w *worker) plugShared() error {
	id := sharedIDs[w.rnd.IntN(len(sharedIDs))]
	err := plug(w.ctx, w.c, "virtio-rng-pci", id, "bus", w.shared())
	if err == nil {
		w.note(id)
	}
	return expect("shared plug", err, "", fmt.Sprintf("Duplicate device ID '%s'", id), "PCI: slot 0 function 0 already occupied by *")
}

func (w *worker) unplugShared() error {
	id := sharedIDs[w.rnd.IntN(len(sharedIDs))]
	return expect("shared unplug", unplug(w.ctx, w.c, id),
		"", saysBusy, "Device "+id+saysPending, fmt.Sprintf("Device '%s' not found", id))
}

// disconnect is a client that leaves in the middle of its command, or before
// the answer.
func (w *worker) disconnect() error {
	w.mu.Lock()
	id := fmt.Sprintf("stray%d", len(w.strays))
	w.strays = append(w.strays, id)
	w.mu.Unlock()
	text := fmt.Sprintf("{\"execute\": \"qmp_capabilities\"}\n"+
		`{"execute": "device_add", "arguments": {"driver": "virtio-rng-pci", "id": %q, "bus": %q}}`+"\n"+
		`{"execute": "device_del", "arguments": {"id": %q}}`+"\n", id, w.shared(), id)
	var d net.Dialer
	conn, err := d.DialContext(w.ctx, "unix", w.sock)
	if err != nil {
		if w.quits {
			return qmp.ErrClosed
		}
		return fmt.Errorf("disconnect: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text[:w.rnd.IntN(len(text)+1)])); err != nil && !w.quits {
		return fmt.Errorf("disconnect: %w", err)
	}
	if w.rnd.IntN(2) == 0 {
		_, _ = conn.Read(make([]byte, 64)) // part of the greeting, or nothing if the machine quits
	}
	return nil
}

// renewDisk deletes the worker's block node, which must work just when no
// device uses it, and makes it again.
func (w *worker) renewDisk() error {
	del := qobject.Members("node-name", w.node())
	if w.device != "" && w.disk {
		err := w.do("blockdev-del", del)
		return w.unless(expect("delete a disk in use", err, fmt.Sprintf("Node %s is in use", w.node())), func() error {
			return errors.Join(err, w.addNode())
		})
	}
	if err := expect("delete the disk", w.do("blockdev-del", del), ""); err != nil {
		return err
	}
	return expect("make the disk again", w.addNode(), "")
}

// look asks for something long.
func (w *worker) look() error {
	questions := []string{"query-pci", "query-block", "query-named-block-nodes", "query-qmp-schema", "info qtree", "info pci", "info mtree -f", "info block -v"}
	q := questions[w.rnd.IntN(len(questions))]
	if strings.HasPrefix(q, "info") {
		return expect(q, w.do("human-monitor-command", qobject.Members("command-line", q)), "")
	}
	return expect(q, w.do(q, nil), "")
}

func (w *worker) pause() error {
	err := expect("stop", w.do("stop", nil), "")
	return errors.Join(err, w.plugShared(), w.unplugShared(), expect("cont", w.do("cont", nil), ""))
}

func (w *worker) reset() error { return expect("reset", w.do("system_reset", nil), "") }
