// Package view lays out what the info commands of the human monitor print,
// from plain data, exactly as QEMU 10.0 does. It knows no machine: who has one
// fills the structs.
//
// The functions write lines that end in "\n" and ignore write errors, because
// the writer is a monitor (hmp.Call), which has none. They start no
// goroutines, take no locks and keep nothing; the data is only read. Nothing
// here blocks but the writer.
package view
