package monitor_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
)

// TestSyncProfile: who waits for the BQL is listed while that is asked for.
func TestSyncProfile(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	c := g.qmp(ctx)
	ask := func(line, want string) {
		t.Helper()
		if got := human(t, ctx, c, line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	ask("sync-profile", "sync-profile is off\n")
	ask("sync-profile on", "")
	ask("sync-profile", "sync-profile is on\n")
	ask("sync-profile both", "Error: Invalid parameter 'both'\n")

	held := make(chan bool)
	waits := g.m.World.Go("waits", func(*sched.Thread) {
		<-held
		g.m.Locked("waits", func() {})
	})
	g.m.Locked("holds", func() {
		close(held)
		for waiting := 0; waiting == 0; {
			holder, _ := g.m.BQL.Holder()
			waiting = len(holder.Queue)
		}
	})
	waits.Join()
	ask("sync-profile off", "")

	row := regexp.MustCompile(`(?m)^(mutex    |condvar  |BQL mutex)  ( *0x[0-9a-f]+|\[ +\d+\])  \S+\.go:\d+ +\d+\.\d{5} +\d+ +\d+\.\d\d$`)
	for line, most := range map[string]int{"info sync-profile 1000": 1000, "info sync-profile -m -n 1000": 1000, "info sync-profile 1": 1, "info sync-profile": 10, "info sync-profile 0": 0} {
		text := human(t, ctx, c, line)
		rows := row.FindAllString(text, -1)
		if n := strings.Count(text, "\n") - 3; n != len(rows) || n > most || n == 0 != (most == 0) {
			t.Errorf("%s: %d rows\n%s", line, len(rows), text)
		}
		if most == 1000 && !strings.Contains(text, "BQL mutex") {
			t.Errorf("%s:\n%s", line, text)
		}
	}
	ask("sync-profile reset", "")
	if text := human(t, ctx, c, "info sync-profile"); row.MatchString(text) {
		t.Error(text)
	}
}
