package monitor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// human runs a line by human-monitor-command.
func human(t *testing.T, ctx context.Context, c *qmp.Client, line string) string {
	t.Helper()
	var text string
	args := qobject.Members("command-line", line)
	if err := c.Execute(ctx, "human-monitor-command", args, &text); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// TestHumanMemory: memory and registers, while the guest runs.
func TestHumanMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 1)
	c := g.qmp(ctx)
	g.con.await(t, "ready")
	dir := t.TempDir()
	for _, row := range []struct{ line, want string }{
		{"xp /2xw 0x1000", "0000000000001000: 0x00000297 0x02828613\n"},
		{"x /2xw 0x1000", "0000000000001000: 0x00000297 0x02828613\n"},
		{"xp 0", "0000000000000000: Cannot access memory\n"},
		{"xp /2000000xb 0x80000000", "Error: more than 1048576 bytes cannot be shown at once\n"},
		{"xp /2i 0x1000", "0x00001000:  00000297          auipc                   t0,0                    # 0x1000\n" +
			"0x00001004:  02828613          addi                    a2,t0,40\n"},
		{"xp /2i 0", "0x00000000:  Address 0x0 is out of bounds.\n\n0x00000005:  Address 0x5 is out of bounds.\n\n"},
		{"xp /100000i 0x80000000", "Error: more than 65536 instructions cannot be shown at once\n"},
		{"sum 0x1000 4", "24595\n"},
		{"gva2gpa 0x80001234", "gpa: 0x80001234\n"},
		{"print /d $zero + 2 * (3 - 1)", "4\n"},
		{"print /x $mhartid", "0\n"},
		{"print $nope", "unknown register\nTry \"help print\" for more information\n"},
		{"print $a0 x", "print|p: extraneous characters at the end of line\nTry \"help print\" for more information\n"},
		{"cpu 1", ""},
		{"cpu 2", "invalid CPU index\n"},
		{"info registers 2", "CPU#2 not available\n"},
		{`pmemsave 0x1000 8 "` + dir + `/p"`, ""},
		{`memsave 0x1000 8 "` + dir + `/v"`, ""},
		{`memsave 0x1000 8 "/nonexistent/x"`, "Error: Could not open '/nonexistent/x': No such file or directory\n"},
		{`memsave 0 16 "` + dir + `/v2"`, "Error: Invalid addr 0x0000000000000000/size 16 specified\n"},
		{"nmi", "Error: machine does not provide NMIs\n"},
		{"system_wakeup", "Error: wake-up from suspend is not supported by this guest\n"},
		{"info memory_size_summary", "base memory: 67108864\n"},
		{"qom-list", "/\n"},
		{"qom-list /nope", "Error: Device '/nope' not found\n"},
		{"qom-get /machine/soc0 type", "\"riscv.hart_array\"\n"},
		{"info qom-tree /nope", "Path '/nope' could not be resolved.\n"},
		{"info qom-tree /machine/soc0", "/soc0 (riscv.hart_array)\n  /harts[0] (rv64-riscv-cpu)\n  /harts[1] (rv64-riscv-cpu)\n"},
		{"qom-set rp0 type x", "Error: Device 'rp0' not found\n"},
		{"qom-set -j rp0 type 1", "Error: Path 'rp0' is ambiguous\n"},
		{"object_add iothread,id=io0", ""},
		{"object_add iothread,id=io0", "Error: attempt to add duplicate property 'io0' to object (type 'container')\n"},
		{"object_add iothread", "Error: Parameter 'id' is missing\n"},
		{"object_add nope,id=x", "Error: Parameter 'qom-type' does not accept value 'nope'\n"},
		{"object_add iothread,id=io1,poll-max-ns=x", "Error: Parameter 'poll-max-ns' expects integer\n"},
		{"object_del io0", ""},
		{"object_del io0", "Error: object 'io0' not found\n"},
		{"watchdog_action foo", "Error: invalid parameter value: foo\n"},
		{"watchdog_action reset", ""},
		{"dump-guest-memory /nonexistent/x", "Error: Could not create '/nonexistent/x': No such file or directory\n"},
		{"dump-guest-memory -z -l x", "Error: only one of '-z|-l|-s|-w' can be set\n"},
		{"dump-guest-memory -z x", "Error: kdump-zlib is not available now\n"},
		{"dump-guest-memory " + dir + "/core 0x80000000", "Error: Parameter 'length' is missing\n"},
		{"dump-guest-memory " + dir + "/core 0x80000000 0x1000", ""},
		{"info dump", "Status: completed\n"},
		{"dumpdtb " + dir + "/dtb", "DTB dumped to '" + dir + "/dtb'\n"},
		{"block_job_pause x", "Error: Block job 'x' not found\n"},
		{"info block-jobs", "No active jobs\n"},
		{"info balloon", "Error: No balloon device has been activated\n"},
		{"info usb", "Error: USB support not enabled\n"},
		{"info virtio", "Error: No virtio devices found\n"},
		{"info irq", ""},
		{"info jit", "Error: JIT information is only available with accel=tcg\n"},
		{"info opcount", "Error: Opcode count information is only available with accel=tcg\n"},
		{"info snapshots", "no block device can store vmstate for snapshot\n"},
		{"info network", ""},
		{"info capture", ""},
		{"boot_set cd", "no function defined to set boot device list for this architecture\n"},
		{"exit_preconfig", "Error: The command is permitted only before machine initialization\n"},
		{"i /w 0x10003", "portl[0x0003] = 0xffffffff\n"},
		{"i /b 3 . 7", "portb[0x0004] = 0xff\n"},
		{"i /g 3", "portb[0x0003] = 0x00000000000000ff\n"},
		{"o /w 3 1", ""},
		{"gpa2hva 0", "No memory is mapped at address 0x0\n"},
		{"gpa2hva 0x10000000", "Memory at address 0x10000000 is not RAM\n"},
		{"info mem", "No translation or protection\n"},
		{"info iothreads", ""},
		{"info numa", "0 nodes\n"},
		{"info pic", ""},
		{"info mtree -f -d", "Error: backplane finds regions in the flat view itself: there is no dispatch tree\n"},
	} {
		if got := human(t, ctx, c, row.line); got != row.want {
			t.Errorf("%s: %q, want %q", row.line, got, row.want)
		}
	}
	for _, name := range []string{"p", "v"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != "\x97\x02\x00\x00\x13\x86\x82\x02" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	all := human(t, ctx, c, "info registers -a")
	for _, want := range []string{"\nCPU#0\n pc ", "\nCPU#1\n pc ", "\n mhartid  0000000000000001\n", "\n x0/zero  0000000000000000 x1/ra "} {
		if !strings.Contains(all, want) {
			t.Errorf("info registers -a lacks %q:\n%s", want, all)
		}
	}
	for line, want := range map[string]string{
		"gpa2hva 0x80000010": "Host virtual address for 0x80000010 (riscv_virt_board.ram) is 0x",
		"info roms":          "addr=0000000000001000 size=0x000028 mem=rom name=\"mrom.reset\"\naddr=0000000000001028 size=0x000030 mem=rom name=\"mrom.finfo\"\naddr=0000000080000000 size=0x",
		"info qtree":         "  dev: gpex-pcihost, id \"\"\n    gpio-out \"sysbus-irq\" 4\n    allow",
		"info ramblock":      "    riscv_virt_board.ram    4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000 0x",
	} {
		if got := human(t, ctx, c, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", line, got, want)
		}
	}
	owners := human(t, ctx, c, "info mtree -o")
	for _, want := range []string{
		"ram): riscv_virt_board.ram parent:{obj path=/machine/unattached}\n",
		"i/o): serial owner:{dev path=/machine/unattached/device[",
		"i/o): bus master container owner:{dev id=rp0}\n",
	} {
		if !strings.Contains(owners, want) {
			t.Errorf("info mtree -o lacks %q:\n%s", want, owners)
		}
	}
}
