package qdev

import (
	"fmt"
	"strings"
)

// State says where a device is in its life.
type State uint8

// The states of a device.
const (
	// Created: it exists and can be configured; nobody sees it.
	Created State = iota
	// Realized: it is alive and about to be plugged; the guest does not see it.
	Realized
	// Plugged: guest and queries see it.
	Plugged
	// UnplugRequested: the guest was asked to let it go and has not answered.
	UnplugRequested
	// GuestAcked: the guest let it go (asked or not); it is being removed.
	GuestAcked
	// Unplugged: guest and queries do not see it; somebody may still hold it.
	Unplugged
	// Finalized: it is gone and what it held is free.
	Finalized
	numStates
)

// String returns the state in words.
func (s State) String() string {
	return [...]string{"created", "realized", "plugged", "unplug-requested", "guest-acked", "unplugged", "finalized"}[s]
}

// moves is the table of legal moves. Those that are not the straight way:
// realized to unplugged is a plug that failed, created to finalized a device
// that never came alive, unplug-requested to itself a repeated request and to
// plugged a guest that refused, and a plugged device goes straight to
// unplugged if its bus asks nobody or its parent goes.
var moves = [numStates][numStates]bool{
	Created:         {Realized: true, Finalized: true},
	Realized:        {Plugged: true, Unplugged: true},
	Plugged:         {UnplugRequested: true, GuestAcked: true, Unplugged: true},
	UnplugRequested: {UnplugRequested: true, Plugged: true, GuestAcked: true, Unplugged: true},
	GuestAcked:      {Unplugged: true},
	Unplugged:       {Finalized: true},
	Finalized:       {},
}

// Legal tells whether a device may move from one state to another.
func Legal(from, to State) bool { return moves[from][to] }

// historyLen is how many moves a device remembers: several lives' worth of a
// guest that keeps being asked, and small enough for every device to carry.
const historyLen = 16

// Move is an entry of a device's history.
type Move struct {
	From, To State
	At       int64 // virtual clock, ns
	Why      string
}

// life is the state of one device; only life.move changes it.
type life struct {
	state   State
	moved   int // number of moves ever
	history [historyLen]Move
}

// move takes b to another state. An illegal one panics.
func (b *Base) move(to State, why string) {
	l := &b.life
	m := Move{From: l.state, To: to, At: b.tree.clock(), Why: why}
	if !Legal(m.From, to) {
		panic(b.complain(m))
	}
	l.history[l.moved%historyLen] = m
	l.moved++
	l.state = to
}

// History returns the device's last moves, oldest first.
func (b *Base) History() []Move {
	l := &b.life
	var out []Move
	for i := max(0, l.moved-historyLen); i < l.moved; i++ {
		out = append(out, l.history[i%historyLen])
	}
	return out
}

func (b *Base) complain(m Move) string {
	var s strings.Builder
	fmt.Fprintf(&s, "qdev: %s (%s) cannot move from %s to %s (%s); its history:",
		b.CanonicalPath(), b.class.Name, m.From, m.To, m.Why)
	for _, h := range b.History() {
		fmt.Fprintf(&s, "\n\t%d ns: %s -> %s: %s", h.At, h.From, h.To, h.Why)
	}
	return s.String()
}
