package chardev

import (
	"reflect"
	"strings"
	"testing"
)

// noFD is the address of what is no socket.
var noFD = Address{FD: NoFD}

func TestParseOption(t *testing.T) {
	long := strings.Repeat("a", 108)
	for in, want := range map[string]Config{
		"null,id=c0":                         {Label: "c0", Backend: "null", Address: noFD},
		"stdio,id=a,signal=off,mux=on":       {Label: "a", Backend: "stdio", Mux: true, Address: noFD},
		"file,id=a,path=x,,y,append":         {Label: "a", Backend: "file", Path: "x,y", Append: true, Address: noFD},
		"ringbuf,id=a,size=4k":               {Label: "a", Backend: "ringbuf", Size: 4096, Address: noFD},
		"serial,id=a,path=/dev/ttyS0,mux=on": {Label: "a", Backend: "serial", Mux: true, Path: "/dev/ttyS0", Address: noFD},
		"hub,id=a,chardevs.0=b,chardevs.1=c": {Label: "a", Backend: "hub", Members: []string{"b", "c"}, Address: noFD},
		"hub,id=a,chardevs.1=c":              {Label: "a", Backend: "hub", Address: noFD},
		"udp,id=a,port=1":                    {Label: "a", Backend: "udp", Address: Address{FD: NoFD, Port: "1", Network: "tcp"}, Local: noFD},
		"udp,id=a,host=h,port=1,localaddr=l,localport=2,ipv4=off": {Label: "a", Backend: "udp", Address: Address{FD: NoFD, Host: "h", Port: "1", Network: "tcp6"},
			Local: Address{FD: NoFD, Host: "l", Port: "2"}},
		"pty,id=a":            {Label: "a", Backend: "pty", Address: noFD},
		"mux,id=a,chardev=b":  {Label: "a", Backend: "mux", Shared: "b", Address: noFD},
		"ringbuf,id=a,size=0": {Label: "a", Backend: "ringbuf", Size: defaultRing, Address: noFD},
		"file,id=a,path=x,input-path=y,logfile=l":      {Label: "a", Backend: "file", Path: "x", Input: "y", LogFile: "l", Address: noFD},
		"socket,id=a,path=p,abstract=on,tight=off":     {Label: "a", Backend: "socket", Address: Address{FD: NoFD, Unix: "p", Abstract: true, Loose: true, Network: "tcp"}},
		"pipe,id=a,path=p":                             {Label: "a", Backend: "pipe", Path: "p", Address: noFD},
		"socket,id=a,path=p,server=on":                 {Label: "a", Backend: "socket", Server: true, Wait: true, Address: Address{FD: NoFD, Unix: "p", Network: "tcp"}},
		"socket,id=a,path=p,server,nowait":             {Label: "a", Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: "p", Network: "tcp"}},
		"socket,id=a,host=::1,port=1,ipv6=on":          {Label: "a", Backend: "socket", Address: Address{FD: NoFD, Host: "::1", Port: "1", Network: "tcp6"}},
		"socket,id=a,fd=24,server=on,wait=off":         {Label: "a", Backend: "socket", Server: true, Address: Address{ByFD: true, FDName: "24", FD: 24, Network: "tcp"}},
		"socket,id=a,path=p,reconnect=2":               {Label: "a", Backend: "socket", ReconnectMS: 2000, Address: Address{FD: NoFD, Unix: "p", Network: "tcp"}},
		"socket,id=a,path=p,reconnect=999999999999999": {Label: "a", Backend: "socket", ReconnectMS: maxReconnect, Address: Address{FD: NoFD, Unix: "p", Network: "tcp"}},
	} {
		if got, err := ParseOption(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                                 "chardev: no id specified",
		"null":                             "chardev: no id specified",
		"id=a":                             "chardev: \"a\" missing backend",
		"foo,id=x":                         "'foo' is not a valid char driver name",
		"parallel,id=x,path=/dev/null":     "chardev: backplane does not have QEMU's backend 'parallel'",
		"tty,id=x,path=/dev/ttyS0":         "'tty' is not a valid char driver name",
		"serial,id=x":                      "chardev: serial/tty: no device path given",
		"udp,id=x":                         "chardev: udp: remote port not specified",
		"udp,id=x,port=1,ipv6=maybe":       "Parameter 'ipv6' expects 'on' or 'off'",
		"udp,id=x,port=1,ipv4=off,noipv6":  "Cannot disable IPv4 and IPv6 at same time",
		"hub,id=x,chardevs.4=a":            "Invalid parameter 'chardevs.4'",
		"mux,id=x":                         "chardev: mux: no chardev given",
		"socket,id=a,path=x,host=h,port=1": "None or one of 'path', 'fd' or 'host' option required.",
		"socket,id=a,fd=3,reconnect=1":     "'reconnect' option is incompatible with 'fd' address type",
		"socket,id=a,path=x,reconnect=1,reconnect-ms=1": "'reconnect' and 'reconnect-ms' are mutually exclusive",
		"socket,id=a,path=x,delay=on,nodelay=off":       "'delay' and 'nodelay' are mutually exclusive",
		"socket,id=a,path=x,tls-authz=t":                "'tls_authz' option requires 'tls_creds' option",
		"null,id=1a":                                    "Parameter 'id' expects an identifier\nIdentifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n",
		"socket,id=a":                                   "Unable to parse FD number ",
		"socket,id=a,fd=foo":                            "Unable to parse FD number foo",
		"socket,id=a,port=4":                            "Unable to parse FD number ",
		"socket,id=a,host=h":                            "chardev: socket: no port given",
		"socket,id=a,path=x,wait":                       "'wait' option is incompatible with socket in client connect mode",
		"socket,id=a,path=x,reconnect=1,server=on":      "'reconnect' option is incompatible with socket in server listen mode",
		"socket,id=a,path=x,server=maybe":               "Parameter 'server' expects 'on' or 'off'",
		"socket,id=a,path=x,nope=on":                    "Invalid parameter 'nope'",
		"socket,id=a,path=x,tn3270=on":                  "chardev: backplane does not have the option 'tn3270=on'",
		"socket,id=a,path=" + long:                      "UNIX socket path '" + long + "' is too long\nPath must be less than 108 bytes\n",
		"file,id=a":                                     "chardev: file: no filename given",
		"pipe,id=a":                                     "chardev: pipe: no device path given",
		"ringbuf,id=a,size=3":                           "size of ringbuf chardev must be power of two",
	} {
		if _, err := ParseOption(in); text(err) != want {
			t.Errorf("%s: %q, want %q", in, text(err), want)
		}
	}
}

func TestParseLegacy(t *testing.T) {
	for in, want := range map[string]Config{
		"null":                          {Label: "l", Backend: "null", Address: noFD},
		"stdio":                         {Label: "l", Backend: "stdio", Signal: true, Address: noFD},
		"mon:stdio":                     {Label: "l", Backend: "stdio", Signal: true, Mux: true, Address: noFD},
		"pty":                           {Label: "l", Backend: "pty", Address: noFD},
		"pty:/tmp/l":                    {Label: "l", Backend: "pty", Path: "/tmp/l", Address: noFD},
		"/dev/ttyS0":                    {Label: "l", Backend: "serial", Path: "/dev/ttyS0", Address: noFD},
		"udp::1":                        {Label: "l", Backend: "udp", Address: Address{FD: NoFD, Port: "1", Network: "tcp"}, Local: noFD},
		"udp:h:1@:2":                    {Label: "l", Backend: "udp", Address: Address{FD: NoFD, Host: "h", Port: "1", Network: "tcp"}, Local: Address{FD: NoFD, Port: "2"}},
		"mon:udp:[::1]:1@[::]:2":        {Label: "l", Backend: "udp", Mux: true, Address: Address{FD: NoFD, Host: "::1", Port: "1", Network: "tcp"}, Local: Address{FD: NoFD, Host: "::", Port: "2"}},
		"telnet:h:1,server=on,wait=off": {Label: "l", Backend: "socket", Server: true, Telnet: true, Address: Address{FD: NoFD, Host: "h", Port: "1", Network: "tcp"}},
		"file:log":                      {Label: "l", Backend: "file", Path: "log", Address: noFD},
		"pipe:p":                        {Label: "l", Backend: "pipe", Path: "p", Address: noFD},
		"unix:s,server=on,wait=off":     {Label: "l", Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: "s", Network: "tcp"}},
		"unix:s,server,nowait":          {Label: "l", Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: "s", Network: "tcp"}},
		"tcp:h:1,server=on,wait=off":    {Label: "l", Backend: "socket", Server: true, Address: Address{FD: NoFD, Host: "h", Port: "1", Network: "tcp"}},
		"tcp::0,server=on":              {Label: "l", Backend: "socket", Server: true, Wait: true, Address: Address{FD: NoFD, Port: "0", Network: "tcp"}},
		"tcp:[::1]:4444":                {Label: "l", Backend: "socket", Address: Address{FD: NoFD, Host: "::1", Port: "4444", Network: "tcp"}},
	} {
		if got, err := ParseLegacy("l", in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"foo":               "'foo' is not a valid char driver",
		"foo:bar":           "'foo:bar' is not a valid char driver",
		"null,foo":          "'null,foo' is not a valid char driver",
		"mon:foo":           "'foo' is not a valid char driver",
		"":                  "'' is not a valid char driver",
		"unix:":             "Unable to parse FD number ",
		"unix:/tmp/x,nope=": "Invalid parameter 'nope'",
		"tcp:localhost":     "'tcp:localhost' is not a valid char driver: expected tcp:HOST:PORT",
		"udp:1":             "'udp:1' is not a valid char driver: expected udp:HOST:PORT or udp:HOST:PORT@LOCALADDR:LOCALPORT",
		"udp:h:1@2":         "'udp:h:1@2' is not a valid char driver: expected udp:HOST:PORT or udp:HOST:PORT@LOCALADDR:LOCALPORT",
		"udp:h:1,ipv4=on":   "'udp:h:1,ipv4=on' is not a valid char driver: expected udp:HOST:PORT or udp:HOST:PORT@LOCALADDR:LOCALPORT",
		"udp":               "'udp' is not a valid char driver",
		"/dev/parport0":     "chardev: backplane does not have QEMU's backend 'parallel'",
		"serial:/dev/ttyS0": "'serial:/dev/ttyS0' is not a valid char driver",
		"hub:a":             "'hub:a' is not a valid char driver",
		"telnet:h":          "'telnet:h' is not a valid char driver: expected telnet:HOST:PORT",
		"vc:80Cx24C":        "chardev: backplane does not have QEMU's backend 'vc'",
	} {
		if _, err := ParseLegacy("l", in); text(err) != want {
			t.Errorf("%s: %q, want %q", in, text(err), want)
		}
	}
}

// FuzzParse: no text makes the parsers panic, and what they accept is complete.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"null,id=a", "socket,id=a,path=p,server=on,wait=off", "mon:stdio", "tcp:[::1]:1,server", "file,id=a,path=x",
		"udp,id=a,host=h,port=1,localport=2,ipv6=on", "udp:h:1@:2", "udp:[::1]:1@[::]:2", "hub,id=a,chardevs.0=b,chardevs.1=c", "serial,id=a,path=/dev/x", "/dev/ttyS0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, parse := range []func(string) (Config, error){ParseOption, func(s string) (Config, error) { return ParseLegacy("l", s) }} {
			c, err := parse(in)
			if err != nil {
				continue
			}
			if c.Label == "" || c.Backend == "" || c.Server && c.ReconnectMS > 0 || c.Wait && !c.Server ||
				c.Backend == "udp" && c.Port == "" || len(c.Members) > maxHub {
				t.Fatalf("%q: %+v", in, c)
			}
		}
	})
}
