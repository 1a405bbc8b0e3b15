package chardev

import (
	"strings"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Config describes a character device. The zero values of members that a
// backend does not use are ignored.
type Config struct {
	Label   string // the id: -chardev's, or one that the machine makes up
	Backend string // "null", "stdio", "file", "pipe", "ringbuf" or "socket"
	Mux     bool   // several frontends take turns, see [Mux]

	Path   string // file, pipe, unix socket
	Append bool   // file: keep what is there
	Signal bool   // stdio: Ctrl-C and its like are signals, not input
	Size   uint64 // ringbuf: bytes, a power of two

	Host, Port string // tcp socket
	Network    string // tcp socket: "tcp", "tcp4" or "tcp6"
	FD         int    // socket: an inherited descriptor, or -1
	Server     bool   // socket: listen
	Wait       bool   // socket server: the machine waits for the first client
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
	"debug": opts.Number, "size": opts.Size, "chardev": opts.Text, "append": opts.Switch, "logfile": opts.Text,
	"logappend": opts.Switch, "mouse": opts.Switch, "clipboard": opts.Switch, "tight": opts.Switch, "abstract": opts.Switch,
}

// foreign are QEMU's backends that backplane does not have.
var foreign = []string{"testdev", "wctablet", "pty", "serial", "udp", "memory", "parallel", "vc", "msmouse", "hub",
	"qemu-vdagent", "mux", "spicevmc", "spiceport", "dbus", "braille"}

// Backends lists what [ParseOption] accepts, in the order of the help text.
func Backends() []string {
	return []string{"file", "null", "pipe", "ringbuf", "socket", "stdio"}
}

// FromOpts reads the value of -chardev, as [opts.ParseOpts] with the implied
// key "backend" gives it.
func FromOpts(o *opts.Opts) (Config, error) {
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
	return build(o, backend)
}

// build makes a Config of options that have been checked against schema.
func build(o *opts.Opts, backend string) (Config, error) {
	c := Config{Label: o.ID, Backend: backend, FD: -1}
	c.Mux = on(o, "mux", false)
	if v, ok := o.Get("logfile"); ok {
		return Config{}, missing("logfile=" + v)
	}
	switch path, hasPath := o.Get("path"); backend {
	case "null":
	case "stdio":
		c.Signal = on(o, "signal", true)
	case "file":
		if !hasPath {
			return Config{}, qerr.New("chardev: file: no filename given")
		}
		if _, ok := o.Get("input-path"); ok {
			return Config{}, missing("input-path=")
		}
		c.Path, c.Append = path, on(o, "append", false)
	case "pipe":
		if !hasPath {
			return Config{}, qerr.New("chardev: pipe: no device path given")
		}
		c.Path = path
	case "ringbuf":
		c.Size, _ = o.Size("size", defaultRing) // checked
		if c.Size == 0 || c.Size&(c.Size-1) != 0 {
			return Config{}, qerr.New("size of ringbuf chardev must be power of two")
		}
		if c.Size > maxRing {
			return Config{}, qerr.New("size of ringbuf chardev must not exceed %d", maxRing)
		}
	case "socket":
		return c, c.socket(o)
	default:
		for _, name := range foreign {
			if name == backend {
				return Config{}, qerr.New("chardev: backplane does not have QEMU's backend '%s'", backend)
			}
		}
		return Config{}, qerr.New("'%s' is not a valid char driver name", backend)
	}
	return c, nil
}

// socket reads the options of the socket backend.
func (c *Config) socket(o *opts.Opts) error {
	for _, name := range []string{"telnet", "tn3270", "websocket", "abstract", "delay"} {
		if on(o, name, false) {
			return missing(name + "=on")
		}
	}
	for _, name := range []string{"tls-creds", "tls-authz", "to", "localaddr", "localport"} {
		if _, ok := o.Get(name); ok {
			return missing(name + "=")
		}
	}
	c.Server = on(o, "server", false)
	_, hasWait := o.Get("wait")
	c.Wait = on(o, "wait", c.Server)
	seconds, _ := o.Number("reconnect", 0) // checked
	c.ReconnectMS, _ = o.Number("reconnect-ms", min(seconds, maxReconnect/1000)*1000)
	c.ReconnectMS = min(c.ReconnectMS, maxReconnect)
	switch {
	case c.Server && c.ReconnectMS != 0:
		return qerr.New("'reconnect' option is incompatible with socket in server listen mode")
	case !c.Server && hasWait:
		return qerr.New("'wait' option is incompatible with socket in client connect mode")
	}
	c.Network = network(on(o, "ipv4", false), on(o, "ipv6", false))
	return c.address(o)
}

// address reads where a socket is: path, host and port, or descriptor.
func (c *Config) address(o *opts.Opts) error {
	path, hasPath := o.Get("path")
	host, hasHost := o.Get("host")
	switch {
	case hasPath && path != "":
		if len(path) > maxUnixPath {
			return qerr.New("UNIX socket path '%s' is too long", path).
				WithHint("Path must be less than %d bytes\n", maxUnixPath+1)
		}
		c.Path = path
	case hasHost:
		port, ok := o.Get("port")
		if !ok {
			return qerr.New("chardev: socket: no port given")
		}
		c.Host, c.Port = host, port
	default:
		fd := o.String("fd", "")
		n, err := opts.ParseNumber("fd", fd)
		if err != nil || n > 1<<20 {
			return qerr.New("Unable to parse FD number %s", fd)
		}
		c.FD = int(n)
	}
	return nil
}

// maxUnixPath is what fits a sockaddr_un beside its NUL.
const maxUnixPath = 107

// maxReconnect bounds the wait between two attempts, an hour.
const maxReconnect = 3600_000

func network(v4, v6 bool) string {
	switch {
	case v4 && !v6:
		return "tcp4"
	case v6 && !v4:
		return "tcp6"
	}
	return "tcp"
}

func on(o *opts.Opts, name string, def bool) bool {
	v, _ := o.Bool(name, def) // checked against schema
	return v
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
	return FromOpts(o)
}

// ParseLegacy reads the short form that -serial, -monitor and -qmp take and
// gives the device the label: "unix:PATH,server=on", "tcp:HOST:PORT", "stdio",
// "null", "file:PATH", "pipe:PATH", and any of these behind "mon:", which asks for
// a [Mux] with a monitor. The forms "none" and "chardev:ID" name no new device;
// the caller looks for them first.
func ParseLegacy(label, text string) (Config, error) {
	if rest, ok := strings.CutPrefix(text, "mon:"); ok {
		c, err := ParseLegacy(label, rest)
		c.Mux = true
		return c, err
	}
	kind, rest, _ := strings.Cut(text, ":")
	c := Config{Label: label, FD: -1}
	switch {
	case text == "null" || text == "stdio":
		c.Backend, c.Signal = text, text == "stdio"
		return c, nil
	case kind == text:
	case kind == "file" || kind == "pipe":
		c.Backend, c.Path = kind, rest
		return c, nil
	case kind == "unix" || kind == "tcp":
		return legacySocket(label, kind, rest)
	}
	for _, name := range append([]string{"telnet", "websocket", "tn3270"}, foreign...) {
		if kind == name {
			return Config{}, qerr.New("chardev: backplane does not have QEMU's backend '%s'", kind)
		}
	}
	return Config{}, qerr.New("'%s' is not a valid char driver", text)
}

func legacySocket(label, kind, rest string) (Config, error) {
	key := "path"
	if kind == "tcp" {
		key = "host"
	}
	o, err := opts.ParseOpts(rest, key)
	if err != nil {
		return Config{}, err
	}
	o.ID = label
	if kind == "tcp" {
		addr := o.String("host", "")
		i := strings.LastIndexByte(addr, ':')
		if i < 0 || i == len(addr)-1 {
			return Config{}, qerr.New("'%s:%s' is not a valid char driver: expected tcp:HOST:PORT", kind, rest)
		}
		o.Set("host", strings.TrimSuffix(strings.TrimPrefix(addr[:i], "["), "]"))
		o.Set("port", addr[i+1:])
	}
	if err := o.Check(schema); err != nil {
		return Config{}, err
	}
	return build(o, "socket")
}
