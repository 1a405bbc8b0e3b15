package credentials

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"
)

// name makes a certificate's subject of parts, each with its type and value.
func name(t testing.TB, parts ...any) *x509.Certificate {
	t.Helper()
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value any
	}
	type pairSET []pair
	var list []pairSET
	for i := 0; i < len(parts); i += 2 {
		list = append(list, pairSET{{parts[i].(asn1.ObjectIdentifier), parts[i+1]}})
	}
	der, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubject: der}
}

// TestName has what QEMU 7.2 with GnuTLS 3.7 was seen to make of the same names.
func TestName(t *testing.T) {
	id := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, n} }
	text := func(tag int, s string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(s)} }
	for want, cert := range map[string]*x509.Certificate{
		"":                                      name(t),
		`C=GB,ST=London,O=Acme\, Inc,CN=client`: name(t, id(6), "GB", id(8), "London", id(10), "Acme, Inc", id(3), "client"),
		`CN=v3,surName=v4,serialNumber=v5,L=v7,street=v9,OU=v11,title=v12,description=v13,businessCategory=v15,2.5.4.16=#1303763136`: name(t,
			id(3), "v3", id(4), "v4", id(5), "v5", id(7), "v7", id(9), "v9", id(11), "v11", id(12), "v12", id(13), "v13", id(15), "v15", id(16), "v16"),
		`DC=org,UID=u,EMAIL=a@b.c,1.2.3.4=#1303666f6f,1.2.3.5=#1603696135`: name(t,
			asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, text(22, "org"), asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, "u",
			asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, text(22, "a@b.c"), asn1.ObjectIdentifier{1, 2, 3, 4}, "foo", asn1.ObjectIdentifier{1, 2, 3, 5}, text(22, "ia5")),
		"CN=\\ lead and trail\\ ,CN=\\#hash,CN=q\\\"b\\\\c\\,s\\;p\\+l\\<g\\>e=n#m,CN=Ünï,CN=ctl\x01\n\x7f,CN=\\ ,CN=a \\ ": name(t,
			id(3), " lead and trail ", id(3), "#hash", id(3), "q\"b\\c,s;p+l<g>e=n#m", id(3), "Ünï", id(3), "ctl\x01\n\x7f", id(3), " ", id(3), "a  "),
		"CN=#0c03780079": name(t, id(3), text(12, "x\x00y")),
		"CN=AĂ":          name(t, id(3), text(30, "\x00A\x01\x02")),
		"CN=#1402e96c":   name(t, id(3), text(20, "\xe9l")),
	} {
		if got := Name(cert); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	type twoSET []attribute
	der, err := asn1.Marshal([]twoSET{{{id(3), text(19, "b")}, {id(11), text(19, "a")}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := Name(&x509.Certificate{RawSubject: der}); got != "CN=b+OU=a" {
		t.Error(got)
	}
}

func FuzzName(f *testing.F) {
	f.Add(name(f, asn1.ObjectIdentifier{2, 5, 4, 3}, "a,b").RawSubject)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(Name(&x509.Certificate{RawSubject: der})) > 100+40*len(der) {
			t.Fatal("out of proportion")
		}
	})
}
