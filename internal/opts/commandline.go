package opts

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Flag is one option of a command line as it was written, in order.
type Flag struct {
	Name  string // without dashes, aliases resolved; "" for an argument without a dash
	Value string // "" if the option takes none
	// Where is the text that QEMU puts before messages about the option: the
	// option as written, with its value.
	Where string
}

// option says what follows a flag.
type option struct {
	arg   bool   // takes an argument
	alias string // is another spelling of
	// foreign marks QEMU's options that backplane does not have. They are known
	// so that the refusal can say so, and so that their argument is not taken
	// for a disk image.
	foreign bool
}

// options are QEMU's flags for riscv64, and one of backplane's own.
var options = optionTable()

func optionTable() map[string]option {
	t := map[string]option{
		"M": {arg: true, alias: "machine"},
		"h": {alias: "help"},
	}
	for _, name := range strings.Fields(`machine cpu accel smp m device blockdev drive chardev mon qmp qmp-pretty
		monitor serial kernel append bios name uuid display global object action add-fd d D`) {
		t[name] = option{arg: true}
	}
	t["x-dispatch"] = option{arg: true} // backplane's own
	for _, name := range strings.Fields(`S nodefaults nographic no-user-config no-reboot no-shutdown version help`) {
		t[name] = option{}
	}
	for _, name := range strings.Fields(`initrd dtb netdev nic net rtc boot pidfile overcommit sandbox msg set
		audiodev audio smbios acpitable fsdev virtfs icount watchdog-action numa gdb L dfilter loadvm incoming
		run-with semihosting-config trace plugin spice vnc k usbdevice vga full-screen g hda hdb hdc hdd cdrom sd mtdblock
		pflash fda fdb parallel debugcon tpmdev iscsi fw_cfg readconfig option-rom prom-env seed echr compat runas chroot
		dump-vmstate enable-sync-profile xen-domid t`) {
		t[name] = option{arg: true, foreign: true}
	}
	for _, name := range strings.Fields(`snapshot daemonize s singlestep one-insn-per-tb semihosting
		only-migratable preconfig no-fd-bootchk usb mem-prealloc enable-kvm old-param perfmap jitdump`) {
		t[name] = option{foreign: true}
	}
	return t
}

// ParseCommandLine splits args (without the program's name) into flags. Options
// are written with one dash or two. An option that QEMU does not know, that
// backplane does not have, or that lacks its argument is an error.
func ParseCommandLine(args []string) ([]Flag, error) {
	var flags []Flag
	for i := 0; i < len(args); i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") {
			flags = append(flags, Flag{Value: word, Where: word})
			continue
		}
		name := strings.TrimPrefix(word[1:], "-")
		o, ok := options[name]
		switch {
		case !ok:
			return nil, qerr.New("%s: invalid option", word)
		case o.foreign:
			return nil, qerr.New("%s: backplane does not have this option of QEMU's", word)
		}
		f := Flag{Name: name, Where: word}
		if o.alias != "" {
			f.Name = o.alias
		}
		if o.arg {
			if i++; i == len(args) {
				return nil, qerr.New("%s: requires an argument", word)
			}
			f.Value = args[i]
			f.Where += " " + f.Value
		}
		flags = append(flags, f)
	}
	return flags, nil
}

// Wrap puts the flag before err's text, as QEMU does when it refuses a flag:
// "-device foo: …". Wrap(nil) is nil.
func (f Flag) Wrap(err error) error {
	if err == nil {
		return nil
	}
	return qerr.Prepend(err, "%s: ", f.Where)
}
