package qdev

import (
	"fmt"
	"reflect"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Category is the heading under which "-device help" lists a device.
type Category string

// The categories, in the order in which they are listed.
const (
	CategoryBridge  Category = "Controller/Bridge/Hub"
	CategoryUSB     Category = "USB"
	CategoryStorage Category = "Storage"
	CategoryNetwork Category = "Network"
	CategoryInput   Category = "Input"
	CategoryDisplay Category = "Display"
	CategorySound   Category = "Sound"
	CategoryMisc    Category = "Misc"
	CategoryCPU     Category = "CPU"
	CategoryWatch   Category = "Watchdog"
	CategoryOther   Category = "Uncategorized"
)

// A Class describes a type of device. It is immutable once registered.
type Class struct {
	Name     string   // as device_add and the object model know it
	Parent   string   // type it derives from; "" stands for "device"
	Desc     string   // one line, for help
	Category Category // "" stands for [CategoryOther]
	BusType  string   // type of bus it sits on; "" for none
	Alias    string   // second name that device_add takes

	Abstract        bool // no instances; New is nil
	Internal        bool // the user cannot create it
	NotHotpluggable bool // it cannot come or go while the machine runs
	DynamicSysbus   bool // a system-bus device the machine may allow

	// New returns a zero device, a pointer to a struct that embeds [Base].
	New func() Device
	// Defaults replaces tag defaults, by property name.
	Defaults map[string]string
	// Extra are properties that no field stands for.
	Extra []*qom.Property

	table *table
}

// A Registry is the set of classes and bus types that a machine can have. It
// is built by functions that call [Registry.Add], and immutable after that:
// machines may share one.
type Registry struct {
	Types   *qom.Types
	classes map[string]*Class
	aliases map[string]*Class
	order   []*Class

	listings map[string][]*entry // by class; see List
}

// NewRegistry returns a registry with the types every machine has: "device",
// "bus", and the system bus with its devices.
func NewRegistry() *Registry {
	r := &Registry{Types: qom.NewTypes(), classes: make(map[string]*Class), aliases: make(map[string]*Class)}
	must(r.Types.Add(
		qom.Type{Name: "device", Parent: "object", Abstract: true},
		qom.Type{Name: "bus", Parent: "object", Abstract: true, Class: busClass{}},
		qom.Type{Name: "System", Parent: "bus", Class: busClass{}},
		qom.Type{Name: "memory-region", Parent: "object", Class: regionClass{}},
	))
	r.classes["device"] = &Class{Name: "device", Abstract: true}
	must(r.Add(&Class{Name: "sys-bus-device", Abstract: true, BusType: "System"}))
	return r
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// AddBusType enters a type of bus; parent is "" for "bus".
func (r *Registry) AddBusType(name, parent string) error {
	if parent == "" {
		parent = "bus"
	}
	return r.Types.Add(qom.Type{Name: name, Parent: parent, Class: busClass{}})
}

// Add enters classes, each after its parent. What is wrong with one (a name
// taken, a tag that makes no sense) is an error of the program, not of input.
func (r *Registry) Add(classes ...*Class) error {
	for _, c := range classes {
		if err := r.add(c); err != nil {
			return fmt.Errorf("qdev: class %q: %w", c.Name, err)
		}
	}
	return nil
}

func (r *Registry) add(c *Class) error {
	if c.Parent == "" {
		c.Parent = "device"
	}
	if c.Category == "" {
		c.Category = CategoryOther
	}
	if p := r.classes[c.Parent]; p != nil && c.BusType == "" {
		c.BusType = p.BusType
	}
	if c.Abstract != (c.New == nil) {
		return fmt.Errorf("New has to be set just if the class is not abstract")
	}
	if err := r.Types.Add(qom.Type{Name: c.Name, Parent: c.Parent, Abstract: c.Abstract}); err != nil {
		return err
	}
	if !c.Abstract {
		t, err := r.newTable(c, reflect.TypeOf(c.New()))
		if err != nil {
			return err
		}
		c.table = t
	}
	r.classes[c.Name] = c
	r.order = append(r.order, c)
	if c.Alias != "" {
		r.aliases[c.Alias] = c
	}
	return nil
}

// Lookup returns the class called name, aliases not counted, or nil.
func (r *Registry) Lookup(name string) *Class { return r.classes[name] }

// Classes returns all classes in order of addition.
func (r *Registry) Classes() []*Class { return r.order }

// creatable returns the class that a user may create under name, which may be
// an alias. A type of device without a class is one that only the machine makes.
func (r *Registry) creatable(name string) (*Class, error) {
	c := r.classes[name]
	if c == nil {
		c = r.aliases[name]
	}
	ty, _ := r.Types.Lookup(name)
	switch {
	case c == nil && !r.Types.Is(name, "device"):
		return nil, qerr.New("'%s' is not a valid device model name", name)
	case c == nil && ty.Abstract, c != nil && c.Abstract:
		return nil, qerr.New("Parameter 'driver' expects a non-abstract device type")
	case c == nil, c.Internal:
		return nil, qerr.New("Parameter 'driver' expects a pluggable device type")
	}
	return c, nil
}
