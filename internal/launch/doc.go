// Package launch makes a running machine of a QEMU-style command line: the
// board, its disks and devices, character devices, monitors.
//
// [New] reads the flags and builds everything, [VM.Start] lets it run,
// [VM.Close] takes it down. The machine's threads are internal/machine's;
// readers of monitors run on the threads of their character devices. New and
// Close block (on files, sockets and, for chardevs with wait=on, clients).
package launch

// Version is backplane's version.
const Version = "0.1.0"

// The version of QEMU whose management interface this is.
const (
	qemuMajor = 10
	qemuMinor = 0
	qemuMicro = 2
)

const versionText = "backplane version " + Version + " (management interface of QEMU 10.0.2)\n"

const helpText = versionText + `usage: backplane -M virt [options]

Machine
  -M, -machine virt       the riscv64 virt machine (the only one)
  -accel rv64             emulation in pure Go (tcg is taken as another name for it)
  -cpu rv64               the only CPU model
  -smp N                  number of harts
  -m SIZE                 memory, MiB by default
  -kernel FILE            an ELF executable that starts in machine mode, or builtin:demo
  -append TEXT            its command line (in the device tree)
  -S                      do not start; wait for "cont"
  -name NAME, -uuid UUID  what query-name and query-uuid say

  -d ITEM[,ITEM...]       log; "-d help" lists the items
  -D FILE                 where to, instead of standard error

  -no-reboot, -no-shutdown, -action reboot=...,shutdown=...   what a reset and a shutdown of the guest do

Devices
  -object TYPE,id=ID[,prop=value...]  make an object; "-object help" lists the types;
                          -machine memory-backend=ID makes one main memory
  -device DRIVER[,prop=value...]  plug a device; "-device help" lists them, "-device DRIVER,help" its properties
  -blockdev OPTIONS               make a block node (drivers file, raw, qcow2, null-co, throttle)
  -drive OPTIONS                  make a block node and, unless if=none, plug it in

Monitors and consoles
  -qmp DEV, -qmp-pretty DEV       a QMP monitor on a character device
  -monitor DEV                    a human monitor
  -mon chardev=ID,mode=readline|control
  -serial DEV                     the guest's console
  -chardev BACKEND,id=ID,...      a character device; "-chardev help" lists the backends
  -add-fd fd=N,set=N[,opaque=TEXT]  put an inherited descriptor into the set behind /dev/fdset/N
  -nographic                      the console and a human monitor on standard input and output (Ctrl-A h)
  -display none, -nodefaults      accepted: there is no display, and no default devices

  DEV is unix:PATH[,server=on,wait=off], tcp:HOST:PORT[,...], telnet:HOST:PORT[,...], udp:[HOST]:PORT[@[ADDR]:PORT],
  stdio, pty, file:PATH, pipe:PATH, /dev/TTY, null, none or chardev:ID;
  behind "mon:" it is shared with a human monitor. -chardev ...,mux=on may have several frontends

For study
  -x-dispatch POLICY              where monitor commands run: ours (the default), or nested, rfc, split, iohandler, which
                                  repeat what QEMU did and hang or break as it did ("backplane explore" shows how)

Other uses: backplane help
`

// Help is the error of New for a command line that asks for a text rather
// than a machine.
type Help struct{ Text string }

func (h *Help) Error() string { return "help was asked for" }
