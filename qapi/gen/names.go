package gen

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/qapi"
)

// names maps Go names to what claimed them.
type names map[string]string

func (n names) claim(name, by string) error {
	if first, ok := n[name]; ok {
		return fmt.Errorf("gen: %s and %s both need the Go name %s", first, by, name)
	}
	n[name] = by
	return nil
}

// camel turns a schema name into an exported Go name: words part at hyphens,
// underscores and dots; a word's capitals stay.
func camel(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// camelUpper is camel for names in capitals: DEVICE_DELETED, DeviceDeleted.
func camelUpper(name string) string { return camel(strings.ToLower(name)) }

func enumConst(e *qapi.Enum, value string) string { return e.Name + camel(value) }

// argType is the Go name of a command's implicit argument type.
func argType(c *qapi.Command) string { return camel(c.Name) + "Args" }

// eventType is the Go name of an event's implicit data type.
func eventType(e *qapi.Event) string { return camelUpper(e.Name) + "Event" }

// replace puts x into a format with at most one %s.
func replace(format, x string) string { return strings.Replace(format, "%s", x, 1) }
