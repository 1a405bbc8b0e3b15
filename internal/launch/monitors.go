package launch

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/sched"
)

// servedMonitor is a monitor with its device, which is served when everything
// else has been built.
type servedMonitor struct {
	args monitorArgs
	dev  *chardev.Chardev
}

// makeMonitors finds or opens the devices of monitors. That comes before the
// console, so that on a shared terminal the console has the focus first.
func (vm *VM) makeMonitors() error {
	made := 0
	for _, mon := range vm.plan.monitors {
		if mon.chardev == "" {
			label := fmt.Sprintf("compat_monitor%d", made)
			made++
			d, err := vm.frontend(mon.flag, label, mon.device, nil)
			if err != nil {
				return mon.flag.Wrap(err)
			}
			vm.monitors = append(vm.monitors, servedMonitor{mon, d})
		} else if err := vm.addMonitor(mon); err != nil {
			return mon.flag.Wrap(err)
		}
	}
	return nil
}

// addMonitor notes a monitor on a device that is there.
func (vm *VM) addMonitor(mon monitorArgs) error {
	d, err := vm.chardevs.Use(mon.chardev, nil)
	if err != nil {
		return err
	}
	vm.monitors = append(vm.monitors, servedMonitor{mon, d})
	return nil
}

func (vm *VM) serveMonitors() error {
	for _, mon := range vm.monitors {
		err := mon.dev.Serve(!mon.args.single, func(_ *sched.Thread, conn chardev.Conn) {
			if mon.args.control {
				vm.Monitors.ServeQMP(conn, mon.args.pretty)
			} else {
				vm.Monitors.ServeHMP(conn)
			}
		})
		if err != nil {
			return mon.args.flag.Wrap(err)
		}
	}
	return nil
}
