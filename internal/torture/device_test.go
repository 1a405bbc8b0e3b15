package torture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// The words device_del may answer with although all is well.
const (
	saysBusy    = "Hot-unplug failed: guest is busy (power indicator blinking)"
	saysPending = " is already in the process of unplug"
)

// retry is how long a device that was asked for is waited for before it is
// asked for again.
const retry = 20 * time.Millisecond

// says returns what the machine refused a command with, "" if it did not
// refuse, and the error if it is none of the machine's.
func says(err error) (string, error) {
	var e *qerr.Error
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &e):
		return e.Desc, nil
	}
	return "", err
}

// plug asks for a device; args are names and values beyond driver and id.
func plug(ctx context.Context, c *qmp.Client, driver, id string, args ...any) error {
	d := qobject.Members(append([]any{"driver", driver, "id", id}, args...)...)
	return c.Execute(ctx, "device_add", d, nil)
}

func unplug(ctx context.Context, c *qmp.Client, id string) error {
	return c.Execute(ctx, "device_del", qobject.Members("id", id), nil)
}

// remove asks for a device until it has gone, as a patient client does: again
// when the guest was busy, or did not listen. since is a place in c's events
// before the device was plugged.
func remove(ctx context.Context, c *qmp.Client, since qmp.Cursor, id string) error {
	for {
		said, err := says(unplug(ctx, c, id))
		wait, cancel := ctx, context.CancelFunc(func() {})
		switch {
		case err != nil:
			return err
		case said == "", said == saysBusy, strings.HasSuffix(said, saysPending):
			wait, cancel = context.WithTimeoutCause(ctx, retry, errRetry)
		case said == fmt.Sprintf("Device '%s' not found", id): // off, and not yet free
		default:
			return fmt.Errorf("device_del %s: %s", id, said)
		}
		_, err = c.WaitEvent(wait, since, deleted(id))
		cancel()
		if err == nil || !errors.Is(err, errRetry) {
			return err
		}
	}
}

// errRetry ends one wait of several. It never changes.
var errRetry = errors.New("asking again")

// deleted matches the end of the device called id.
func deleted(id string) func(qmp.Received) bool {
	return func(e qmp.Received) bool {
		if e.Name != "DEVICE_DELETED" {
			return false
		}
		v, ok := e.Data.Get("device")
		return ok && v == id
	}
}
