package scenario

import (
	"strings"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/sched"
)

// scenarioF never changes.
var scenarioF = &Scenario{
	Letter: "F",
	Name:   "HMP and coroutine commands",
	About: "A coroutine command of the human monitor needs the iohandler context for a step. A nested loop that polls " +
		"the main context only never gets there. Where HMP does not wait, human-monitor-command must still answer what the " +
		"command said (the series' first patch answers an empty string).",
	Run: runF,
}

func runF(l *Lab) {
	loop := l.Machine.Loop
	l.screen = func(co *coro.Co, call *hmp.Call) error {
		aio.MoveTo(co, loop.IOHandler)
		aio.MoveTo(co, loop.Main)
		call.Printf("done\n")
		return nil
	}
	qmp := l.Connect("client")
	ours, theirs := newConn(l.World, "terminal")
	l.World.Go("terminal reader", func(*sched.Thread) { l.Set.ServeHMP(theirs) })
	human := &terminal{conn: ours}
	human.await(hmp.Prompt)
	human.enter("eject x")
	human.await("done\r\n" + hmp.Prompt)
	expect(qmp.Ask(`{"execute": "human-monitor-command", "arguments": {"command-line": "eject x"}}`), `{"return": "done\r\n"}`)
	ours.Close()
}

// terminal is somebody at a human monitor.
type terminal struct {
	conn *conn
	seen string
}

func (t *terminal) enter(line string) {
	t.seen = ""
	if _, err := t.conn.Write([]byte(line + "\r")); err != nil {
		panic(err)
	}
}

// await reads until the screen ends with text.
func (t *terminal) await(text string) {
	buf := make([]byte, 1024)
	for !strings.HasSuffix(t.seen, text) {
		n, err := t.conn.Read(buf)
		t.seen += string(buf[:n])
		if err != nil {
			panic("the human monitor hung up: " + err.Error())
		}
	}
}
