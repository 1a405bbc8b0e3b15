package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// runVM runs the machine that QEMU's flags describe, until it is told to quit
// or a signal ends it. The exit status is QEMU's: 0 for an orderly end, 1 for
// a command line that cannot be carried out, or what a guest that failed says.
func runVM(args []string, std stdio) int {
	opt := launch.Options{Warn: func(text string) { fmt.Fprintf(std.err, "backplane: %s\n", text) }}
	if in, ok := std.in.(*os.File); ok {
		if out, ok := std.out.(*os.File); ok {
			opt.Terminal = chardev.Terminal{In: in, Out: out, Lease: new(chardev.Lease)}
		}
	}
	vm, err := launch.New(args, opt)
	var help *launch.Help
	switch {
	case errors.As(err, &help):
		fmt.Fprint(std.out, help.Text)
		return statusOK
	case err != nil:
		e := qerr.From(err)
		fmt.Fprintf(std.err, "backplane: %s\n%s", e.Desc, e.Hint)
		return statusFailed
	}
	defer vm.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := vm.Start(); err != nil {
		fmt.Fprintf(std.err, "backplane: %v\n", err)
		return statusFailed
	}
	select {
	case <-vm.Machine.ShutdownRequested():
	case sig := <-signals:
		fmt.Fprintf(std.err, "backplane: terminating on signal %d\n", sig)
		vm.Machine.Locked("signal", func() { vm.Machine.RequestShutdown(machine.HostSignal) })
	}
	status := statusOK
	vm.Machine.Locked("exit", func() { status = vm.Machine.ExitCode() })
	return status
}
