package block

// Exceeded says that a write went beyond a node's threshold.
type Exceeded struct {
	Node      string
	Amount    uint64 // bytes beyond the threshold
	Threshold uint64
}

// OnThreshold has f called, under the BQL, when a write goes beyond a node's
// threshold. It must not poll. It is for use before the first request.
func (g *Graph) OnThreshold(f func(Exceeded)) { g.onThreshold = f }

// SetWriteThreshold has the first write reported that goes beyond an offset in
// bytes; 0 ends that. A write that is reported ends it as well.
func (n *Node) SetWriteThreshold(offset uint64) { n.threshold = offset }

// WriteThreshold returns what SetWriteThreshold has set, 0 for nothing.
func (n *Node) WriteThreshold() uint64 { return n.threshold }

// checkThreshold is called before a write that ends at an offset.
func (n *Node) checkThreshold(end int64) {
	t := n.threshold
	if t == 0 || uint64(end) <= t {
		return
	}
	n.threshold = 0
	if f := n.graph.onThreshold; f != nil {
		f(Exceeded{Node: n.Name(), Amount: uint64(end) - t, Threshold: t})
	}
}
