package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args     string
		status   int
		out, err string // what is part of them; "" for nothing at all
	}{
		{"", statusUsage, "", "usage: backplane -FLAG"},
		{"help", statusOK, "talk to a QMP monitor", ""},
		{"help qmp", statusOK, "usage: backplane qmp [FLAG...] ADDRESS", ""},
		{"help nothing", statusUsage, "", "there is no sub-command 'nothing'"},
		{"qmp -h", statusOK, "-wait EVENT[,NAME=VALUE...]", ""},
		{"hmp -h", statusOK, "until\nctrl-]", ""},
		{"qmp /s -h", statusOK, "Exit status:", ""},
		{"version", statusOK, "backplane " + productVersion + ", compatible with QEMU " + emulatedVersion + "\n", ""},
		{"version -h", statusOK, "usage: backplane version\n", ""},
		{"version 7", statusUsage, "", "it takes no arguments"},
		{"nothing", statusUsage, "", "there is no sub-command 'nothing'"},
		{"qmp", statusUsage, "", "no ADDRESS"},
		{"qmp --nothing /s", statusUsage, "", "flag provided but not defined: -nothing"},
		{"qmp --wait ,a=b /s", statusUsage, "", "no event is named"},
		{"qmp --wait E,a /s", statusUsage, "", "'a' is not NAME=VALUE"},
		{"qmp tcp:host", statusUsage, "", "is not tcp:HOST:PORT"},
		{"qmp /s --oob", statusUsage, "", "--oob needs a COMMAND"},
		{"qmp /there/is/none query-status", statusUsage, "", "no such file"},
		{"hmp", statusUsage, "", "no ADDRESS"},
		{"hmp /there/is/none info status", statusUsage, "", "no such file"},
	} {
		r := runWith("", strings.Fields(c.args)...)
		if r.status != c.status || !says(r.out, c.out) || !says(r.err, c.err) {
			t.Errorf("backplane %s: status %d\nout: %s\nerr: %s", c.args, r.status, r.out, r.err)
		}
	}
}

// says tells whether part is in all, or both are empty.
func says(all, part string) bool {
	return strings.Contains(all, part) && (part != "" || all == "")
}

func TestTableIsInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		if seen[c.name] || c.name == "" || c.name[0] == '-' || c.summary == "" || c.run == nil {
			t.Errorf("row %q of the table is not right", c.name)
		}
		seen[c.name] = true
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		text          string
		network, path string // no network: refused
	}{
		{"/run/s", "unix", "/run/s"},
		{"s", "unix", "s"},
		{"unix:s:4", "unix", "s:4"},
		{"tcp:localhost:4444", "tcp", "localhost:4444"},
		{"localhost:4444", "tcp", "localhost:4444"},
		{":4444", "tcp", ":4444"},
		{"[::1]:4444", "tcp", "[::1]:4444"},
		{"./a:4444", "unix", "./a:4444"},
		{"a:b", "unix", "a:b"},
		{"a:70000", "unix", "a:70000"},
		{"tcp:a", "", ""},
		{"tcp:a:b", "", ""},
		{"unix:", "", ""},
		{"", "", ""},
	} {
		got, err := parseAddress(c.text)
		if got != (address{network: c.network, where: c.path}) || (err == nil) != (c.network != "") {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}
