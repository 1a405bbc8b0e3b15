package opts

import (
	"strings"
	"testing"
)

func TestParseKeyval(t *testing.T) {
	long := strings.Repeat("a", 128)
	for _, c := range []struct {
		in, implied, want, err string
		help                   bool
	}{
		{in: "", want: "{}"},
		{in: "null-co,size=1M", implied: "driver", want: `{"driver": "null-co", "size": "1M"}`},
		{in: "driver=raw,file.driver=file,file.filename=a,,b", want: `{"driver": "raw", "file": {"driver": "file", "filename": "a,b"}}`},
		{in: "a.0=x,a.1=y", want: `{"a": ["x", "y"]}`},
		{in: "a.1=y,a.0=x", want: `{"a": ["x", "y"]}`},
		{in: "a.00=x", want: `{"a": ["x"]}`},
		{in: "a=1,a=2", want: `{"a": "2"}`},
		{in: "raw,file=a,", implied: "driver", want: `{"driver": "raw", "file": "a"}`},
		{in: "__org.x_a=b", want: `{"__org.x_a": "b"}`},
		{in: "help", implied: "driver", want: "{}", help: true},
		{in: "raw,?,a=b", implied: "driver", want: `{"a": "b", "driver": "raw"}`, help: true},
		{in: "raw,=3", implied: "driver", err: "Invalid parameter ''"},
		{in: "raw,,b", implied: "driver", err: "Invalid parameter ''"},
		{in: "a..b=3", err: "Invalid parameter 'a..b'"},
		{in: "9file=1", err: "Invalid parameter '9file'"},
		{in: "0=raw", err: "Invalid parameter '0'"},
		{in: "a.0.=a", err: "Invalid parameter 'a.0.'"},
		{in: ".file=a", err: "Invalid parameter '.file'"},
		{in: "a%=a", err: "Invalid parameter 'a%'"},
		{in: "_a=a", err: "Invalid parameter '_a'"},
		{in: "__org.x=a", err: "Invalid parameter '__org.x'"},
		{in: "-a=a", err: "Invalid parameter '-a'"},
		{in: "a.0x=a", err: "Invalid parameter 'a.0x'"},
		{in: "driver", err: "Expected '=' after parameter 'driver'"},
		{in: "a=b,file.size", err: "Expected '=' after parameter 'file.size'"},
		{in: "file=a,file.driver=b", err: "Parameters 'file.*' used inconsistently"},
		{in: "file.driver=b,file=a", err: "Parameters 'file.*' used inconsistently"},
		{in: "file.0=a,file.x=b", err: "Parameters 'file.*' used inconsistently"},
		{in: "file.0=x,file.1.a=b,file.1=c", err: "Parameters 'file.1.*' used inconsistently"},
		{in: "file.0=a,file.2=b", err: "Parameter 'file.1' missing"},
		{in: "file.1=a", err: "Parameter 'file.0' missing"},
		{in: "file.99999999999999999999=a", err: "Parameter 'file.0' missing"},
		{in: "a.b.1=c", err: "Parameter 'a.b.0' missing"},
		{in: long + "=3", err: "Parameter '" + long + "' is too long"},
		{in: "a." + long + "=3", err: "Parameter fragment '" + long + "' is too long"},
	} {
		d, help, err := ParseKeyval(c.in, c.implied)
		if text(err) != c.err {
			t.Errorf("%q: error %q, want %q", c.in, text(err), c.err)
		}
		if err != nil || c.err != "" {
			continue
		}
		if got := sorted(d); got != c.want || help != c.help {
			t.Errorf("%q: %s help %v, want %s", c.in, got, help, c.want)
		}
	}
	if _, _, err := ParseKeyval("a"+strings.Repeat(".a", maxDepth)+"=b", ""); err == nil {
		t.Error("a key nested without bound was accepted")
	}
}

func TestParseObject(t *testing.T) {
	for _, c := range []struct {
		in, want, err string
		json          bool
	}{
		{in: `{"driver": "raw", "n": 1}`, want: `{"driver": "raw", "n": 1}`, json: true},
		{in: "raw,n=1", want: `{"driver": "raw", "n": "1"}`},
		{in: `{"driver":`, err: "JSON parse error, premature EOI", json: true},
		{in: `{"driver":"null-co"} x`, err: "JSON parse error, Expecting at most one JSON value", json: true},
	} {
		d, json, _, err := ParseObject(c.in, "driver")
		if json != c.json || (err != nil) != (c.err != "") {
			t.Errorf("%q: json %v, error %q, want %q", c.in, json, text(err), c.err)
		}
		if err == nil && sorted(d) != c.want {
			t.Errorf("%q: %s, want %s", c.in, sorted(d), c.want)
		}
	}
}
