// Package qmptest helps to test what speaks QMP.
//
//   - For clients: a [Fake] server that follows a script, right or wrong; a
//     [Server] without a machine; [Fault]s in what either sends: cut, delayed, with
//     garbage or events where none belong, broken off at any byte.
//   - For servers: [Conformance], conversations that every QMP server holds
//     alike, for one in the test or one that runs somewhere.
//   - For both: [Record] writes a conversation down, [Replay] is the server of
//     one that was written down, [ReadTranscript] reads it.
//
// A [Server] does everything in the goroutine that calls it. [Pipe], [NewFake]
// and [Replay] start one each, which ends with the connection.
package qmptest
