package hmp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// row is what QEMU's table says of a command.
type row struct {
	name, args, params, help string
	preconfig                bool
	// qmp is the command of the schema that does the work; "" for what only
	// people ask for. The machine binds both to one handler.
	qmp string
}

// topRows are the commands that a machine of this package may have. The texts
// are on the wire (help prints them), the argument descriptions decide what is
// accepted; both are QEMU 10.0's.
var topRows = []row{
	{name: "balloon", qmp: "balloon", args: "value:M", params: "target", help: "request VM to change its memory allocation (in MB)"},
	{name: "block_job_cancel", qmp: "block-job-cancel", args: "force:-f,device:B", params: "[-f] device",
		help: "stop an active background block operation (use -f\n" +
			"\t\t\t if you want to abort the operation immediately\n" +
			"\t\t\t instead of keep running until data is in sync)"},
	{name: "block_job_complete", qmp: "block-job-complete", args: "device:B", params: "device", help: "stop an active background block operation"},
	{name: "block_job_pause", qmp: "block-job-pause", args: "device:B", params: "device", help: "pause an active background block operation"},
	{name: "block_job_resume", qmp: "block-job-resume", args: "device:B", params: "device", help: "resume a paused background block operation"},
	{name: "block_job_set_speed", qmp: "block-job-set-speed", args: "device:B,speed:o", params: "device speed", help: "set maximum speed for a background block operation"},
	{name: "block_resize", qmp: "block_resize", args: "device:B,size:o", params: "device size", help: "resize a block image", preconfig: true},
	{name: "boot_set", args: "bootdevice:s", params: "bootdevice", help: "define new values for the boot device list"},
	{name: "block_set_io_throttle", qmp: "block_set_io_throttle", args: "device:B,bps:l,bps_rd:l,bps_wr:l,iops:l,iops_rd:l,iops_wr:l",
		params: "device bps bps_rd bps_wr iops iops_rd iops_wr", help: "change I/O throttle limits for a block drive"},
	{name: "cancel_vcpu_dirty_limit", qmp: "cancel-vcpu-dirty-limit", args: "cpu_index:l?", params: "[cpu_index]",
		help: "cancel dirty page rate limit, use cpu_index to cancel\n\t\t\t\t\t limit on a specified virtual cpu"},
	{name: "change", qmp: "blockdev-change-medium", args: "device:B,force:-f,target:F,arg:s?,read-only-mode:s?",
		params: "device [-f] filename [format [read-only-mode]]",
		help:   "change a removable medium, optional format, use -f to force the operation"},
	{name: "chardev-add", qmp: "chardev-add", args: "args:s", params: "args", help: "add chardev"},
	{name: "chardev-change", qmp: "chardev-change", args: "id:s,args:s", params: "id args", help: "change chardev"},
	{name: "chardev-remove", qmp: "chardev-remove", args: "id:s", params: "id", help: "remove chardev"},
	{name: "chardev-send-break", qmp: "chardev-send-break", args: "id:s", params: "id", help: "send a break on chardev"},
	{name: "closefd", qmp: "closefd", args: "fdname:s", params: "closefd name",
		help: "close a file descriptor previously passed via SCM rights"},
	{name: "cont|c", qmp: "cont", help: "resume emulation"},
	{name: "cpu", args: "index:i", params: "index", help: "set the default CPU"},
	{name: "device_add", qmp: "device_add", args: "device:O", params: "driver[,prop=value][,...]",
		help: "add device, like -device on the command line"},
	{name: "device_del", qmp: "device_del", args: "id:s", params: "device", help: "remove device"},
	{name: "drive_add", args: "node:-n,pci_addr:s,opts:s",
		params: "[-n] [[<domain>:]<bus>:]<slot>\n" +
			"[file=file][,if=type][,bus=n]\n" +
			"[,unit=m][,media=d][,index=i]\n" +
			"[,snapshot=on|off][,cache=on|off]\n" +
			"[,readonly=on|off][,copy-on-read=on|off]",
		help: "add drive to PCI storage controller"},
	{name: "drive_del", args: "id:B", params: "device", help: "remove host block device"},
	{name: "dump-guest-memory", qmp: "dump-guest-memory", args: "paging:-p,detach:-d,windmp:-w,zlib:-z,lzo:-l,snappy:-s,raw:-R,filename:F,begin:l?,length:l?", params: "[-p] [-d] [-z|-l|-s|-w] [-R] filename [begin length]",
		help: "dump guest memory into file 'filename'.\n" +
			"\t\t\t-p: do paging to get guest's memory mapping.\n" +
			"\t\t\t-d: return immediately (do not wait for completion).\n" +
			"\t\t\t-z: dump in kdump-compressed format, with zlib compression.\n" +
			"\t\t\t-l: dump in kdump-compressed format, with lzo compression.\n" +
			"\t\t\t-s: dump in kdump-compressed format, with snappy compression.\n" +
			"\t\t\t-R: when using kdump (-z, -l, -s), use raw rather than makedumpfile-flattened\n" +
			"\t\t\t    format\n" +
			"\t\t\t-w: dump in Windows crashdump format (can be used instead of ELF-dump converting),\n" +
			"\t\t\t    for Windows x86 and x64 guests with vmcoreinfo driver only.\n" +
			"\t\t\tbegin: the starting physical address.\n" +
			"\t\t\tlength: the memory size, in bytes."},
	{name: "dumpdtb", qmp: "dumpdtb", args: "filename:F", params: "filename", help: "dump the FDT in dtb format to 'filename'"},
	{name: "eject", qmp: "eject", args: "force:-f,device:B", params: "[-f] device",
		help: "eject a removable medium (use -f to force it)"},
	{name: "exit_preconfig", qmp: "x-exit-preconfig", help: "exit the preconfig state", preconfig: true},
	{name: "getfd", qmp: "getfd", args: "fdname:s", params: "getfd name",
		help: "receive a file descriptor via SCM rights and assign it a name"},
	{name: "gdbserver", args: "device:s?", params: "[device]",
		help: "start gdbserver on given device (default 'tcp::1234'), stop with 'none'"},
	{name: "gpa2hva", args: "addr:l", params: "addr",
		help: "print the host virtual address corresponding to a guest physical address"},
	{name: "gva2gpa", args: "addr:l", params: "addr",
		help: "print the guest physical address corresponding to a guest virtual address"},
	{name: "help|?", args: "name:S?", params: "[cmd]", help: "show the help", preconfig: true},
	{name: "i", args: "fmt:/,addr:i,index:i.", params: "/fmt addr", help: "I/O port read"},
	{name: "info", args: "item:s?", params: "[subcommand]",
		help: "show various information about the system state", preconfig: true},
	{name: "log", args: "items:s", params: "item1[,...]", help: "activate logging of the specified items"},
	{name: "logfile", args: "filename:F", params: "filename", help: "output logs to 'filename'"},
	{name: "memsave", qmp: "memsave", args: "val:l,size:i,filename:s", params: "addr size file",
		help: "save to disk virtual memory dump starting at 'addr' of size 'size'"},
	{name: "netdev_add", args: "netdev:O",
		params: "[user|tap|socket|stream|dgram|vde|bridge|hubport|netmap|vhost-user],id=str[,prop=value][,...]",
		help:   "add host network device", preconfig: true},
	{name: "netdev_del", args: "id:s", params: "id", help: "remove host network device", preconfig: true},
	{name: "nmi", qmp: "inject-nmi", help: "inject an NMI"},
	{name: "o", args: "fmt:/,addr:i,val:i", params: "/fmt addr value", help: "I/O port write"},
	{name: "object_add", qmp: "object-add", args: "object:S", params: "[qom-type=]type,id=str[,prop=value][,...]", help: "create QOM object", preconfig: true},
	{name: "object_del", qmp: "object-del", args: "id:s", params: "id", help: "destroy QOM object", preconfig: true},
	{name: "pmemsave", qmp: "pmemsave", args: "val:l,size:i,filename:s", params: "addr size file",
		help: "save to disk physical memory dump starting at 'addr' of size 'size'"},
	{name: "print|p", args: "fmt:/,val:l", params: "/fmt expr",
		help: "print expression value (use $reg for CPU register access)"},
	{name: "qom-get", qmp: "qom-get", args: "path:s,property:s", params: "path property", help: "print QOM property", preconfig: true},
	{name: "qom-list", qmp: "qom-list", args: "path:s?", params: "path", help: "list QOM properties", preconfig: true},
	{name: "qom-set", qmp: "qom-set", args: "json:-j,path:s,property:s,value:S", params: "[-j] path property value",
		help: "set QOM property.\n\t\t\t-j: the value is specified in json format.", preconfig: true},
	{name: "quit|q", qmp: "quit", help: "quit the emulator", preconfig: true},
	{name: "ringbuf_read", qmp: "ringbuf-read", args: "device:s,size:i", params: "device size",
		help: "Read from a ring buffer character device"},
	{name: "ringbuf_write", qmp: "ringbuf-write", args: "device:s,data:s", params: "device data",
		help: "Write to a ring buffer character device"},
	{name: "set_link", args: "name:s,up:b", params: "name on|off",
		help: "change the link status of a network adapter"},
	{name: "set_vcpu_dirty_limit", qmp: "set-vcpu-dirty-limit", args: "dirty_rate:l,cpu_index:l?", params: "dirty_rate [cpu_index]",
		help: "set dirty page rate limit, use cpu_index to set limit\n\t\t\t\t\t on a specified virtual cpu"},
	{name: "stop|s", qmp: "stop", help: "stop emulation"},
	{name: "sum", args: "start:i,size:i", params: "addr size", help: "compute the checksum of a memory region"},
	{name: "sync-profile", args: "op:s?", params: "[on|off|reset]",
		help: "enable, disable or reset synchronization profiling. " +
			"With no arguments, prints whether profiling is on or off."},
	{name: "system_powerdown", qmp: "system_powerdown", help: "send system power down event"},
	{name: "system_reset", qmp: "system_reset", help: "reset the system"},
	{name: "system_wakeup", qmp: "system_wakeup", help: "wakeup guest from suspend"},
	{name: "trace-event", qmp: "trace-event-set-state", args: "name:s,option:b,vcpu:i?", params: "name on|off [vcpu]",
		help: "changes status of a specific trace event (vcpu: vCPU to set, default is all)"},
	{name: "watchdog_action", qmp: "watchdog-set-action", args: "action:s", params: "[reset|shutdown|poweroff|pause|debug|none|inject-nmi]", help: "change watchdog action"},
	{name: "x", args: "fmt:/,addr:l", params: "/fmt addr", help: "virtual memory dump starting at 'addr'"},
	{name: "xp", args: "fmt:/,addr:l", params: "/fmt addr", help: "physical memory dump starting at 'addr'"},
}

// infoRows are the sub-commands of info.
var infoRows = []row{
	{name: "balloon", qmp: "query-balloon", help: "show balloon information"},
	{name: "block", qmp: "query-block", args: "nodes:-n,verbose:-v,device:B?", params: "[-n] [-v] [device]",
		help: "show info of one block device or all block devices (-n: show named nodes; -v: show details)"},
	{name: "block-jobs", qmp: "query-block-jobs", help: "show progress of ongoing block device operations"},
	{name: "blockstats", qmp: "query-blockstats", help: "show block device statistics"},
	{name: "capture", help: "show capture information"},
	{name: "chardev", qmp: "query-chardev", help: "show the character devices", preconfig: true},
	{name: "cpus", qmp: "query-cpus-fast", help: "show infos for each CPU"},
	{name: "cryptodev", qmp: "query-cryptodev", help: "show the crypto devices"},
	{name: "dirty_rate", qmp: "query-dirty-rate", help: "show dirty rate information"},
	{name: "dump", qmp: "query-dump", help: "Display the latest dump status"},
	{name: "history", help: "show the command line history", preconfig: true},
	{name: "hotpluggable-cpus", qmp: "query-hotpluggable-cpus", help: "Show information about hotpluggable CPUs", preconfig: true},
	{name: "iothreads", qmp: "query-iothreads", help: "show iothreads", preconfig: true},
	{name: "irq", qmp: "x-query-irq", help: "show the interrupts statistics (if available)"},
	{name: "jit", qmp: "x-query-jit", help: "show dynamic compiler info"},
	{name: "kvm", qmp: "query-kvm", help: "show KVM information"},
	{name: "mem", help: "show the active virtual memory mappings"},
	{name: "memdev", qmp: "query-memdev", help: "show memory backends", preconfig: true},
	{name: "memory-devices", qmp: "query-memory-devices", help: "show memory devices"},
	{name: "memory_size_summary", qmp: "query-memory-size-summary",
		help: "show the amount of initially allocated and present hotpluggable (if enabled) memory in bytes."},
	{name: "mice", qmp: "query-mice", help: "show which guest mouse is receiving events"},
	{name: "migrate_capabilities", qmp: "query-migrate-capabilities", help: "show current migration capabilities"},
	{name: "mtree", args: "flatview:-f,dispatch_tree:-d,owner:-o,disabled:-D", params: "[-f][-d][-o][-D]",
		help: "show memory tree (-f: dump flat view for address spaces;-d: dump dispatch tree, valid with -f only);" +
			"-o: dump region owners/parents;-D: dump disabled regions"},
	{name: "name", qmp: "query-name", help: "show the current VM name", preconfig: true},
	{name: "network", help: "show the network state"},
	{name: "numa", qmp: "x-query-numa", help: "show NUMA information"},
	{name: "opcount", qmp: "x-query-opcount", help: "show dynamic compiler opcode counters"},
	{name: "pci", qmp: "query-pci", help: "show PCI info"},
	{name: "pic", qmp: "x-query-interrupt-controllers", help: "show PIC state"},
	{name: "qdm", help: "show qdev device model list"},
	{name: "qom-tree", args: "path:s?", params: "[path]", help: "show QOM composition tree", preconfig: true},
	{name: "qtree", args: "brief:-b", params: "[-b]", help: "show device tree (-b: brief, omit properties)"},
	{name: "ramblock", qmp: "x-query-ramblock", help: "Display system ramblock information"},
	{name: "registers", args: "cpustate_all:-a,vcpu:i?", params: "[-a|vcpu]",
		help: "show the cpu registers (-a: show register info for all cpus; vcpu: specific vCPU to query;" +
			" show the current CPU's registers if no argument is specified)"},
	{name: "replay", qmp: "query-replay", help: "show record/replay information"},
	{name: "rocker", qmp: "query-rocker", args: "name:s", params: "name", help: "Show rocker switch"},
	{name: "rocker-ports", qmp: "query-rocker-ports", args: "name:s", params: "name", help: "Show rocker ports"},
	{name: "roms", qmp: "x-query-roms", help: "show roms"},
	{name: "snapshots", help: "show the currently saved VM snapshots"},
	{name: "spice", qmp: "query-spice", help: "show the spice server status"},
	{name: "stats", qmp: "query-stats", args: "target:s,names:s?,provider:s?", params: "target [names] [provider]",
		help: "show statistics for the given target (vm or vcpu); optionally filter byname (comma-separated list, or * for all) and provider"},
	{name: "status", qmp: "query-status", help: "show the current VM status (running|paused)", preconfig: true},
	{name: "sync-profile", args: "mean:-m,no_coalesce:-n,max:i?", params: "[-m] [-n] [max]",
		help: "show synchronization profiling info, up to max entries (default: 10), sorted by total wait time." +
			" (-m: sort by mean wait time; -n: do not coalesce objects with the same call site)"},
	{name: "tpm", qmp: "query-tpm", help: "show the TPM device"},
	{name: "trace-events", qmp: "trace-event-get-state", args: "name:s?,vcpu:i?", params: "[name] [vcpu]",
		help: "show available trace-events & their state (name: event name pattern; vcpu: vCPU to query, default is any)"},
	{name: "usb", qmp: "x-query-usb", help: "show guest USB devices"},
	{name: "uuid", qmp: "query-uuid", help: "show the current VM UUID", preconfig: true},
	{name: "vcpu_dirty_limit", qmp: "query-vcpu-dirty-limit", help: "show dirty page limit information of all vCPU"},
	{name: "version", qmp: "query-version", help: "show the version of QEMU", preconfig: true},
	{name: "virtio", qmp: "x-query-virtio", help: "List all available virtio devices"},
	{name: "virtio-queue-element", qmp: "x-query-virtio-queue-element", args: "path:s,queue:i,index:i?", params: "path queue [index]",
		help: "Display element of a given virtio queue"},
	{name: "virtio-queue-status", qmp: "x-query-virtio-queue-status", args: "path:s,queue:i", params: "path queue",
		help: "Display status of a given virtio queue"},
	{name: "virtio-status", qmp: "x-query-virtio-status", args: "path:s", params: "path", help: "Display status of a given virtio device"},
	{name: "virtio-vhost-queue-status", qmp: "x-query-virtio-vhost-queue-status", args: "path:s,queue:i", params: "path queue",
		help: "Display status of a given vhost queue"},
	{name: "vm-generation-id", qmp: "query-vm-generation-id", help: "Show Virtual Machine Generation ID"},
	{name: "vnc", qmp: "query-vnc", help: "show the vnc server status"},
}

// Handlers binds handlers to the commands of the standard table, by the first
// of the command's names; sub-commands of info have "info " before it
// ("quit", "info status").
type Handlers[Y any] map[string]Handler[Y]

// StandardTable builds the table of the commands that have a handler in h,
// with QEMU's names, arguments and texts. What has none is absent: entering
// it is an unknown command. The commands that need nothing but the monitor
// are always there: help, info, info history and print. A key of h that names
// no standard command, or names one of these, or has no handler, is an error.
func StandardTable[Y any](h Handlers[Y]) (*Table[Y], error) {
	bound := builtins[Y]()
	for name, handler := range h {
		if _, taken := bound[name]; taken || name == "info" {
			return nil, fmt.Errorf("hmp: %q is built in", name)
		}
		if handler.Run == nil && handler.RunCo == nil {
			return nil, fmt.Errorf("hmp: %q has no handler", name)
		}
		bound[name] = handler
	}
	info := bind(infoRows, "info ", bound)
	bound["info"] = Handler[Y]{} // its sub-commands are all it does
	top := bind(topRows, "", bound)
	for i := range top {
		if top[i].Name == "info" {
			top[i].Sub = info
		}
	}
	if left := slices.Sorted(maps.Keys(bound)); len(left) > 0 {
		return nil, fmt.Errorf("hmp: no standard command is called %q", left[0])
	}
	return NewTable(top)
}

// Equivalents returns, for each standard command by the name that [Handlers] has
// for it, the command of QMP that does the same work.
func Equivalents() map[string]string {
	same := make(map[string]string)
	note := func(prefix string, rows []row) {
		for _, r := range rows {
			if first, _, _ := strings.Cut(r.name, "|"); r.qmp != "" {
				same[prefix+first] = r.qmp
			}
		}
	}
	note("", topRows)
	note("info ", infoRows)
	return same
}

// bind makes commands of the rows that have a handler, and takes those
// handlers out of bound.
func bind[Y any](rows []row, prefix string, bound Handlers[Y]) []Command[Y] {
	cmds := make([]Command[Y], 0, len(rows))
	for _, r := range rows {
		first, _, _ := strings.Cut(r.name, "|")
		handler, ok := bound[prefix+first]
		if !ok {
			continue
		}
		delete(bound, prefix+first)
		cmds = append(cmds, Command[Y]{
			Name: r.name, Args: r.args, Params: r.params, Help: r.help,
			Preconfig: r.preconfig, Handler: handler,
		})
	}
	return cmds
}
