package chardev

import "slices"

// Sockets lists the ids of the socket devices, the oldest first.
func (s *Set) Sockets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, m := range s.members {
		if m.dev != nil && m.dev.config.Backend == "socket" {
			ids = append(ids, m.label)
		}
	}
	return ids
}

// Yank disconnects whoever is connected to the sockets of these ids now, however
// busy or stuck the machine is. If one of them is no socket nobody is
// disconnected, and Yank returns false. It does not block.
func (s *Set) Yank(ids []string) bool {
	var sockets []*Chardev
	s.mu.Lock()
	for _, id := range ids {
		m := s.findLocked(id)
		if m == nil || m.dev == nil || m.dev.config.Backend != "socket" {
			s.mu.Unlock()
			return false
		}
		sockets = append(sockets, m.dev)
	}
	s.mu.Unlock()
	for _, d := range sockets {
		d.disconnect()
	}
	return true
}

// disconnect ends the connections that there are. What served them goes on as
// after any that ends.
func (d *Chardev) disconnect() {
	d.mu.Lock()
	conns := slices.Concat(d.conns, d.handed)
	if d.first != nil {
		conns = append(conns, d.first)
	}
	d.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // whoever reads it hears of it
	}
}
