// Package opts reads the command line: QEMU's flags, and the option strings
// that stand behind them and in HMP commands.
//
// There are three notations, and QEMU uses each in certain places:
//
//   - `virtio-blk-pci,drive=d0,id=disk` is read by [ParseOpts] (-device,
//     -chardev, -mon, -m, -drive, HMP's device_add): pairs in order, the last of
//     equal names counts, identifiers are checked;
//   - `driver=raw,file.driver=file` is read by [ParseKeyval] (-blockdev, -smp,
//     -machine): dots make nested objects and lists;
//   - `{"driver": "raw"}` is JSON; [ParseObject] tells it by the brace.
//
// On these stand the readers of single flags: [ParseSMP], [ParseMemory],
// [ParseDrive]. [ParseCommandLine] splits a whole command line into flags.
//
// Errors are *qerr.Error with QEMU 10.0's words and hints. The package starts no
// goroutines, takes no locks, never blocks; its results belong to the caller.
package opts
