package backend

import (
	"time"

	"github.com/backplane-vm/backplane/internal/credentials"
	"github.com/backplane-vm/backplane/internal/qom"
)

const (
	tlsType  = "tls-creds"
	x509Type = "tls-creds-x509"
)

// TLSCredsOptions say where certificates are and how strict to be with them.
type TLSCredsOptions struct {
	Dir                     string
	Server                  bool
	VerifyPeer, SanityCheck bool
	Priority                string  // a GnuTLS string; "" for the default
	PasswordID              *string // the secret that the private key is encrypted with
}

// DefaultTLSCreds returns QEMU's defaults.
func DefaultTLSCreds() TLSCredsOptions {
	return TLSCredsOptions{VerifyPeer: true, SanityCheck: true}
}

// TLSCreds are certificates for one end of TLS connections. What has taken the
// Credentials of such an object keeps them when it is gone.
type TLSCreds struct {
	qom.Object
	o     TLSCredsOptions
	creds *credentials.Credentials
}

// NewTLSCreds reads the files. lookup finds the object that is the secret, now is
// the wall clock.
func NewTLSCreds(o TLSCredsOptions, now func() time.Time, lookup func(id string) *qom.Object) (*TLSCreds, error) {
	with := credentials.Options{
		Dir: o.Dir, Server: o.Server, VerifyPeer: o.VerifyPeer, SanityCheck: o.SanityCheck, Priority: o.Priority, Now: now,
	}
	if o.PasswordID != nil {
		with.Password = func() ([]byte, error) {
			s, err := FindSecret(*o.PasswordID, lookup)
			if err != nil {
				return nil, err
			}
			return s.Value(), nil
		}
	}
	creds, err := credentials.Load(with)
	if err != nil {
		return nil, err
	}
	t := &TLSCreds{o: o, creds: creds}
	t.Init(x509Type, t, tlsCredsClass(), nil)
	return t, nil
}

// Credentials returns what connections use. It never changes.
func (t *TLSCreds) Credentials() *credentials.Credentials { return t.creds }

func tlsCredsClass() properties {
	value := func(name, typ string, get func(*TLSCredsOptions) any) *qom.Property {
		return &qom.Property{Name: name, Type: typ, Get: func(o *qom.Object) (any, error) {
			return get(&o.Self().(*TLSCreds).o), nil
		}}
	}
	return properties{
		value("endpoint", "QCryptoTLSCredsEndpoint", func(o *TLSCredsOptions) any {
			if o.Server {
				return "server"
			}
			return "client"
		}),
		value("dir", "string", func(o *TLSCredsOptions) any { return o.Dir }),
		value("verify-peer", "bool", func(o *TLSCredsOptions) any { return o.VerifyPeer }),
		value("priority", "string", func(o *TLSCredsOptions) any { return o.Priority }),
		value("sanity-check", "bool", func(o *TLSCredsOptions) any { return o.SanityCheck }),
		value("passwordid", "string", func(o *TLSCredsOptions) any {
			if o.PasswordID == nil {
				return ""
			}
			return *o.PasswordID
		}),
	}
}
