package credentials

import (
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
)

// TestKey reads keys that OpenSSL has written; the password is "hello".
func TestKey(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pem")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	plain := load1(t, "testdata/plain.pem", nil)
	for _, name := range files {
		if name == "testdata/traditional.pem" {
			continue
		}
		if key := load1(t, name, []byte("hello")); !key.Equal(plain) {
			t.Errorf("%s is another key", name)
		}
	}
	for name, want := range map[string]string{
		"aes256": "Decryption has failed.", "traditional": "backplane reads encrypted keys as PKCS #8 only",
	} {
		text := readFile(t, "testdata/"+name+".pem")
		if _, err := privateKey(text, nil); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
	if _, err := privateKey(readFile(t, "testdata/aes256.pem"), []byte("bello")); err == nil {
		t.Error("the wrong password did")
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func load1(t *testing.T, name string, password []byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := privateKey(readFile(t, name), password)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return key.(*ecdsa.PrivateKey)
}

// TestPassword loads credentials whose key is encrypted.
func TestPassword(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	dir := ca.Folder(t, ca.Server(t), nil)
	credtest.Write(t, dir, "server-key.pem", readFile(t, "testdata/aes256.pem"))
	o := options(dir, true)
	o.Password = func() ([]byte, error) { return nil, errors.New("no secret") }
	_, err := Load(o)
	check(t, err, dir, "no secret")
	for password, want := range map[string]string{
		"": "Decryption has failed.", "hello": "The certificate and the given key do not match.",
	} {
		o.Password = func() ([]byte, error) { return []byte(password), nil }
		if password == "" {
			o.Password = nil
		}
		_, err := Load(o)
		check(t, err, dir, "Cannot load certificate 'DIR/server-cert.pem' & key 'DIR/server-key.pem': "+want)
	}
}

func FuzzKey(f *testing.F) {
	for _, name := range []string{"plain", "aes256", "des3", "sha1"} {
		text, err := os.ReadFile("testdata/" + name + ".pem")
		if err != nil {
			f.Fatal(err)
		}
		b, _ := pem.Decode(text)
		f.Add(b.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, typ := range []string{"ENCRYPTED PRIVATE KEY", "PRIVATE KEY"} {
			if key, err := keyOf(&pem.Block{Type: typ, Bytes: der}, []byte("hello")); err == nil && key == nil {
				t.Fatal("neither key nor error")
			}
		}
	})
}
