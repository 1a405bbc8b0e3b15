package credentials

import (
	"context"
	"crypto/tls"
	"net"
)

// Allow decides on who has shown a certificate with that [Name]; an error is a
// no, and says why. It may block.
type Allow func(name string) error

// Accept shakes hands with a client. allow may be nil for any whose certificate
// is trusted. It blocks until that is done or ctx is; an error has closed conn.
func (c *Credentials) Accept(ctx context.Context, conn net.Conn, allow Allow) (*tls.Conn, error) {
	config := c.config.Clone()
	if c.verify {
		config.ClientAuth, config.ClientCAs = tls.RequestClientCert, c.roots
		config.VerifyConnection = func(s tls.ConnectionState) error { return c.verifyPeer(s.PeerCertificates, "", allow) }
	}
	return shake(ctx, tls.Server(conn, config))
}

// Connect is Accept for the other end: host is whom conn should lead to.
func (c *Credentials) Connect(ctx context.Context, conn net.Conn, host string, allow Allow) (*tls.Conn, error) {
	config := c.config.Clone()
	config.ServerName = host
	config.InsecureSkipVerify = true  // VerifyConnection does it
	if len(config.Certificates) > 0 { // shown whatever the server says whom it trusts, so that it can say why not
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &config.Certificates[0], nil }
	}
	if c.verify {
		config.VerifyConnection = func(s tls.ConnectionState) error { return c.verifyPeer(s.PeerCertificates, host, allow) }
	}
	return shake(ctx, tls.Client(conn, config))
}

func shake(ctx context.Context, conn *tls.Conn) (*tls.Conn, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.NetConn().Close()
		return nil, err
	}
	return conn, nil
}
