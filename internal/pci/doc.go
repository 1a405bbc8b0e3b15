// Package pci is PCI Express as software sees it: functions with configuration
// space, base address registers, message and pin interrupts; bridges with their
// windows; buses, host bridge and native hot-plug ports.
//
// A [Function] is the hardware of one function, a [Bus] what holds functions and
// a [Host] the root of a hierarchy; they know the memory map and nothing of
// object models, ids or lifetimes. [Device] makes a qdev device of a Function;
// [GPEXHost] and [RootPort] are the host bridge and port of the virt machine.
// Sub-packages config and slot are the register-level cores.
//
// Everything here runs under the BQL: guest accesses come through memory region
// callbacks, the rest from qdev. No goroutines, no locks, nothing blocks.
// Ownership: a Bus refers to its functions and a Function to its bus; a
// function that left its bus answers no access, maps nothing and raises nothing.
package pci

// Devfn is a device and function number on a bus: device in the upper five
// bits, function in the lower three.
type Devfn uint8

// functionsPerDevice is the number of functions a device number has.
const functionsPerDevice = 8

// MakeDevfn returns the number of function fn of device slot.
func MakeDevfn(slot, fn int) Devfn { return Devfn(slot<<3 | fn&7) }

// Slot is the device number.
func (d Devfn) Slot() int { return int(d >> 3) }

// Func is the function number.
func (d Devfn) Func() int { return int(d & 7) }
