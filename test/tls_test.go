package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/credentials/credtest"
	"github.com/backplane-vm/backplane/qmp"
)

// secured is a machine whose QMP monitor m0 is reached over TLS, by those whom
// the object acl allows.
type secured struct {
	*process
	ca      *credtest.Authority
	control *qmp.Client // over a unix socket
	address string      // of m0
}

// newSecured lets alice in. dir has the server's certificate.
func newSecured(t *testing.T, ca *credtest.Authority, dir string) *secured {
	t.Helper()
	s := &secured{ca: ca, process: newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "64",
		"-object", "tls-creds-x509,id=tls0,endpoint=server,dir="+dir,
		"-object", `{"qom-type": "authz-list", "id": "acl", "rules": [{"match": "*,CN=alice", "format": "glob", "policy": "allow"}]}`,
		"-chardev", "socket,id=m0,host=127.0.0.1,port=0,server=on,wait=off,tls-creds=tls0,tls-authz=acl", "-mon", "chardev=m0,mode=control",
		"-qmp", "unix:DIR/Q,server=on,wait=off")}
	s.start()
	s.until("the socket is there", func() bool { return s.exists("Q") })
	s.control = dialQMP(t, s.path("Q"))
	s.address = s.listening("m0")
	return s
}

// listening is where a server on TCP listens.
func (s *secured) listening(label string) string {
	s.Helper()
	name := chardevs(s.T, s.control)[label]
	address, server := strings.CutPrefix(name, "disconnected:tcp:")
	address, _, cut := strings.Cut(address, ",server=on")
	if !server || !cut {
		s.Fatalf("%s is %q", label, name)
	}
	return address
}

// chardevs are the character devices' filenames.
func chardevs(t *testing.T, c *qmp.Client) map[string]string {
	t.Helper()
	var list []struct{ Label, Filename string }
	if err := c.Execute(t.Context(), "query-chardev", nil, &list); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range list {
		names[d.Label] = d.Filename
	}
	return names
}

// as is how somebody of that name connects.
func (s *secured) as(name string) *tls.Config {
	return &tls.Config{RootCAs: s.ca.Pool(), Certificates: []tls.Certificate{s.ca.Client(s.T, name).TLS()}}
}

// ask runs query-status over TLS.
func (s *secured) ask(config *tls.Config) error {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	c, err := qmp.DialTLS(ctx, "tcp", s.address, config)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Execute(ctx, "query-status", nil, nil)
}

// TestTLSClients has clients of all kinds come to a monitor.
func TestTLSClients(t *testing.T) {
	ca, other := credtest.NewAuthority(t, "CA"), credtest.NewAuthority(t, "other")
	s := newSecured(t, ca, ca.Folder(t, ca.Server(t), nil))
	stalled, err := net.Dial("tcp", s.address) // and says nothing as long as the test takes
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	if err := s.ask(s.as("alice")); err != nil {
		t.Errorf("alice: %v", err)
	}
	for name, config := range map[string]*tls.Config{
		"bob":          s.as("bob"),
		"nobody":       {RootCAs: ca.Pool()},
		"a stranger":   {RootCAs: ca.Pool(), Certificates: []tls.Certificate{other.Client(t, "alice").TLS()}},
		"alice, wary,": {RootCAs: other.Pool(), Certificates: []tls.Certificate{ca.Client(t, "alice").TLS()}},
	} {
		if err := s.ask(config); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
	plain, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprintln(plain, `{"execute": "qmp_capabilities"}`)
	if text, err := io.ReadAll(plain); err != nil || bytes.Contains(text, []byte("QMP")) {
		t.Errorf("plain text is answered %q, %v", text, err)
	}

	// Other rules, while clients come and go.
	rules := []map[string]any{{"match": `C=GB,O=Acme\, Inc,CN=bob`, "policy": "allow"}}
	if err := s.control.Execute(t.Context(), "qom-set", map[string]any{"path": "/objects/acl", "property": "rules", "value": rules}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.ask(s.as("bob")); err != nil {
		t.Errorf("bob: %v", err)
	}
	if err := s.ask(s.as("alice")); err == nil {
		t.Error("alice is still let in")
	}
}

// TestTLSMonitorAdded adds a monitor over TLS while the machine runs, which does
// not know a certificate that has been revoked.
func TestTLSMonitorAdded(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	s := newSecured(t, ca, ca.Folder(t, ca.Server(t), nil))
	alice := ca.Client(t, "alice")
	dir := ca.Folder(t, ca.Server(t), nil)
	credtest.Write(t, dir, "ca-crl.pem", ca.Revocations(t, credtest.Epoch().AddDate(90, 0, 0), alice))
	for _, c := range []struct {
		command string
		args    string
	}{
		{"object-add", `{"qom-type": "tls-creds-x509", "id": "tls1", "endpoint": "server", "dir": "` + dir + `"}`},
		{"chardev-add", `{"id": "m1", "backend": {"type": "socket", "data": {"addr": {"type": "inet", "data": {"host": "127.0.0.1", "port": "0"}}, "wait": false, "tls-creds": "tls1"}}}`},
		{"x-monitor-add", `{"id": "mon1", "chardev": "m1"}`},
		{"object-del", `{"id": "tls1"}`}, // the device keeps what it has taken
	} {
		var args map[string]any
		if err := json.Unmarshal([]byte(c.args), &args); err != nil {
			t.Fatal(err)
		}
		if err := s.control.Execute(t.Context(), c.command, args, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.address = s.listening("m1")
	if err := s.ask(&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{alice.TLS()}}); err == nil {
		t.Error("who was revoked is let in")
	}
	if err := s.ask(s.as("bob")); err != nil {
		t.Error(err)
	}
}

// TestTLSTools has the usual tools talk to a monitor.
func TestTLSTools(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	s := newSecured(t, ca, ca.Folder(t, ca.Server(t), nil))
	dir := ca.Folder(t, nil, ca.Client(t, "alice"))
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"gnutls-cli": {"--x509cafile=DIR/ca-cert.pem", "--x509certfile=DIR/client-cert.pem", "--x509keyfile=DIR/client-key.pem", "-p", port, "localhost"},
		"openssl":    {"s_client", "-quiet", "-verify_return_error", "-CAfile", "DIR/ca-cert.pem", "-cert", "DIR/client-cert.pem", "-key", "DIR/client-key.pem", "-connect", "localhost:" + port},
		binary:       {"qmp", "-tls", "DIR", "localhost:" + port, "query-status"},
	} {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DIR", dir)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		tool := exec.CommandContext(ctx, name, args...)
		in, out := io.Pipe()
		tool.Stdin = in
		tool.WaitDelay = time.Second
		go func() { // the monitor hangs up at the last of these
			fmt.Fprintln(out, `{"execute": "qmp_capabilities"} {"execute": "query-status", "id": 7}`)
			<-ctx.Done()
			out.Close()
		}()
		var said syncBuffer
		tool.Stdout, tool.Stderr = &said, &said
		if err := tool.Start(); err != nil {
			t.Fatalf("%v; .ci/run installs it", err)
		}
		s.until(name+" has its answer", func() bool { return strings.Contains(said.String(), `"status": "prelaunch"`) })
		cancel()
		_ = tool.Wait() // it was told to end
	}
}

// TestTLSToQEMU connects serial ports of QEMU's with monitors of ours, each being
// the server once: what the guest there prints is no command, says the monitor.
// (The other way QEMU 7.2 reads a byte of each record and leaves the rest lying.)
func TestTLSToQEMU(t *testing.T) {
	path, err := exec.LookPath(qemuProgram)
	if err != nil {
		t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
	}
	kernel := filepath.Join(t.TempDir(), "demo.elf")
	if err := os.WriteFile(kernel, demo.ELF(), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := credtest.NewAuthority(t, "CA")
	dir := ca.Folder(t, ca.Server(t), ca.Client(t, "alice"))
	begin := func(t *testing.T, program, end, socket string, more ...string) (*process, *qmp.Client) {
		t.Helper()
		p := newProcess(t, append([]string{"-M", "virt", "-nodefaults", "-display", "none", "-m", "64", "-S", "-qmp", "unix:DIR/Q,server=on,wait=off",
			"-object", "tls-creds-x509,id=t,dir=" + dir + ",endpoint=" + end, "-chardev", "socket,id=c,tls-creds=t," + socket}, more...)...)
		p.cmd.Path = program
		p.start()
		p.until("the socket is there", func() bool { return p.exists("Q") })
		return p, dialQMP(t, p.path("Q"))
	}
	ours := []string{"-mon", "chardev=c,mode=readline"}
	theirs := []string{"-bios", "none", "-kernel", kernel, "-serial", "chardev:c"}
	const listen = "host=127.0.0.1,port=0,server=on,wait=off"
	connect := func(t *testing.T, server *qmp.Client) string {
		name, _, _ := strings.Cut(chardevs(t, server)["c"], ",")
		return "host=localhost,ipv4=on,port=" + name[strings.LastIndexByte(name, ':')+1:]
	}
	heard := func(t *testing.T, p *process, our, their *qmp.Client) {
		t.Helper()
		p.until("the two are connected", func() bool { return strings.Contains(chardevs(t, our)["c"], " <-> ") })
		if err := their.Execute(t.Context(), "cont", nil, nil); err != nil {
			t.Fatal(err)
		}
		p.until("the guest's words are there", func() bool { return p.logged("unknown command: '[") })
	}
	t.Run("server", func(t *testing.T) {
		p, our := begin(t, binary, "server", listen+",tls-authz=a,logfile=DIR/log",
			append(ours, "-object", `authz-simple,id=a,identity=C=GB,,O=Acme\,, Inc,,CN=alice`)...)
		_, their := begin(t, path, "client", connect(t, our)+",reconnect=1", theirs...)
		heard(t, p, our, their)
	})
	t.Run("client", func(t *testing.T) {
		_, their := begin(t, path, "server", listen, theirs...)
		p, our := begin(t, binary, "client", connect(t, their)+",logfile=DIR/log", ours...)
		heard(t, p, our, their)
	})
}
