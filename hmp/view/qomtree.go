package view

import (
	"fmt"
	"io"
	"strings"
)

// Object is an object and what is below it, in the order to be shown.
type Object struct {
	Name     string // "" for the root
	Type     string
	Children []Object
}

// PrintQomTree writes an object and all below it.
func PrintQomTree(w io.Writer, o Object) { printObject(w, o, 0) }

func printObject(w io.Writer, o Object, depth int) {
	fmt.Fprintf(w, "%s/%s (%s)\n", strings.Repeat("  ", depth), o.Name, o.Type)
	for _, c := range o.Children {
		printObject(w, c, depth+1)
	}
}
