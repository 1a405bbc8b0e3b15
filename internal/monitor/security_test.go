package monitor_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A conversation about TLS credentials and who may come in, in QEMU's words, and
// then over TLS.
func TestSecurity(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 0).qmp(ctx)
	ca := credtest.NewAuthority(t, "CA")
	dir := ca.Folder(t, ca.Server(t), nil)
	rules := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(rules, []byte(`{"rules": [{"match": "*,CN=alice", "format": "glob", "policy": "allow"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const inet = `"addr":{"type":"inet","data":{"host":"127.0.0.1","port":"0"}},"wait":false`
	const add = "Failed to add chardev 'c': "
	for _, x := range []struct{ command, args, answer, fail string }{
		{"object-add", `{"qom-type":"tls-creds-x509","id":"t"}`, "", "Missing 'dir' property value"},
		{"object-add", `{"qom-type":"tls-creds-x509","id":"t","dir":"/nonesuch"}`, "", "Unable to access credentials /nonesuch/ca-cert.pem: No such file or directory"},
		{"object-add", `{"qom-type":"tls-creds-x509","id":"t","dir":"DIR","endpoint":"server","passwordid":"zz"}`, "", "No secret with id 'zz'"},
		{"object-add", `{"qom-type":"tls-creds-x509","id":"t","dir":"DIR","endpoint":"both"}`, "", "Parameter 'endpoint' does not accept value 'both'"},
		{"object-add", `{"qom-type":"tls-creds-psk","id":"t","dir":"DIR"}`, "", "Parameter 'qom-type' does not accept value 'tls-creds-psk'"},
		{"object-add", `{"qom-type":"tls-creds-x509","id":"t","dir":"DIR","endpoint":"server"}`, `{}`, ""},
		{"qom-get", `{"path":"/objects/t","property":"endpoint"}`, `"server"`, ""},
		{"qom-get", `{"path":"/objects/t","property":"type"}`, `"tls-creds-x509"`, ""},
		{"object-add", `{"qom-type":"authz-simple","id":"s"}`, "", "Parameter 'identity' is missing"},
		{"object-add", `{"qom-type":"authz-simple","id":"s","identity":"x"}`, `{}`, ""},
		{"object-add", `{"qom-type":"authz-list","id":"l","rules":[{"match":"x"}]}`, "", "Parameter 'rules[0].policy' is missing"},
		{"object-add", `{"qom-type":"authz-list","id":"l"}`, `{}`, ""},
		{"qom-get", `{"path":"/objects/l","property":"policy"}`, `"deny"`, ""},
		{"object-add", `{"qom-type":"authz-listfile","id":"f","filename":"/nonesuch"}`, "", "Unable to read '/nonesuch': Failed to open file “/nonesuch”: No such file or directory"},
		{"object-add", `{"qom-type":"authz-listfile","id":"f","filename":"` + rules + `"}`, `{}`, ""},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-creds":"zz",` + inet + `}}}`, "", add + "No TLS credentials with id 'zz'"},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-creds":"s",` + inet + `}}}`, "", add + "Object with id 's' is not TLS credentials"},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-creds":"t","server":false,"addr":{"type":"inet","data":{"host":"127.0.0.1","port":"1"}}}}}`, "", add + "Expected TLS credentials for a client endpoint"},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-creds":"t","addr":{"type":"unix","data":{"path":"x"}}}}}`, "", add + "'tls_creds' option is incompatible with 'unix' address type"},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-authz":"l",` + inet + `}}}`, "", add + "'tls_authz' option requires 'tls_creds' option"},
		{"chardev-add", `{"id":"c","backend":{"type":"socket","data":{"tls-creds":"t","tls-authz":"l",` + inet + `}}}`, `{}`, ""},
		{"x-monitor-add", `{"id":"m","chardev":"c"}`, `{}`, ""},
	} {
		answer, fail := ask(ctx, t, c, x.command, strings.ReplaceAll(x.args, "DIR", dir))
		got := ""
		if fail == "" {
			got = qobject.Encode(answer)
		}
		if got != x.answer || fail != x.fail {
			t.Errorf("%s %s: %s %q, want %s %q", x.command, x.args, got, fail, x.answer, x.fail)
		}
	}
	var list []struct{ Label, Filename string }
	if err := c.Execute(ctx, "query-chardev", nil, &list); err != nil {
		t.Fatal(err)
	}
	at, _, _ := strings.Cut(strings.TrimPrefix(list[0].Filename, "disconnected:tcp:"), ",")
	config := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Client(t, "alice").TLS()}}
	come := func() error {
		alice, err := qmp.DialTLS(ctx, "tcp", at, config)
		if err != nil {
			return err
		}
		defer alice.Close()
		return alice.Execute(ctx, "query-status", nil, nil)
	}
	if err := come(); err == nil {
		t.Error("an empty list lets in")
	}
	if err := c.Execute(ctx, "object-del", qobject.Members("id", "l"), nil); err != nil {
		t.Error(err)
	}
	if err := come(); err == nil {
		t.Error("nobody decides, and one is let in")
	}
	if err := c.Execute(ctx, "object-add", qobject.Members("qom-type", "authz-listfile", "id", "l", "filename", rules), nil); err != nil {
		t.Error(err)
	}
	if err := come(); err != nil {
		t.Errorf("who is in the file stays out: %v", err)
	}
}
