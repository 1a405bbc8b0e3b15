package monitor

import (
	"github.com/backplane-vm/backplane/internal/authz"
	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/credentials"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// newSecurity makes what TLS connections and their authorization need; nil if o
// is something else.
func newSecurity(m *machine.Machine, o *api.ObjectOptions) (*qom.Object, error) {
	switch {
	case o.TlsCredsX509 != nil:
		c, err := backend.NewTLSCreds(tlsOptions(o.TlsCredsX509), m.World.Wall, objects(m).Child)
		if err != nil {
			return nil, err
		}
		return &c.Object, nil
	case o.AuthzSimple != nil:
		return &backend.NewAuthzSimple(o.AuthzSimple.Identity).Object, nil
	case o.AuthzList != nil:
		return &backend.NewAuthzList(authzList(o.AuthzList)).Object, nil
	case o.AuthzListfile != nil:
		p := o.AuthzListfile
		a, err := backend.NewAuthzListFile(p.Filename, p.Refresh == nil || *p.Refresh)
		if err != nil {
			return nil, err
		}
		return &a.Object, nil
	}
	return nil, nil
}

func tlsOptions(p *api.TlsCredsX509Properties) backend.TLSCredsOptions {
	o := backend.DefaultTLSCreds()
	o.Dir, o.Priority, o.PasswordID = value(p.Dir), value(p.Priority), p.Passwordid
	o.Server = value(p.Endpoint) == api.QCryptoTLSCredsEndpointServer
	if p.VerifyPeer != nil {
		o.VerifyPeer = *p.VerifyPeer
	}
	if p.SanityCheck != nil {
		o.SanityCheck = *p.SanityCheck
	}
	return o
}

func authzList(p *api.AuthZListProperties) *authz.List {
	list := &authz.List{Policy: authz.Deny}
	if p.Policy != nil {
		list.Policy = authz.Policy(*p.Policy)
	}
	for _, r := range p.Rules {
		list.Rules = append(list.Rules, authz.Rule{
			Match: r.Match, Policy: authz.Policy(r.Policy), Format: authz.Format(value(r.Format)),
		})
	}
	return list
}

// socketObjects finds, for sockets, objects of a machine.
type socketObjects struct{ m *machine.Machine }

// SocketObjects returns what sockets that speak TLS need of m. They take the BQL
// to look.
func SocketObjects(m *machine.Machine) chardev.Objects { return socketObjects{m} }

// Credentials implements [chardev.Objects].
func (s socketObjects) Credentials(id string) (c *credentials.Credentials, err error) {
	s.m.Locked("TLS credentials", func() {
		o := objects(s.m).Child(id)
		if o == nil {
			err = qerr.New("No TLS credentials with id '%s'", id)
			return
		}
		t, ok := o.Self().(*backend.TLSCreds)
		if !ok {
			err = qerr.New("Object with id '%s' is not TLS credentials", id)
			return
		}
		c = t.Credentials()
	})
	return c, err
}

// Admit implements [chardev.Objects]. The object is looked for each time, so that
// one with other rules can take its place.
func (s socketObjects) Admit(id, identity string) error {
	var by authz.Authorizer
	s.m.Locked("TLS authorization", func() {
		if o := objects(s.m).Child(id); o != nil {
			if a, ok := o.Self().(*backend.Authz); ok {
				by = a.By()
			}
		}
	})
	if by == nil {
		return qerr.New("Cannot find authorization object '%s'", id)
	}
	switch ok, err := by.Allowed(identity); {
	case err != nil:
		return err
	case !ok:
		return qerr.New("TLS x509 authz check for %s is denied", identity)
	}
	return nil
}
