package qdev

// Cleanup collects what undoes a sequence of steps. The pattern:
//
//	var undo qdev.Cleanup
//	defer undo.Run()
//	… undo.Add(f) after each step that can be undone …
//	undo.Release() // all went well
type Cleanup struct{ steps []func() }

// Add notes how to undo the step just done.
func (c *Cleanup) Add(f func()) { c.steps = append(c.steps, f) }

// Run undoes all steps in reverse order, once.
func (c *Cleanup) Run() {
	for len(c.steps) > 0 {
		last := len(c.steps) - 1
		f := c.steps[last]
		c.steps = c.steps[:last]
		f()
	}
}

// Release forgets the steps: they stay done.
func (c *Cleanup) Release() { c.steps = nil }
