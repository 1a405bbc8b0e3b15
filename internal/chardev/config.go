package chardev

import (
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Config describes a character device. The zero values of members that a
// backend does not use are ignored.
type Config struct {
	Label   string // the id: -chardev's, or one that the machine makes up
	Backend string // one of [Backends]
	Mux     bool   // several frontends take turns, see [Mux]
	Shared  string // mux: the id of the device that is shared

	// LogFile gets a copy of all output, over what it holds unless LogAppend.
	LogFile   string
	LogAppend bool

	Path   string // file, pipe, serial; pty: a symbolic link that is made
	Input  string // file: what is read, "" for nothing
	Append bool   // file: keep what is there
	Signal bool   // stdio: Ctrl-C and its like are signals, not input
	Size   uint64 // ringbuf: bytes, a power of two

	Members []string // hub: the ids of the devices that it joins

	Local     Address // udp: where it is bound, the zero host and port being any
	Address           // socket; udp: whom it talks to
	Server    bool    // socket: listen
	Wait      bool    // socket server: the machine waits for the first client
	Telnet    bool    // socket: speak telnet
	NoDelay   bool    // tcp socket: small packets go out at once
	TLS, Auth string
	// ReconnectMS is after how many milliseconds a socket client that lost its
	// server, or did not find it, tries again; 0 is never.
	ReconnectMS uint64
}

// defaultRing is how much a ringbuf keeps unless told: QEMU's default.
const defaultRing = 64 << 10

// schema is what -chardev takes, for all backends together, as in QEMU.
var schema = opts.Schema{
	"backend": opts.Text, "path": opts.Text, "input-path": opts.Text, "host": opts.Text, "port": opts.Text, "fd": opts.Text,
	"localaddr": opts.Text, "localport": opts.Text, "to": opts.Number, "ipv4": opts.Switch, "ipv6": opts.Switch,
	"wait": opts.Switch, "server": opts.Switch, "delay": opts.Switch, "nodelay": opts.Switch,
	"reconnect": opts.Number, "reconnect-ms": opts.Number, "telnet": opts.Switch, "tn3270": opts.Switch,
	"tls-creds": opts.Text, "tls-authz": opts.Text, "websocket": opts.Switch, "width": opts.Number, "height": opts.Number,
	"cols": opts.Number, "rows": opts.Number, "mux": opts.Switch, "signal": opts.Switch, "name": opts.Text,
	"debug": opts.Number, "size": opts.Size, "chardev": opts.Text,
	hubKeys[0]: opts.Text, hubKeys[1]: opts.Text, hubKeys[2]: opts.Text, hubKeys[3]: opts.Text, "append": opts.Switch, "logfile": opts.Text,
	"logappend": opts.Switch, "mouse": opts.Switch, "clipboard": opts.Switch, "tight": opts.Switch, "abstract": opts.Switch,
}

// foreign are QEMU's backends that backplane does not have.
var foreign = []string{"testdev", "wctablet", "parallel", "vc", "msmouse",
	"qemu-vdagent", "spicevmc", "spiceport", "dbus", "braille"}

// Backends lists what a device may be, in QEMU's order.
func Backends() []string {
	return []string{"stdio", "pty", "serial", "file", "udp", "memory", "socket", "null", "hub", "pipe", "mux", "ringbuf"}
}

// Help is the text of -chardev help: the list backwards, as in QEMU.
func Help() string {
	var b strings.Builder
	b.WriteString("Available chardev backend types: \n")
	for _, name := range slices.Backward(Backends()) {
		b.WriteString("  " + name + "\n")
	}
	return b.String()
}

// FromOpts reads the value of -chardev, as [opts.ParseOpts] with the implied
// key "backend" gives it. fds resolves descriptors.
func FromOpts(o *opts.Opts, fds FDs) (Config, error) {
	if err := o.Check(schema); err != nil {
		return Config{}, err
	}
	backend, ok := o.Get("backend")
	switch {
	case o.ID == "":
		return Config{}, qerr.New("chardev: no id specified")
	case !ok:
		return Config{}, qerr.New("chardev: \"%s\" missing backend", o.ID)
	}
	return build(o, backend, fds)
}

// build makes a Config of options that have been checked against schema.
func build(o *opts.Opts, backend string, fds FDs) (Config, error) {
	c := Config{Label: o.ID, Backend: backend, Address: Address{FD: NoFD}}
	c.Mux = on(o, "mux", false)
	c.LogFile, c.LogAppend = o.String("logfile", ""), on(o, "logappend", false)
	switch path, hasPath := o.Get("path"); backend {
	case "null":
	case "pty":
		c.Path = path
	case "stdio":
		c.Signal = on(o, "signal", true)
	case "file":
		if !hasPath {
			return Config{}, qerr.New("chardev: file: no filename given")
		}
		c.Path, c.Input, c.Append = path, o.String("input-path", ""), on(o, "append", false)
	case "pipe":
		if !hasPath {
			return Config{}, qerr.New("chardev: pipe: no device path given")
		}
		c.Path = path
	case "serial":
		if !hasPath {
			return Config{}, qerr.New("chardev: serial/tty: no device path given")
		}
		c.Path = path
	case "udp":
		err := c.udp(o)
		return c, err
	case "hub":
		c.hub(o)
	case "mux":
		var ok bool
		if c.Shared, ok = o.Get("chardev"); !ok {
			return Config{}, qerr.New("chardev: mux: no chardev given")
		}
	case "ringbuf", "memory":
		c.Size, _ = o.Size("size", 0) // checked
		if c.Size == 0 {
			c.Size = defaultRing
		}
		return c, c.CheckSize()
	case "socket":
		return c, c.socket(o, fds)
	default:
		return Config{}, unknownBackend(backend)
	}
	return c, nil
}

func unknownBackend(name string) error {
	if slices.Contains(foreign, name) {
		return qerr.New("chardev: backplane does not have QEMU's backend '%s'", name)
	}
	return qerr.New("'%s' is not a valid char driver name", name)
}

// CheckSize refuses a ring buffer of a size that none can have; 0 is the
// default's.
func (c *Config) CheckSize() error {
	if c.Size == 0 {
		c.Size = defaultRing
	}
	switch {
	case c.Size&(c.Size-1) != 0:
		return qerr.New("size of ringbuf chardev must be power of two")
	case c.Size > maxRing:
		return qerr.New("size of ringbuf chardev must not exceed %d", maxRing)
	}
	return nil
}

func on(o *opts.Opts, name string, def bool) bool {
	v, _ := o.Bool(name, def) // checked against schema
	return v
}

// given is a switch, nil if it is absent.
func given(o *opts.Opts, name string) *bool {
	if _, ok := o.Get(name); !ok {
		return nil
	}
	v := on(o, name, false)
	return &v
}

func missing(what string) error {
	return qerr.New("chardev: backplane does not have the option '%s'", what)
}

// ParseOption reads the value of -chardev.
func ParseOption(text string) (Config, error) {
	o, err := opts.ParseOpts(text, "backend")
	if err != nil {
		return Config{}, err
	}
	return FromOpts(o, InheritedFD)
}

// ParseLegacy reads the short form that -serial, -monitor and -qmp take and
// gives the device the label: "unix:PATH,server=on", "tcp:HOST:PORT",
// "telnet:HOST:PORT", "udp:HOST:PORT@LOCALADDR:LOCALPORT", "stdio", "pty", "null",
// "file:PATH", "pipe:PATH", "/dev/TTY", and any of these behind "mon:", which asks
// for a [Mux] with a monitor. The forms "none" and "chardev:ID" name no new device; the caller looks for them first.
func ParseLegacy(label, text string) (Config, error) {
	if rest, ok := strings.CutPrefix(text, "mon:"); ok {
		c, err := ParseLegacy(label, rest)
		c.Mux = true
		return c, err
	}
	kind, rest, more := strings.Cut(text, ":")
	c := Config{Label: label, Address: Address{FD: NoFD}}
	switch {
	case text == "null" || text == "stdio" || text == "pty":
		c.Backend, c.Signal = text, text == "stdio"
		return c, nil
	case strings.HasPrefix(text, "/dev/parport") || strings.HasPrefix(text, "/dev/ppi"):
		return Config{}, unknownBackend("parallel")
	case strings.HasPrefix(text, "/dev/"):
		c.Backend, c.Path = "serial", text
		return c, nil
	case !more:
	case kind == "pty":
		c.Backend, c.Path = kind, rest
		return c, nil
	case kind == "file" || kind == "pipe":
		c.Backend, c.Path = kind, rest
		return c, nil
	case kind == "unix" || kind == "tcp" || kind == "telnet":
		return legacySocket(label, kind, rest)
	case kind == "udp":
		return legacyUDP(label, rest)
	}
	for _, name := range append([]string{"websocket", "tn3270"}, foreign...) {
		if kind == name {
			return Config{}, qerr.New("chardev: backplane does not have QEMU's backend '%s'", kind)
		}
	}
	return Config{}, qerr.New("'%s' is not a valid char driver", text)
}

func legacySocket(label, kind, rest string) (Config, error) {
	key := "host"
	if kind == "unix" {
		key = "path"
	}
	o, err := opts.ParseOpts(rest, key)
	if err != nil {
		return Config{}, err
	}
	o.ID = label
	if kind == "telnet" {
		o.Set("telnet", "on")
	}
	if kind != "unix" {
		host, port, ok := hostPort(o.String("host", ""))
		if !ok {
			return Config{}, qerr.New("'%s:%s' is not a valid char driver: expected %s:HOST:PORT", kind, rest, kind)
		}
		o.Set("host", host)
		o.Set("port", port)
	}
	if err := o.Check(schema); err != nil {
		return Config{}, err
	}
	return build(o, "socket", InheritedFD)
}

func legacyUDP(label, rest string) (Config, error) {
	remote, local, bound := strings.Cut(rest, "@")
	c := Config{Label: label, Backend: "udp", Address: Address{FD: NoFD, Network: "tcp"}, Local: Address{FD: NoFD}}
	ok := !strings.Contains(rest, ",")
	if ok {
		c.Host, c.Port, ok = hostPort(remote)
	}
	if ok && bound {
		c.Local.Host, c.Local.Port, ok = hostPort(local)
	}
	if !ok {
		return Config{}, qerr.New("'udp:%s' is not a valid char driver: expected udp:HOST:PORT or udp:HOST:PORT@LOCALADDR:LOCALPORT", rest)
	}
	return c, nil
}

// hostPort reads HOST:PORT; the host may be empty, or an IPv6 address in brackets.
func hostPort(text string) (host, port string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || i == len(text)-1 {
		return "", "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(text[:i], "["), "]"), text[i+1:], true
}

// Schema is what the options of a device may be.
func Schema() opts.Schema { return schema }
