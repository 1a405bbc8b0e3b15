package qmp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A daemon that is controlled by QMP registers its commands and gives each
// connection a session.
func ExampleSession() {
	commands := qmp.NewRegistry[qmp.NoYield]()
	err := commands.Add(qmp.Command[qmp.NoYield]{
		Name: "x-greet",
		Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) {
			name, ok := args.Get("name")
			if !ok {
				return nil, qerr.New("Parameter 'name' is missing")
			}
			return qobject.Members("greeting", fmt.Sprintf("Hello, %v!", name)), nil
		},
	})
	if err != nil {
		panic(err)
	}
	session := qmp.NewSession(commands, qmp.Config{
		Greeting: qmp.Greeting(qmp.Version{Major: 1}, false),
		LineEnd:  "\n",
	})

	// What a connection would bring, and where it would be answered.
	os.Stdout.Write(session.Opened(nil))
	session.Feed([]byte(`
		{"execute": "qmp_capabilities"}
		{"execute": "x-greet", "arguments": {"name": "world"}, "id": 1}
		{"execute": "x-greet", "id": 2}
	`), func(r qmp.Request) bool {
		os.Stdout.Write(session.Prepare(context.Background(), r).Dispatch(nil))
		return true
	})
	// Output:
	// {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 1}, "package": ""}, "capabilities": []}}
	// {"return": {}}
	// {"return": {"greeting": "Hello, world!"}, "id": 1}
	// {"id": 2, "error": {"class": "GenericError", "desc": "Parameter 'name' is missing"}}
}

// Unplugging a device: the reply comes at once, the event when the guest has
// let go of it. The cursor makes sure that the event is seen even if it is
// faster.
func ExampleClient_WaitEvent() {
	unplug := func(ctx context.Context, c *qmp.Client, id string) error {
		before := c.Events().Cursor()
		if err := c.Execute(ctx, "device_del", map[string]any{"id": id}, nil); err != nil {
			return err
		}
		_, err := c.WaitEvent(ctx, before, func(ev qmp.Received) bool {
			device, _ := ev.Data.Get("device")
			return ev.Name == "DEVICE_DELETED" && device == id
		})
		return err
	}

	ours, theirs := net.Pipe()
	go playQEMU(theirs)
	ctx := context.Background()
	c, err := qmp.NewClient(ctx, ours)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	fmt.Println(unplug(ctx, c, "disk0"))

	err = unplug(ctx, c, "nope")
	var refused *qerr.Error
	fmt.Println(errors.As(err, &refused), err)
	// Output:
	// <nil>
	// true device_del: Device 'nope' not found
}

// playQEMU says what QEMU would say to the example above.
func playQEMU(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for _, line := range []string{
		`{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}`,
		`{"return": {}, "id": 1}`,
		`{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/disk0", "device": "disk0"}}` +
			"\r\n" + `{"return": {}, "id": 2}`,
		`{"id": 3, "error": {"class": "DeviceNotFound", "desc": "Device 'nope' not found"}}`,
	} {
		if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
			return
		}
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}
