package credentials

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// attributes are the names by which GnuTLS calls parts of a name.
var attributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "surName", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
	"2.5.4.15": "businessCategory", "2.5.4.17": "postalCode", "2.5.4.20": "telephoneNumber", "2.5.4.41": "name",
	"2.5.4.42": "givenName", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier",
	"2.5.4.65": "pseudonym", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"1.2.840.113549.1.9.1":     "EMAIL",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionOfIncorporationLocalityName",
	"1.3.6.1.4.1.311.60.2.1.2": "jurisdictionOfIncorporationStateOrProvinceName",
	"1.3.6.1.4.1.311.60.2.1.3": "jurisdictionOfIncorporationCountryName",
}

// Types of the parts as they are in the certificate.
type (
	attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	// relativeSET is a SET, which package asn1 tells by the type's name.
	relativeSET []attribute
)

// Name returns the certificate's distinguished name as GnuTLS writes it: in the
// certificate's order, which is not RFC 4514's, with RFC 4514's escapes:
// "C=GB,O=Acme\, Inc,CN=laptop". What has no short name or is no text
// is a number and hexadecimal digits.
func Name(cert *x509.Certificate) string {
	var parts []relativeSET
	if _, err := asn1.Unmarshal(cert.RawSubject, &parts); err != nil {
		return ""
	}
	var b strings.Builder
	for i, part := range parts {
		for j, a := range part {
			switch {
			case j > 0:
				b.WriteByte('+')
			case i > 0:
				b.WriteByte(',')
			}
			a.write(&b)
		}
	}
	return b.String()
}

func (a *attribute) write(b *strings.Builder) {
	id := a.Type.String()
	name, known := attributes[id]
	value, text := a.text()
	if !known {
		name = id
	}
	b.WriteString(name + "=")
	if !known || !text {
		b.WriteString("#" + hex.EncodeToString(a.Value.FullBytes))
		return
	}
	escape(b, value)
}

// text returns the value if it is one that can be written as it is.
func (a *attribute) text() (string, bool) {
	s := string(a.Value.Bytes)
	if a.Value.Class != asn1.ClassUniversal {
		return "", false
	}
	switch a.Value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
	case asn1.TagBMPString:
		var ok bool
		if s, ok = fromBMP(a.Value.Bytes); !ok {
			return "", false
		}
	default:
		return "", false
	}
	return s, utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

func fromBMP(raw []byte) (string, bool) {
	if len(raw)%2 != 0 {
		return "", false
	}
	var units []uint16
	for i := 0; i < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units)), true
}

// escape writes what would otherwise mean something behind a backslash.
func escape(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case strings.IndexByte(`,+"\<>;`, c) >= 0, i == 0 && c == '#', c == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
}
