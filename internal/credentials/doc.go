// Package credentials is what the two ends of a TLS connection show each other
// and look at: X.509 certificates, in a folder of files with QEMU's names.
//
//	ca-cert.pem      whom to trust
//	ca-crl.pem       whom no longer (servers; optional)
//	server-cert.pem  server-key.pem
//	client-cert.pem  client-key.pem  (optional)
//
// [Load] reads them once, checks that they can serve their purpose and refuses
// them in QEMU's words. [Credentials.Accept] and [Credentials.Connect] shake
// hands on a connection. TLS 1.2 and 1.3 are spoken.
//
// Where the certificates of the other end are looked at the rules are GnuTLS's,
// as QEMU uses it: any purpose will do, a certificate without alternative names
// is for the host that its common name says, and names are written as
// GnuTLS writes them ([Name]), since rules of authorization are made of that.
//
// The package starts no goroutines and has no locks; Credentials never change.
// A handshake blocks until it is done or its context is.
package credentials
