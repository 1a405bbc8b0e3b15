package hmp_test

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A monitor of two commands, used as human-monitor-command uses one.
func Example() {
	type yielder struct{} // what RunCo handlers may yield to; none here do
	table, err := hmp.StandardTable(hmp.Handlers[yielder]{
		"device_del": {Run: func(call *hmp.Call, args *hmp.Args) error {
			return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", args.String("id"))
		}},
		"info status": {Run: func(call *hmp.Call, args *hmp.Args) error {
			view.Status{Running: true, State: "running"}.Print(call)
			return nil
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range []string{"info status", "device_del d0", "stop"} {
		c := hmp.Collect(hmp.Config[yielder]{Table: table, CPU: hmp.NoCPU}, line)
		if c.Invocation != nil {
			c.Invocation.Run()
		}
		fmt.Print(strings.ReplaceAll(c.Text(), "\r\n", "\n"))
	}
	// Output:
	// VM status: running
	// Error: Device 'd0' not found
	// unknown command: 'stop'
}
