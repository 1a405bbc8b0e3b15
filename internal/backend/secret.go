package backend

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strings"

	"github.com/backplane-vm/backplane/internal/hostfile"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

const (
	secretType = "secret"
	// secretKey is the size of a key to a secret: AES-256.
	secretKey = 32
	// maxSecret bounds a file that has a secret: keys and passwords are a few
	// hundred bytes.
	maxSecret = 1 << 20
)

// SecretOptions say what a secret is and how it is written.
type SecretOptions struct {
	Data, File *string // one of them
	Base64     bool    // how it is written, if it is not encrypted
	// KeyID is the secret that decrypts this one (AES-256-CBC, in base64), IV
	// the initialisation vector in base64.
	KeyID, IV *string
}

// Secret is something that clients hand over and nobody can read back.
type Secret struct {
	qom.Object
	o     SecretOptions
	value []byte
}

// NewSecret returns the secret that o describes. lookup finds the object that
// is the key; it returns nil if there is none of that id.
func NewSecret(o SecretOptions, lookup func(id string) *qom.Object) (*Secret, error) {
	s := &Secret{o: o}
	s.Init(secretType, s, secretClass(), func() { clear(s.value) })
	raw, err := s.input()
	if err != nil {
		return nil, err
	}
	switch {
	case o.KeyID != nil:
		raw, err = s.decrypt(raw, lookup)
	case o.Base64:
		raw, err = fromBase64(raw)
	}
	s.value = raw
	return s, err
}

// Value returns the secret; the caller must not change it.
func (s *Secret) Value() []byte { return s.value }

func (s *Secret) input() ([]byte, error) {
	switch o := s.o; {
	case o.File != nil && o.Data != nil:
		return nil, qerr.New("'file' and 'data' are mutually exclusive")
	case o.File != nil:
		raw, _, err := hostfile.Read(*o.File, maxSecret)
		if err != nil {
			return nil, qerr.New("Unable to read %s: Failed to open file \u201c%s\u201d: %s", *o.File, *o.File, qerr.Reason(err))
		}
		return raw, nil
	case o.Data != nil:
		return []byte(*o.Data), nil
	}
	return nil, qerr.New("Either 'file' or 'data' must be provided")
}

// fromBase64 is lenient about the end, as GLib is.
func fromBase64(text []byte) ([]byte, error) {
	for _, c := range text {
		alphabet := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphabet && c != '+' && c != '/' && c != '=' && c != '\n' {
			return nil, qerr.New("Base64 data contains invalid characters")
		}
	}
	digits := strings.TrimRight(strings.ReplaceAll(string(text), "\n", ""), "=")
	if len(digits)%4 == 1 { // half a byte
		digits = digits[:len(digits)-1]
	}
	raw, err := base64.RawStdEncoding.DecodeString(digits)
	if err != nil {
		return nil, qerr.New("Base64 data '%s' is not valid", text)
	}
	return raw, nil
}

// FindSecret returns the secret called id. lookup finds objects; it returns nil
// if there is none of that id.
func FindSecret(id string, lookup func(id string) *qom.Object) (*Secret, error) {
	object := lookup(id)
	if object == nil {
		return nil, qerr.New("No secret with id '%s'", id)
	}
	s, ok := object.Self().(*Secret)
	if !ok {
		return nil, qerr.New("Object with id '%s' is not a secret", id)
	}
	return s, nil
}

// decrypt takes what is in base64 and ends in PKCS #7 padding.
func (s *Secret) decrypt(text []byte, lookup func(id string) *qom.Object) ([]byte, error) {
	key, err := FindSecret(*s.o.KeyID, lookup)
	switch {
	case err != nil:
		return nil, err
	case len(key.value) != secretKey:
		return nil, qerr.New("Key should be %d bytes in length", secretKey)
	case s.o.IV == nil:
		return nil, qerr.New("IV is required to decrypt secret")
	}
	iv, err := fromBase64([]byte(*s.o.IV))
	if err != nil {
		return nil, err
	}
	if len(iv) != aes.BlockSize {
		return nil, qerr.New("IV should be %d bytes in length not %d", aes.BlockSize, len(iv))
	}
	raw, err := fromBase64(text)
	if err != nil {
		return nil, err
	}
	if len(raw)%aes.BlockSize != 0 {
		return nil, qerr.New("Length %d must be a multiple of block size %d", len(raw), aes.BlockSize)
	}
	block, err := aes.NewCipher(key.value)
	if err != nil {
		return nil, qerr.New("%v", err)
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(raw, raw)
	return unpad(raw)
}

func unpad(raw []byte) ([]byte, error) {
	n := 0
	if len(raw) > 0 {
		n = int(raw[len(raw)-1])
	}
	if n == 0 || n > aes.BlockSize || n > len(raw) {
		return nil, qerr.New("Incorrect number of padding bytes (%d) found on decrypted data", n)
	}
	return raw[:len(raw)-n], nil
}

func secretClass() properties {
	text := func(name string, get func(SecretOptions) *string) *qom.Property {
		return &qom.Property{Name: name, Type: "string", Get: func(o *qom.Object) (any, error) {
			if v := get(o.Self().(*Secret).o); v != nil {
				return *v, nil
			}
			return "", nil
		}}
	}
	format := func(o *qom.Object) (any, error) {
		if o.Self().(*Secret).o.Base64 {
			return "base64", nil
		}
		return "raw", nil
	}
	return properties{
		text("iv", func(o SecretOptions) *string { return o.IV }),
		text("keyid", func(o SecretOptions) *string { return o.KeyID }),
		{Name: "format", Type: "QCryptoSecretFormat", Get: format},
		text("file", func(o SecretOptions) *string { return o.File }),
		text("data", func(o SecretOptions) *string { return o.Data }),
	}
}
