package qmp_test

import (
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

func TestAdmission(t *testing.T) {
	const notFound = qerr.CommandNotFound
	reg := commands(t)
	s := qmptest.NewServer(reg, recordedConfig())
	say(s, plain)
	check := func(name, want string) {
		t.Helper()
		if want == "" {
			want = "{\"return\": {}}\r\n"
		}
		if got := say(s, `{"execute": "`+name+`"}`); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	reg.Disable("none", "")
	check("none", failed(notFound, "Command none has been disabled"))
	reg.Disable("none", "the command is not allowed")
	check("none", failed(notFound, "Command none has been disabled: the command is not allowed"))
	reg.Disable("nonesuch", "no such command")
	reg.Enable("none")
	check("none", "")

	reg.SetPreconfig(true)
	check("none", failed(qerr.GenericError, "The command 'none' is permitted only after machine initialization has completed"))
	check("early", "")
	reg.SetPreconfig(false)

	check("old", "")
	reg.SetPolicy(qmp.Policy{RejectDeprecated: true, RejectUnstable: true})
	check("old", failed(notFound, "Deprecated command old disabled by policy"))
	check("x-new", failed(notFound, "Unstable command x-new disabled by policy"))
	check("none", "")
}

func TestRegistryRefuses(t *testing.T) {
	run := func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }
	runCo := func(qmp.NoYield, *qmp.Call, *qobject.Dict) (any, error) { return nil, nil }
	for _, test := range []struct {
		command qmp.Command[qmp.NoYield]
		want    string
	}{
		{qmp.Command[qmp.NoYield]{Run: run}, "without a name"},
		{qmp.Command[qmp.NoYield]{Name: "a"}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Run: run, RunCo: runCo}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", RunCo: runCo}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Options: qmp.Coroutine, Run: run}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Options: qmp.Coroutine | qmp.AllowOOB, RunCo: runCo}, "both a coroutine and out of band"},
		{qmp.Command[qmp.NoYield]{Name: "taken", Run: run}, "registered twice"},
	} {
		reg := qmp.NewRegistry[qmp.NoYield]()
		if err := reg.Add(qmp.Command[qmp.NoYield]{Name: "taken", Run: run}); err != nil {
			t.Fatal(err)
		}
		if err := reg.Add(test.command); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want …%s…", test.command, err, test.want)
		}
		if names := reg.Names(); len(names) != 1 || reg.Lookup("taken") == nil || reg.Lookup("a") != nil {
			t.Errorf("the registry holds %v", names)
		}
	}
}
