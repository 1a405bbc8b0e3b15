package chardev

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials"
	"github.com/backplane-vm/backplane/internal/credentials/credtest"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// vault has credentials "s" for a server, "open" for one that lets anybody in,
// and "c" for a client; the authorization "alice" lets one client in.
type vault struct {
	ca    *credtest.Authority
	creds map[string]*credentials.Credentials
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{credtest.NewAuthority(t, "CA"), map[string]*credentials.Credentials{}}
	dir := v.ca.Folder(t, v.ca.Server(t), v.ca.Client(t, "c"))
	for id, o := range map[string]credentials.Options{
		"s": {Server: true, VerifyPeer: true}, "open": {Server: true}, "c": {VerifyPeer: true},
	} {
		var err error
		o.Dir, o.Now = dir, func() time.Time { return credtest.Epoch().AddDate(1, 0, 0) }
		if v.creds[id], err = credentials.Load(o); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v *vault) Credentials(id string) (*credentials.Credentials, error) {
	if c := v.creds[id]; c != nil {
		return c, nil
	}
	return nil, qerr.New("No TLS credentials with id '%s'", id)
}

func (v *vault) Admit(authz, identity string) error {
	if !strings.HasSuffix(identity, "CN="+authz) {
		return errors.New("denied")
	}
	return nil
}

// as is how a client of that name connects.
func (v *vault) as(t *testing.T, name string) *tls.Config {
	t.Helper()
	return &tls.Config{RootCAs: v.ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{v.ca.Client(t, name).TLS()}}
}

// with makes a socket server on TCP that speaks TLS.
func (v *vault) with(t *testing.T, option string, patience time.Duration) *Chardev {
	t.Helper()
	c, err := ParseOption("socket,id=a,host=127.0.0.1,port=0,server=on," + option)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), sched.NewWorld(), c, Host{Objects: v, patience: int64(patience)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if live := d.w.Live(); len(live) > 0 {
			t.Errorf("still there: %v", live)
		}
	})
	return d
}

// raw connects without shaking hands.
func raw(t *testing.T, d *Chardev) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// gone waits for the other end to hang up.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays")
	}
}

func TestTLSServer(t *testing.T) {
	v := newVault(t)
	for _, many := range []bool{true, false} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			d := v.with(t, "wait=off,tls-creds=s,tls-authz=alice", 0)
			if err := d.Serve(many, echo); err != nil {
				t.Fatal(err)
			}
			stalled := raw(t, d) // says nothing, and holds nobody up
			plain := raw(t, d)
			fmt.Fprintln(plain, `{"execute": "qmp_capabilities"}`)
			gone(t, plain)
			for _, name := range []string{"bob", "alice", "alice"} {
				c := tls.Client(raw(t, d), v.as(t, name))
				if name == "alice" {
					if got := say(t, c, "hello"); got != "hello" {
						t.Errorf("%q", got)
					}
					if !many {
						if name := d.Filename(); !strings.Contains(name, "tcp:127.0.0.1:") || !strings.Contains(name, ",server=on <-> 127.0.0.1:") {
							t.Error(name)
						}
					}
				} else if err := c.Handshake(); err == nil {
					if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad certificate") {
						t.Errorf("%s is let in: %v", name, err)
					}
				}
				c.Close()
			}
			nobody := v.as(t, "x")
			nobody.Certificates = nil
			c := tls.Client(raw(t, d), nobody)
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("a client without certificate is let in")
			}
			d.Close() // with a handshake under way
			gone(t, stalled)
		})
	}
}

// TestHandshakeTime ends handshakes that do not come to an end.
func TestHandshakeTime(t *testing.T) {
	v := newVault(t)
	d := v.with(t, "wait=off,tls-creds=open", time.Millisecond)
	for range maxShaking + 3 {
		gone(t, raw(t, d))
	}
}

// TestTLSWait waits for a client that has shaken hands.
func TestTLSWait(t *testing.T) {
	v := newVault(t)
	d := v.with(t, "tls-creds=s", 0)
	announced := make(chan string, 1)
	done := make(chan error)
	go func() { done <- d.WaitClient(func(name string) { announced <- name }) }()
	<-announced
	raw(t, d)
	fmt.Fprintln(raw(t, d), "hello?")
	c := tls.Client(raw(t, d), v.as(t, "alice"))
	fmt.Fprintln(c, "first")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); got != "first\n" {
		t.Errorf("%q, %v", got, err)
	}

	d = v.with(t, "tls-creds=s", 0)
	go func() { done <- d.WaitClient(func(name string) { announced <- name }) }()
	<-announced
	d.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestTLSQueue has more clients come than are served.
func TestTLSQueue(t *testing.T) {
	v := newVault(t)
	d := v.with(t, "wait=off,tls-creds=open", 0)
	config := v.as(t, "x")
	var clients []*tls.Conn
	for range 2 * maxWaiting {
		c := tls.Client(raw(t, d), config)
		fmt.Fprintln(raw(t, d), "noise")
		clients = append(clients, c)
	}
	results := make(chan error, len(clients))
	for i, c := range clients {
		go func() {
			fmt.Fprintln(c, i)
			got, err := bufio.NewReader(c).ReadString('\n')
			c.Close()
			if err == nil && got != fmt.Sprintln(i) {
				err = errors.New(got)
			}
			results <- err
		}()
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	for range clients {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestTLSDetach gives a server another frontend.
func TestTLSDetach(t *testing.T) {
	v := newVault(t)
	d := v.with(t, "wait=off,tls-creds=s,telnet=on", 0)
	for range 2 {
		if err := d.Serve(true, func(_ *sched.Thread, c Conn) { fmt.Fprintln(c, "hi") }); err != nil {
			t.Fatal(err)
		}
		c := tls.Client(raw(t, d), v.as(t, "alice"))
		if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "hi\n") || err != nil || got[0] != telnetIAC {
			t.Errorf("%q, %v", got, err)
		}
		d.Detach()
	}
}

// TestTLSSlowReader closes connections whose peer does not read.
func TestTLSSlowReader(t *testing.T) {
	v := newVault(t)
	d := v.with(t, "wait=off,tls-creds=s", 0)
	wrote := make(chan struct{})
	err := d.Serve(false, func(_ *sched.Thread, c Conn) {
		close(wrote)
		for {
			if _, err := c.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw(t, d), v.as(t, "alice"))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	<-wrote
	d.Close()
}

func TestTLSClient(t *testing.T) {
	v := newVault(t)
	server := func(pair *credtest.Pair) net.Listener {
		t.Helper()
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{pair.TLS()}, ClientCAs: v.ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	connect := func(l net.Listener, more string) (*Chardev, error) {
		c, err := ParseOption("socket,id=a,host=127.0.0.1,port=" + fmt.Sprint(l.Addr().(*net.TCPAddr).Port) + ",tls-creds=c" + more)
		if err != nil {
			t.Fatal(err)
		}
		return Open(t.Context(), sched.NewWorld(), c, Host{Objects: v})
	}
	// serve answers n clients, and waits for each to hang up.
	serve := func(l net.Listener, n int) chan error {
		done := make(chan error, n)
		go func() {
			for range n {
				c, err := l.Accept()
				if err == nil {
					fmt.Fprintln(c, "hi")
					_, err = io.Copy(io.Discard, c)
					c.Close()
				}
				done <- err
			}
		}()
		return done
	}
	good := server(v.ca.Server(t))
	done := serve(good, 3)
	d, err := connect(good, "")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 3)
	listen := func(_ *sched.Thread, c Conn) {
		text, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			text = err.Error()
		}
		heard <- text
	}
	if err := d.Serve(false, listen); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "hi\n" {
		t.Error(got)
	}
	d.Close()
	if err := <-done; err != nil {
		t.Errorf("the client has not said that it goes: %v", err)
	}
	if d, err = connect(good, ",reconnect-ms=1"); err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, listen); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it comes again
		if got := <-heard; got != "hi\n" {
			t.Error(got)
		}
	}
	good.Close()
	d.Close()

	other := server(credtest.NewAuthority(t, "other").Server(t))
	done = serve(other, 1)
	if _, err := connect(other, ""); text(err) != "TLS handshake failed: The certificate hasn't got a known issuer" {
		t.Error(err)
	}
	<-done
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	c, err := ParseOption("socket,id=a,host=127.0.0.1,port=" + fmt.Sprint(mute.Addr().(*net.TCPAddr).Port) + ",tls-creds=c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), sched.NewWorld(), c, Host{Objects: v, patience: 1e6}); text(err) != "TLS handshake failed: the server took too long" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := mute.Accept(); err == nil {
			defer c.Close()
		}
		cancel()
	}()
	if _, err := Open(ctx, sched.NewWorld(), c, Host{Objects: v}); err == nil {
		t.Error("a cancelled handshake succeeded")
	}
}

func TestTLSRefusals(t *testing.T) {
	v := newVault(t)
	for option, want := range map[string]string{
		"host=127.0.0.1,port=0,server=on,tls-creds=zz":               "No TLS credentials with id 'zz'",
		"host=127.0.0.1,port=0,server=on,tls-creds=c":                "Expected TLS credentials for a server endpoint",
		"host=127.0.0.1,port=1,tls-creds=s":                          "Expected TLS credentials for a client endpoint",
		"path=x,server=on,tls-creds=s":                               "'tls_creds' option is incompatible with 'unix' address type",
		"fd=77,tls-creds=c":                                          "'tls_creds' option is incompatible with 'fd' address type as client",
		"host=127.0.0.1,port=0,server=on,tls-creds=open,tls-authz=a": "'tls_authz' option requires credentials with verify-peer=on, or no client would have a name",
	} {
		c, err := ParseOption("socket,id=a," + option)
		if err == nil {
			_, err = Open(t.Context(), sched.NewWorld(), c, Host{Objects: v})
		}
		if text(err) != want {
			t.Errorf("%s: %q, want %q", option, text(err), want)
		}
	}
	c, err := ParseOption("socket,id=a,path=x,tls-creds=t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), sched.NewWorld(), c, Host{}); text(err) != "No TLS credentials with id 't'" {
		t.Error(err)
	}
}
