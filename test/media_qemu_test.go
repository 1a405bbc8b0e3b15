package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mediaLines are commands about media and drives in the folder of two raw images
// and one in qcow2: those for QMP are JSON, the others are for people.
var mediaLines = []string{
	`{"execute":"query-block"}`,
	`{"execute":"eject","arguments":{"device":"d"}}`, `{"execute":"query-block"}`, `{"execute":"eject","arguments":{"device":"d","force":true}}`,
	`{"execute":"eject","arguments":{"id":"v"}}`, `{"execute":"eject","arguments":{"id":"V"}}`, `{"execute":"eject","arguments":{"device":"w"}}`,
	`{"execute":"eject"}`, `{"execute":"eject","arguments":{"device":"d","id":"V"}}`, `{"execute":"eject","arguments":{"device":"m"}}`,
	`{"execute":"blockdev-remove-medium","arguments":{"id":"V"}}`, `{"execute":"blockdev-remove-medium","arguments":{"id":"rp0"}}`,
	`{"execute":"blockdev-insert-medium","arguments":{"id":"V","node-name":"n"}}`,
	`{"execute":"blockdev-insert-medium","arguments":{"id":"V","node-name":"m"}}`,
	`{"execute":"blockdev-insert-medium","arguments":{"id":"V","node-name":"x"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"filename":"b.img"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"id":"V","filename":"b.img","format":"raw"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"b.img","format":"raw"}}`, `{"execute":"query-block"}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"c.qcow2","format":"qcow2","read-only-mode":"read-only"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"c.qcow2","format":"qcow2"}}`, `{"execute":"query-block"}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"c.qcow2","format":"qcow2","read-only-mode":"read-write"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"c.qcow2","format":"qcow2","force":true}}`, `{"execute":"query-block"}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"a.img","format":"qcow2"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"file:a.img","format":"file"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"null-co://","format":"raw"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"x:y","format":"raw"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"./x:y","format":"raw"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"","format":"raw"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"a.img","format":"x"}}`,
	`{"execute":"blockdev-change-medium","arguments":{"device":"d","filename":"a.img","format":"null-co"}}`, `{"execute":"query-block"}`,
	`{"execute":"x-debug-query-block-graph"}`,

	"eject", "eject nonesuch", "eject w", "eject -f w", "eject -x w", "eject d", "eject d d", "help eject",
	"change", "change d", "change nonesuch x", "change d a.img raw", "change d -f b.img raw read-only", "change d a.img raw", "change d a.img raw x",
	"change w a.img raw", "change d a.img raw retain x", "help change", "info block", "info block d",

	"drive_add", "drive_add 0", "drive_add 0 if=none", "drive_add 0 if=none", "drive_add 0 if=none,id=e", "drive_add 0 if=none,id=e",
	"drive_add 0 if=none,id=f,file=nonesuch,format=raw", "drive_add x if=none,id=f,file=a.img,format=raw,werror=stop", "drive_add 0 if=none,id=1a",
	"drive_add 0 if=virtio,id=g,file=b.img,format=raw", "drive_add 0 file=b.img,format=raw", "drive_add 0 if=ide", "drive_add 0 if=nonesuch",
	"drive_add -n 0 if=none", "drive_add -n 0 driver=null-co,node-name=q", "drive_add -n 0 driver=null-co,node-name=q",
	"drive_add -n 0 driver=nonesuch,node-name=r", "drive_add -n 0 driver=file,node-name=r,filename=nonesuch", "drive_add 0 if=none,media=cdrom,id=cd",
	"drive_add 0 if=none,format=nonesuch,file=a.img", "drive_add 0 if=none,format=qcow2,file=a.img", "drive_add 0 if=none,format=raw",
	"drive_add 0 if=none,index=7", "drive_add 0 if=none,index=7", "drive_add 0 if=none,unit=2", "drive_add 0 if=none,bus=1", "drive_add 0 if=none,index=-3",
	"drive_add 0 if=none,format=file", "drive_add 0 if=none,id=y1,format=null-co", "drive_add 0 if=none,id=y2,file=null-co://,format=raw",
	"drive_add 0 if=none,id=y3,format=raw,file.driver=file,file.filename=a.img", "drive_add 0 if=none,werror=foo", "drive_add 0 if=none,media=foo",
	"drive_add 0 if=none,id=y4,file=a.img,format=raw,iops=-1", "drive_add 0 if=none,id=y4,file=a.img,format=raw,iops_max=5",
	"drive_add 0 if=none,id=y5,file=a.img,format=raw,iops=10,group=gg", "drive_add 0 if=none,discard=on", "drive_add 0 if=none,cache=unsafe",
	"drive_add 0 if=none,id=y6,file=a.img,format=raw,cache=unsafe,readonly=on", "help drive_add", "help drive_del", "change cd a.img raw", "info block",

	`{"execute":"block_resize","arguments":{"device":"e","size":1024}}`, `{"execute":"blockdev-open-tray","arguments":{"device":"e"}}`,
	`{"execute":"block_set_io_throttle","arguments":{"device":"e","bps":1,"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0}}`,
	`{"execute":"device_add","arguments":{"driver":"virtio-blk-pci","drive":"e","id":"z","bus":"rp2"}}`,
	`{"execute":"device_add","arguments":{"driver":"virtio-blk-pci","drive":"w","id":"z","bus":"rp2"}}`,

	"drive_del", "drive_del q", "drive_del q", "drive_del m", "drive_del e", "drive_del e", "drive_del y5", "drive_del w", "drive_del w",
	"drive_add 0 if=none,id=w", "drive_add 0 if=none", "info block", "info blockstats", `{"execute":"query-block"}`, `{"execute":"x-debug-query-block-graph"}`,
	`{"execute":"eject","arguments":{"id":"W"}}`, `{"execute":"blockdev-insert-medium","arguments":{"id":"W","node-name":"n"}}`,
	`{"execute":"block-latency-histogram-set","arguments":{"id":"W"}}`,
	`{"execute":"block_set_io_throttle","arguments":{"id":"W","bps":1,"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0}}`,
	`{"execute":"qom-get","arguments":{"path":"/machine/peripheral/w","property":"drive"}}`,
	`{"execute":"device_add","arguments":{"driver":"virtio-blk-pci","drive":"d","id":"z","bus":"rp2"}}`,
	`{"execute":"device_add","arguments":{"driver":"virtio-blk-pci","drive":"d","id":"y","bus":"rp3"}}`,
	`{"execute":"eject","arguments":{"device":"d"}}`, "drive_del n", "drive_del n", `{"execute":"query-block"}`,
}

// TestMediaLikeQEMU says the same about media to the QEMU that is installed and to
// ours, each with its images.
func TestMediaLikeQEMU(t *testing.T) {
	theirs, ours := sayMedia(t, qemuProgram), sayMedia(t, binary)
	for i, line := range mediaLines {
		if ours[i] != theirs[i] {
			t.Errorf("%s (line %d):\n%s\nQEMU says\n%s", line, i, ours[i], theirs[i])
		}
	}
}

// What differs by program or version.
var (
	madeUpName = regexp.MustCompile(`#block[0-9]+`)
	sizeOnDisk = regexp.MustCompile(`"actual-size": [0-9]+`)
	laterOnly  = regexp.MustCompile(`"active": true, |, "format-specific": \{"type": "file", "data": \{\}\}|"dirty-flag": false, |, "dirty-flag": false`)
)

func sayMedia(t *testing.T, program string) (answers []string) {
	dir := t.TempDir()
	for name, size := range map[string]string{"a.img": "1M", "b.img": "2M", "b2.img": "2M", "c.qcow2": "3M"} {
		format := "raw"
		if filepath.Ext(name) == ".qcow2" {
			format = "qcow2"
		}
		if out, err := exec.Command("qemu-img", "create", "-q", "-f", format, filepath.Join(dir, name), size).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img, which .ci/run installs: %v\n%s", err, out)
		}
	}
	d := beginDialogueIn(t, dir, program,
		"-device", "pcie-root-port,id=rp2,chassis=3", "-device", "pcie-root-port,id=rp3,chassis=4",
		"-blockdev", "driver=null-co,node-name=n", "-blockdev", "driver=null-co,node-name=m",
		"-drive", "if=none,id=d,format=raw,werror=stop,file=a.img", "-drive", "if=none,id=w,format=raw,file=b2.img",
		"-device", "virtio-blk-pci,drive=m,id=v,bus=rp1", "-device", "virtio-blk-pci,drive=w,id=w,bus=rp0")
	defer d.end()
	for _, line := range mediaLines {
		if !strings.HasPrefix(line, "{") {
			line = fmt.Sprintf(`{"execute":"human-monitor-command","arguments":{"command-line":%s}}`, quote(line))
		}
		for _, device := range []string{"v", "w"} {
			line = strings.ReplaceAll(line, `"`+strings.ToUpper(device)+`"`, `"/machine/peripheral/`+device+`/virtio-backend"`)
		}
		answer := d.ask([]string{line})[0]
		answer = laterOnly.ReplaceAllString(sizeOnDisk.ReplaceAllString(madeUpName.ReplaceAllString(answer, "#block"), ""), "")
		answers = append(answers, answer)
	}
	return answers
}
