package readline

import (
	"fmt"
	"slices"
	"strings"
)

// tab completes the word before the cursor: a single candidate is inserted, of
// several the common beginning is inserted and all are listed.
func (e *Editor) tab() {
	if e.complete == nil {
		return
	}
	typed, words := e.complete(string(e.line[:e.cursor]))
	words = distinct(words)
	switch len(words) {
	case 0:
	case 1:
		e.insertRest(words[0], typed)
		if w := words[0]; w != "" && strings.IndexByte("/=,", w[len(w)-1]) < 0 { // more of the word is to come
			e.insert(' ')
		}
	default:
		slices.Sort(words)
		e.leaveLine()
		e.insertRest(commonPrefix(words), typed)
		e.write(columns(words, e.width()))
		e.ShowPrompt()
	}
}

func (e *Editor) insertRest(word string, typed int) {
	for i := max(typed, 0); i < len(word); i++ {
		e.insert(word[i])
	}
}

// distinct drops repeated words, and those past MaxCompletions.
func distinct(words []string) []string {
	var kept []string
	seen := make(map[string]bool)
	for _, w := range words {
		if len(kept) == MaxCompletions {
			break
		}
		if !seen[w] {
			seen[w] = true
			kept = append(kept, w)
		}
	}
	return kept
}

// commonPrefix wants words sorted: the first and last differ the most.
func commonPrefix(words []string) string {
	first, last := words[0], words[len(words)-1]
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	return first[:n]
}

// columns lays words out row by row in columns of one width, on a screen of so many
// columns (0: not known).
func columns(words []string, screen int) string {
	if screen < minColumn {
		screen = screenWidth
	}
	width := 0
	for _, w := range words {
		width = max(width, len(w))
	}
	width = min(max(width+2, minColumn), screen)
	perRow := screen / width

	var b strings.Builder
	for i, w := range words {
		fmt.Fprintf(&b, "%s%s", w, strings.Repeat(" ", max(width-len(w), 0)))
		if (i+1)%perRow == 0 || i == len(words)-1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
