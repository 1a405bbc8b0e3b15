package lint

import "strings"

// An allowed exception. path is a file, or a folder when it ends in '/'; name,
// when set, is the identifier concerned. An entry that nothing needs fails the test.
type exception struct {
	rule, path, name string
	reason           string
}

var allowed = []exception{
	{"poll", "internal/block/apart.go", "", "who builds a machine that does not run yet is no coroutine"},
	{"poll", "internal/block/nested.go", "", "QEMU's drained sections, for policies under study and tests"},
	{"poll", "internal/monitor/policy.go", "", "QEMU's human-monitor-command, for policies under study"},
	{"poll", "internal/scenario/", "", "programs about nested polls"},
	{"skip", "guest/demo/qemu_test.go", "", "compares with QEMU, which .ci/run installs; plain go test needs Go only"},
	{"skip", "internal/qemutest/qemutest.go", "", "qemu-img looks at what was written; .ci/run installs it, plain go test needs Go only"},
	{"skip", "internal/riscv/firmware_test.go", "", "boots OpenSBI, which .ci/run installs; plain go test needs Go only"},
}

// allowance returns the index of the entry that covers f, or -1.
func allowance(f finding) int {
	for i, a := range allowed {
		covers := a.path == f.src.path || strings.HasSuffix(a.path, "/") && strings.HasPrefix(f.src.path, a.path)
		if a.rule == f.rule && covers && (a.name == "" || a.name == f.name) {
			return i
		}
	}
	return -1
}
