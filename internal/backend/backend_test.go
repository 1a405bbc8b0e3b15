package backend_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
)

func ptr(s string) *string { return &s }

func TestSecret(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	iv := bytes.Repeat([]byte{9}, aes.BlockSize)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := append([]byte("letmein"), bytes.Repeat([]byte{9}, 9)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	encode := base64.StdEncoding.EncodeToString
	objects := map[string]*qom.Object{"rng": &backend.NewBuiltinRNG().Object}
	lookup := func(id string) *qom.Object { return objects[id] }
	for name, data := range map[string][]byte{"master": key, "short": []byte("abc")} {
		s, err := backend.NewSecret(backend.SecretOptions{Data: ptr(encode(data)), Base64: true}, lookup)
		if err != nil {
			t.Fatal(err)
		}
		objects[name] = &s.Object
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o          backend.SecretOptions
		want, fail string
	}{
		{backend.SecretOptions{Data: ptr("x")}, "x", ""},
		{backend.SecretOptions{File: &file}, "from a file", ""},
		{backend.SecretOptions{Data: ptr("YWJj"), Base64: true}, "abc", ""},
		{backend.SecretOptions{Data: ptr("YWJ"), Base64: true}, "ab", ""},
		{backend.SecretOptions{Data: ptr(encode(sealed)), KeyID: ptr("master"), IV: ptr(encode(iv))}, "letmein", ""},
		{backend.SecretOptions{}, "", "Either 'file' or 'data' must be provided"},
		{backend.SecretOptions{File: ptr("/dev/zero")}, "", "Unable to read /dev/zero: Failed to open file “/dev/zero”: File too large"},
		{backend.SecretOptions{Data: ptr("a"), File: ptr("b")}, "", "'file' and 'data' are mutually exclusive"},
		{backend.SecretOptions{File: ptr("/nonesuch")}, "", "Unable to read /nonesuch: Failed to open file “/nonesuch”: No such file or directory"},
		{backend.SecretOptions{Data: ptr("!!"), Base64: true}, "", "Base64 data contains invalid characters"},
		{backend.SecretOptions{Data: ptr("a"), KeyID: ptr("zz")}, "", "No secret with id 'zz'"},
		{backend.SecretOptions{Data: ptr("a"), KeyID: ptr("rng")}, "", "Object with id 'rng' is not a secret"},
		{backend.SecretOptions{Data: ptr("a"), KeyID: ptr("short")}, "", "Key should be 32 bytes in length"},
		{backend.SecretOptions{Data: ptr("a"), KeyID: ptr("master")}, "", "IV is required to decrypt secret"},
		{backend.SecretOptions{Data: ptr("a"), KeyID: ptr("master"), IV: ptr("AAAA")}, "", "IV should be 16 bytes in length not 3"},
	} {
		s, err := backend.NewSecret(c.o, lookup)
		switch {
		case c.fail != "" && (err == nil || err.Error() != c.fail):
			t.Errorf("%v, want %q", err, c.fail)
		case c.fail == "" && err != nil:
			t.Error(err)
		case c.fail == "" && string(s.Value()) != c.want:
			t.Errorf("%q, want %q", s.Value(), c.want)
		}
	}
}

func TestRNG(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entropy")
	if err := os.WriteFile(file, []byte("random"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := backend.NewFileRNG(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if n, err := r.Read(p); n != 6 || err != nil || string(p[:n]) != "random" {
		t.Errorf("%q, %v", p[:n], err)
	}
	if n, err := r.Read(p); n != 0 || err == nil {
		t.Errorf("%d more, %v", n, err)
	}
	if name, err := r.Get("filename"); name != file || err != nil {
		t.Errorf("filename %v, %v", name, err)
	}
	r.Unref() // closes the file
	if _, err := r.Read(p); err == nil {
		t.Error("a source that is gone can be read")
	}
	if _, err := backend.NewFileRNG(nil, "/nonesuch"); err == nil || err.Error() != "Could not open '/nonesuch': No such file or directory" {
		t.Error(err)
	}
	if n, err := backend.NewBuiltinRNG().Read(p); n != len(p) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestIOThread(t *testing.T) {
	w := sched.NewWorld()
	th, err := backend.NewIOThread(w, "io0", backend.DefaultIOThread())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		in   qom.Input
		want string
	}{
		{"poll-max-ns", qom.JSON(int64(5)), ""},
		{"poll-max-ns", qom.JSON("7"), "Invalid parameter type for 'poll-max-ns', expected: integer"},
		{"poll-max-ns", qom.JSON(int64(-1)), "poll-max-ns value must be in range [0, 9223372036854775807]"},
		{"thread-pool-min", qom.JSON(int64(65)), "bad thread-pool-min/thread-pool-max values"},
		{"thread-pool-max", qom.JSON(int64(1 << 31)), "bad thread-pool-min/thread-pool-max values"},
		{"nonesuch", qom.JSON(int64(1)), "Property 'iothread.nonesuch' not found"},
	} {
		err := th.Set(c.name, c.in)
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if v, err := th.Get("poll-max-ns"); v != int64(5) || err != nil {
		t.Errorf("poll-max-ns is %v, %v", v, err)
	}
	if o := th.Options(); o.PoolMin != 0 || o.PoolMax != 64 {
		t.Errorf("%+v", o)
	}
	th.Unref() // ends the thread
	w.Join()
}
