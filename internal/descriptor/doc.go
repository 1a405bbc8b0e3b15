// Package descriptor keeps the file descriptors that a machine's management
// hands it: what came with the latest message of a connection ([Inbox]), those
// that a monitor's client has given names to (getfd: [Names]), and the numbered
// sets that stand behind the paths /dev/fdset/N (add-fd: [Sets]).
//
// A descriptor is a plain int and has one owner, who closes it. Functions that
// take one over say so; they close it when they fail.
//
// Goroutines: none. Locks: those of an Inbox, Names and Sets are leaves, and
// nothing is called under them but short system calls. Methods are for any
// goroutine and do not block, but for Open of a path that is no set.
package descriptor
