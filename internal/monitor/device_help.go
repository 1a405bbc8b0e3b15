package monitor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/internal/qdev"
)

// DeviceHelp answers device_add and -device when they are asked for help:
// "help" lists what can be plugged, "DRIVER,help" the driver's properties. ok
// is false if o asks for none.
func DeviceHelp(r *qdev.Registry, o *opts.Opts) (text string, ok bool, err error) {
	driver := o.String("driver", "")
	switch {
	case driver == "help" || driver == "?" || driver == "" && o.Help:
		return deviceList(r, false), true, nil
	case o.Help:
		text, err = r.Help(driver)
		return text, true, err
	}
	return "", false, nil
}

// categories are the headings of the list, in order.
var categories = [...]qdev.Category{
	qdev.CategoryBridge, qdev.CategoryUSB, qdev.CategoryStorage, qdev.CategoryNetwork, qdev.CategoryInput,
	qdev.CategoryDisplay, qdev.CategorySound, qdev.CategoryMisc, qdev.CategoryCPU, qdev.CategoryWatch,
	qdev.CategoryOther,
}

// deviceList lists what can be plugged, or with all set everything that a machine
// can be made of.
func deviceList(r *qdev.Registry, all bool) string {
	classes := r.Creatable()
	if all {
		classes = slices.DeleteFunc(slices.Clone(r.Classes()), func(c *qdev.Class) bool { return c.Abstract })
		slices.SortFunc(classes, func(a, b *qdev.Class) int { return strings.Compare(a.Name, b.Name) })
	}
	var b strings.Builder
	for _, cat := range categories {
		var rows strings.Builder
		for _, c := range classes {
			if c.Category == cat {
				rows.WriteString(deviceRow(c))
			}
		}
		if rows.Len() == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s devices:\n%s", cat, rows.String())
	}
	return b.String()
}

func deviceRow(c *qdev.Class) string {
	row := fmt.Sprintf("name %q", c.Name)
	if c.BusType != "" {
		row += ", bus " + c.BusType
	}
	if c.Alias != "" {
		row += fmt.Sprintf(", alias %q", c.Alias)
	}
	if c.Desc != "" {
		row += fmt.Sprintf(", desc %q", c.Desc)
	}
	if c.Internal {
		row += ", no-user"
	}
	return row + "\n"
}
