package backend_test

import (
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/authz"
	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/credentials/credtest"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

func TestTLSCreds(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	dir := ca.Folder(t, ca.Server(t), nil)
	now := func() time.Time { return credtest.Epoch().AddDate(1, 0, 0) }
	none := func(string) *qom.Object { return nil }
	o := backend.DefaultTLSCreds()
	o.Dir, o.Server = dir, true
	c, err := backend.NewTLSCreds(o, now, none)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Credentials().Server() {
		t.Error("credentials for the wrong end")
	}
	for name, want := range map[string]any{
		"endpoint": "server", "dir": dir, "verify-peer": true, "priority": "", "sanity-check": true, "passwordid": "",
	} {
		if v, err := c.Get(name); v != want || err != nil {
			t.Errorf("%s is %v, %v", name, v, err)
		}
	}
	o.PasswordID = ptr("zz")
	if _, err := backend.NewTLSCreds(o, now, none); err == nil || err.Error() != "No secret with id 'zz'" {
		t.Error(err)
	}
	rng := func(string) *qom.Object { return &backend.NewBuiltinRNG().Object }
	if _, err := backend.NewTLSCreds(o, now, rng); err == nil || err.Error() != "Object with id 'zz' is not a secret" {
		t.Error(err)
	}
	c.Unref()
}

func TestAuthz(t *testing.T) {
	a := backend.NewAuthzList(&authz.List{Policy: authz.Deny, Rules: []authz.Rule{{Match: "a", Policy: authz.Allow}}})
	allows := func(a *backend.Authz, identity string, want bool) {
		t.Helper()
		if got, err := a.By().Allowed(identity); got != want || err != nil {
			t.Errorf("%s: %v, %v", identity, got, err)
		}
	}
	allows(a, "a", true)
	before := a.By()
	rule := func(members ...any) []any { return []any{qobject.Members(members...)} }
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"rules", rule("match", "b*", "policy", "allow", "format", "glob"), ""},
		{"rules", int64(7), "Invalid parameter type for 'rules', expected: array"},
		{"rules", rule("match", "a"), "Parameter 'rules[0].policy' is missing"},
		{"rules", rule("match", "a", "policy", "deny", "format", "foo"), "Parameter 'format' does not accept value 'foo'"},
		{"policy", "foo", "Parameter 'policy' does not accept value 'foo'"},
	} {
		err := a.Set(c.name, qom.JSON(c.in))
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	allows(a, "a", false)
	allows(a, "bc", true)
	if ok, _ := before.Allowed("a"); !ok {
		t.Error("a list in use was changed")
	}
	if err := a.Set("policy", qom.JSON("allow")); err != nil {
		t.Error(err)
	}
	allows(a, "c", true)
	if v, err := a.Get("rules"); err != nil || string(qobject.Append(nil, v)) != `[{"format": "glob", "policy": "allow", "match": "b*"}]` {
		t.Errorf("%s, %v", qobject.Append(nil, v), err)
	}
	s := backend.NewAuthzSimple("x")
	allows(s, "x", true)
	if err := s.Set("identity", qom.JSON("y")); err != nil {
		t.Error(err)
	}
	allows(s, "x", false)
	if _, err := backend.NewAuthzListFile("/nonesuch", true); err == nil {
		t.Error("a file that is not there was read")
	}
}
