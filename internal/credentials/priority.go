package credentials

import (
	"crypto/tls"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// versions are what is spoken.
type versions struct{ low, high uint16 }

// parsePriority reads a priority string of GnuTLS's: NORMAL, PFS or SECURE128,
// which are what Go's TLS does anyhow, and behind it which versions of TLS
// to add or leave out. What else such a string can say cannot be honoured.
func parsePriority(text string) (versions, error) {
	if text == "" {
		text = "NORMAL"
	}
	first, rest, more := strings.Cut(text, ":")
	switch first {
	case "NORMAL", "PFS", "SECURE128":
	default:
		return versions{}, badPriority(text)
	}
	v12, v13 := true, true
	for more {
		var word string
		word, rest, more = strings.Cut(rest, ":")
		switch word {
		case "-VERS-ALL", "-VERS-TLS-ALL":
			v12, v13 = false, false
		case "+VERS-ALL", "+VERS-TLS-ALL":
			v12, v13 = true, true
		case "+VERS-TLS1.2":
			v12 = true
		case "-VERS-TLS1.2":
			v12 = false
		case "+VERS-TLS1.3":
			v13 = true
		case "-VERS-TLS1.3":
			v13 = false
		case "-VERS-SSL3.0", "-VERS-TLS1.0", "-VERS-TLS1.1": // never spoken
		default:
			return versions{}, badPriority(text)
		}
	}
	switch {
	case v12 && v13:
		return versions{tls.VersionTLS12, tls.VersionTLS13}, nil
	case v12:
		return versions{tls.VersionTLS12, tls.VersionTLS12}, nil
	case v13:
		return versions{tls.VersionTLS13, tls.VersionTLS13}, nil
	}
	return versions{}, badPriority(text)
}

func badPriority(text string) error {
	return qerr.New("Cannot set default TLS session priority %s: "+
		"backplane honours NORMAL, PFS or SECURE128, with -VERS-TLS1.2 or -VERS-TLS1.3", text)
}
