package e2e

import (
	"context"
	"errors"
	"os/exec"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// qemuProgram is the QEMU that people have installed: an older one (7.2 on
// Debian), so that only lines are compared on which versions agree.
const qemuProgram = "qemu-system-riscv64"

// humanLines are lines for the human monitor, in order: what one leaves the next
// finds.
var humanLines = []string{
	"", " ", "nonesuch", "info nonesuch", "help nonesuch", "help info nonesuch", "help x y", "? device_add", "help help",
	"help info status", "help print", "info name", "info uuid", "info kvm", "info status", "info hotpluggable-cpus x",

	// Words, numbers, expressions, formats.
	"print", "print 1+2*3", "p /x 0xff", "p /d -1", "p /u -1", "print /c 65", "p /o 8", "p /x 8", "p (1", "p 1/0", "p 1%0", "p 'a'", "p 'ab'",
	"p ~0 & 0xff", "p 1 | 6 ^ 2", "p 0x", "p 08", "p 99999999999999999999", "p $nonesuch", "print 1 2", "p \"a\"", "p /q 1", "p /", "p ((((3))))",
	"xp", "xp /4", "xp /4xz 0", "x /0xw 0x1000", "xp /4xw 0", "x /2xw 0xffffffffffff0000", "xp /1xw 0x1000", "x /1xb 0x1000", "x /1dh 0x1000",
	"xp /1uw 0x1000", "xp /1ob 0x1000", "xp /2cb 0x1000", "xp /1xg 0x80001000", "xp /9xb 0x80001000", "xp /4dg 0x80001000", "x /3xh 0x80001000",
	"sum", "sum 0 16", "sum 0x80001000 100", "sum 0x1000 4", "sum 0 x", "sum 0 0x100000000", "memsave 1", "memsave 0x1000 16 /nonesuch/x",
	"memsave 0x1000 16 \"/nonesuch/x\"", "pmemsave 0x1000 16 \"/nonesuch/x\"", "memsave 0xffffffffff000000 16 \"/dev/null\"",
	"cpu", "cpu 0", "cpu 9", "cpu -1", "cpu x", "gva2gpa 0x80000000", "gva2gpa", "info registers 7", "info registers x", "info registers 0 1",
	"system_reset now", "quit now", "stop x", "info version x", "info chardev x", "system_wakeup", "block_resize", "block_resize nonesuch 1x",
	"block_resize nonesuch 1", "info network", "info capture", "info snapshots", "info pic x", "info roms x", "info ramblock x",
	"info dirty_rate", "boot_set", "boot_set cd", "exit_preconfig", "exit_preconfig x", "info block -x",

	// Odd formats. What one leaves as kind and size the next takes.
	"xp /3dw 0x1000", "xp /2xb 0x1000", "xp /s 0x1000", "xp /c 0x1000", "xp /2h 0x1000", "xp /-4x 0", "xp /-1 0", "x /3xw $", "p $",
	"xp /99999999x 0xfffffffffffff000", "xp /0x 0x1000", "xp /0i 0x1000", "xp /1ix 0x1000", "xp /2x", "xp /2ub 0x1000", "xp /1wd 0x1000",
	"xp/1x 0x1000", "xp  /1x  0x1000", "xp /2x/2 0x1000", "xp /2o 0x1000", "xp /1bd 0x1001", "xp /1hd 0x1002", "x /2i", "xp /i", "xp /0 0",
	"xp /x /x 0", "xp /x 0x1000 1", "xp /xx 0x1000", "xp /1bw 0x1000", "xp /wb1 0x1000", "p /3x 5", "p/x 5", "p /c 10", "p /c 300", "p /i 7",
	"p /b 300", "p /xb 300", "p /o 0", "p /c 39", "p /c 92", "p /c 0", "p /c 127", "p -", "p +", "p ()", "p 1 2", "p 0b1", "p 1e3", "p 0x1g",
	"p ''", "p '\\n'", "p 'a'+1", "p !1", "p 1<<2", "p 1==1", "p 5%3", "p -5%3", "p -5/2", "p 7/-2", "p ~1", "p - -1",
	"p 1-1-1", "p 2*3+4*5", "p 1|2&3", "p 6&3|8", "p 0x10000000000000000", "p 18446744073709551615", "p /u 18446744073709551615",
	"xp /1xw 0x1000+4*1", "xp /1xw (0x1000)", "xp /1xw -1", "x /1xg 0x1004", "xp /3xb 0x1000", "xp /17xb 0x1000", "xp /5xg 0x1000", "xp /xg 0x1",
	"sum", "sum 1", "sum -1 1", "sum 1 2 3", "sum 0x100000000 1", "memsave x", "memsave 1 2 3 4", "pmemsave -1 1 \"/nonesuch/x\"",
	"i", "i 1 2", "i x", "i /q 3", "i /w 0x10000", "i /b 0xffffffff", "i /h 5", "i /g 3", "i /2xb 3", "i 5 . 6", "i 5 .", "i -1", "o", "o 1",
	"o /b 1 2", "o 1 2 3", "o -1 2", "o /w 1 0x100000000", "gpa2hva", "gpa2hva x", "gpa2hva 0", "gpa2hva 0x10000000", "gpa2hva 0x84000000",
	"log", "log none", "log int", "log none", "logfile", "logfile a b", "logfile /nonesuch/x", "trace-event", "trace-event x",
	"trace-event x on", "trace-event runstate_set x", "trace-event runstate_set on", "info trace-events runstate_set",
	"trace-event runstate_set on 0", "trace-event runstate_set off", "info trace-events nonesuch", "info trace-events nonesuch*",
	"info trace-events memory_region_ops_*e*", "trace-event nonesuch* on", "trace-event runstate_set* off", "gva2gpa 1 2", "gva2gpa x", "info mem x", "info registers -a x", "info registers -1", "cpu 0x1", "cpu 0",
	"info block -x", "info block nonesuch", "info block -n", "info mtree -x",

	// Descriptors that have not come.
	"getfd", "getfd a", "getfd 1", "getfd a b", "closefd", "closefd a", "closefd 1", "closefd a b", "help getfd", "help closefd",
	"chardev-add socket,id=c9,fd=a", "chardev-add socket,id=c9,fd=3", "chardev-add socket,id=c9,fd=a,path=b",

	// Objects and devices.
	"qom-list", "qom-list /nonesuch", "qom-get", "qom-get /machine", "qom-get /nonesuch type", "qom-get /machine/peripheral type",
	"qom-get /machine/peripheral nonesuch", "qom-set /nonesuch a b", "qom-set -x / a b", "qom-set / a", "qom-set / type b",
	"qom-set -j / type \"", "info qom-tree /nonesuch", "device_del", "device_del nonesuch", "device_del a b", "device_add", "device_add nonesuch",
	"device_add virtio-rng-pci,bus=nonesuch", "device_add virtio-rng-pci,id=1",
	"object_add", "object_add iothread,id=io0", "object_add iothread,id=io0", "object_add iothread", "object_add nonesuch,id=x",
	"object_add iothread,id=io1,poll-max-ns=x", "object_add iothread,id=io1,nonesuch=x", "object_add iothread,id=1", "object_add id=x",
	"object_add rng-random,id=r", "object_add memory-backend-ram,id=m", "object_add memory-backend-ram,id=m,size=1M", "object_add secret,id=s",
	"object_add secret,id=s,data=x", "object_del", "object_del io0", "object_del io0", "object_del nonesuch",

	// What there is none of, and files that cannot be.
	"watchdog_action", "watchdog_action nonesuch", "watchdog_action pause", "dump-guest-memory",
	"dump-guest-memory -z -l x", "dump-guest-memory -x y", "dump-guest-memory x 1", "dump-guest-memory -p -z x", "info dump", "info dump x",
	"block_job_pause", "block_job_set_speed x", "block_job_cancel -x y", "info balloon", "info usb", "info mice", "info tpm",
	"info vnc", "info spice", "info irq", "info numa", "info block-jobs", "info blockstats", "info memory-devices", "info memory_size_summary", "info replay",
	"info vcpu_dirty_limit", "info iothreads", "info mem",

	// Character devices.
	"chardev-add", "chardev-add null,id=c0", "chardev-add null,id=c0", "chardev-add null", "chardev-add nonesuch,id=c1", "chardev-add id=c1",
	"chardev-add null,id=c1,nonesuch=1", "chardev-add null,id=9", "chardev-add null,id=", "chardev-add file,id=c1",
	"chardev-add file,id=c1,path=/nonesuch/x", "chardev-add pipe,id=c1", "chardev-add pipe,id=c1,path=/nonesuch/x", "chardev-add mux,id=c1",
	"chardev-add mux,id=c1,chardev=nonesuch", "chardev-add socket,id=c1", "chardev-add socket,id=c1,fd=99", "chardev-add socket,id=c1,host=x",
	"chardev-add socket,id=c1,path=/nonesuch/x", "chardev-add socket,id=c1,path=/nonesuch/x,server=on,wait=off",
	"chardev-add socket,id=c1,path=x,host=y", "chardev-add socket,id=c1,path=x,wait=off", "chardev-add socket,id=c1,path=x,server=on,wait=maybe",
	"chardev-add socket,id=c1,path=x,server=on,reconnect=1", "chardev-add socket,id=c1,host=127.0.0.1,port=nonesuch,server=on,wait=off",
	"chardev-add socket,id=c1,host=127.0.0.1,port=1", "chardev-add ringbuf,id=c1,size=3", "chardev-add ringbuf,id=c1,size=x",
	"chardev-add null,id=c1,logfile=/nonesuch/x", "chardev-add socket,id=c1,path=x,tls-creds=y", "chardev-add socket,id=c1,path=x,tls-authz=y",
	"chardev-add udp,id=c1", "chardev-add udp,id=c1,port=nonesuch", "chardev-add udp,id=c1,port=1,localport=nonesuch",
	"chardev-add udp,id=c1,host=127.0.0.1,port=1,localaddr=192.0.2.1", "chardev-add udp,id=c1,host=127.0.0.1,port=1,localaddr=::1",
	"chardev-add udp,id=c1,port=1,ipv4=off,ipv6=off", "chardev-add udp,id=c1,host=192.0.2.1,port=nonesuch,path=x", "chardev-add hub,id=c1,chardevs.9=x",
	"chardev-add udp,id=u0,host=127.0.0.1,port=9", "chardev-add udp,id=u0,host=127.0.0.1,port=9", "chardev-change u0 udp,port=", "chardev-remove u0",
	"chardev-add serial,id=c1", "chardev-add serial,id=c1,path=/nonesuch/x", "chardev-add serial,id=c1,path=/", "chardev-add serial,id=s0,path=/dev/null",
	"chardev-change s0 serial,path=/dev/zero", "chardev-remove s0",
	"chardev-add ringbuf,id=r0,size=8", "ringbuf_write r0 \"abc\\ndef\\\\\"", "ringbuf_read r0 100", "ringbuf_write r0 a b", "ringbuf_write r0 \"\\\"q\\\" x\"",
	"ringbuf_read r0 3", "ringbuf_read r0 0", "ringbuf_read r0 -1", "ringbuf_read r0 1+1", "ringbuf_read r0", "ringbuf_read c0 1", "ringbuf_read nonesuch 1",
	"ringbuf_write c0 x", "ringbuf_write r0 \"12345678abcd\"", "ringbuf_read r0 100", "ringbuf_write r0 \"", "ringbuf_write r0 \"\\z\"",
	"chardev-change", "chardev-change nonesuch null", "chardev-change c0 nonesuch", "chardev-change c0 null,id=z", "chardev-change c0 null,nonesuch=1",
	"chardev-change c0 ringbuf,size=16", "ringbuf_write c0 hello", "ringbuf_read c0 3", "chardev-send-break nonesuch", "chardev-send-break c0",
	"chardev-remove nonesuch", "chardev-remove compat_monitor0", "chardev-remove c0", "chardev-remove c0", "chardev-add null,id=m0,mux=on",
	"chardev-remove m0-base", "chardev-change m0 null", "stop", "cont", "info status", "stop", "info status",
}

// TestHumanLikeQEMU says the same to the QEMU that is installed and to ours.
func TestHumanLikeQEMU(t *testing.T) {
	if _, err := exec.LookPath(qemuProgram); err != nil {
		t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
	}
	theirs := sayHuman(t, humanLines, qemuProgram, "-bios", "none")
	ours := sayHuman(t, humanLines, binary)
	for i, line := range humanLines {
		if ours[i] != theirs[i] {
			t.Errorf("%q (line %d):\n%q\nQEMU says\n%q", line, i, ours[i], theirs[i])
		}
	}
}

// sayHuman says lines to a fresh machine and returns the answers.
func sayHuman(t *testing.T, lines []string, program string, args ...string) []string {
	t.Helper()
	say := newHumanSide(t, program, args...)
	answers := make([]string, 0, len(lines))
	for _, line := range lines {
		answers = append(answers, say(line))
	}
	return answers
}

// newHumanSide starts a machine, which args may change, and returns what says a line
// to its human monitor, through QMP.
func newHumanSide(t *testing.T, program string, args ...string) (say func(line string) string) {
	t.Helper()
	p := newProcess(t, append([]string{"-M", "virt", "-m", "64", "-smp", "2", "-nodefaults", "-display", "none", "-S",
		"-qmp", "unix:DIR/Q,server=on,wait=off"}, args...)...)
	p.cmd.Path = program
	if path, err := exec.LookPath(program); err == nil {
		p.cmd.Path = path
	}
	p.start()
	p.until("the socket is there", func() bool { return p.exists("Q") })
	client := dialQMP(t, p.path("Q"))
	return func(line string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var answer string
		err := client.Execute(ctx, "human-monitor-command", qobject.Members("command-line", line), &answer)
		if refused := (*qerr.Error)(nil); errors.As(err, &refused) {
			return "error: " + refused.Desc
		} else if err != nil {
			t.Fatalf("%s: %s: %v", program, line, err)
		}
		return answer
	}
}
