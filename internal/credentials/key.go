package credentials

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A publicKey is any of the standard library's public keys.
type publicKey interface {
	Equal(other crypto.PublicKey) bool
}

// maxIterations bounds how long a password is stirred: a hundred times what
// tools do, a good second.
const maxIterations = 1_000_000

var errUndecrypted = qerr.New(saysEncrypted)

// privateKey reads the first key in PEM. Errors are in GnuTLS's words.
func privateKey(text, password []byte) (crypto.Signer, error) {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return nil, qerr.New(saysNoKey)
		}
		if b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY") {
			return keyOf(b, password)
		}
	}
}

func keyOf(b *pem.Block, password []byte) (crypto.Signer, error) {
	der := b.Bytes
	switch {
	case strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("backplane reads encrypted keys as PKCS #8 only")
	case b.Type == "ENCRYPTED PRIVATE KEY" && password == nil:
		return nil, errUndecrypted
	case b.Type == "ENCRYPTED PRIVATE KEY":
		var err error
		if der, err = decrypt(der, password); err != nil {
			return nil, err
		}
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, qerr.New(saysNoASN1)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}

// The forms of RFC 5958 and RFC 8018 (PBES2 with PBKDF2).
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct{ Derivation, Cipher pkix.AlgorithmIdentifier }
	kdf2  struct {
		Salt       []byte
		Iterations int
		Length     int                      `asn1:"optional"`
		Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// hashOf returns the pseudo random function of PBKDF2; SHA-1 unless it is said.
func hashOf(id asn1.ObjectIdentifier) func() hash.Hash {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// cipherOf returns the block cipher, in CBC mode, and the size of its key.
func cipherOf(id asn1.ObjectIdentifier) (make func([]byte) (cipher.Block, error), size int) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}

// decrypt returns the key that is encrypted with a password.
func decrypt(der, password []byte) ([]byte, error) {
	var key encryptedKey
	var scheme pbes2
	var derive kdf2
	var iv []byte
	for _, x := range []struct {
		from func() []byte
		to   any
	}{
		{func() []byte { return der }, &key},
		{func() []byte { return key.Algorithm.Parameters.FullBytes }, &scheme},
		{func() []byte { return scheme.Derivation.Parameters.FullBytes }, &derive},
		{func() []byte { return scheme.Cipher.Parameters.FullBytes }, &iv},
	} {
		if rest, err := asn1.Unmarshal(x.from(), x.to); err != nil || len(rest) > 0 {
			return nil, qerr.New(saysNoASN1)
		}
	}
	newHash := hashOf(derive.Hash.Algorithm)
	newCipher, size := cipherOf(scheme.Cipher.Algorithm)
	switch {
	case key.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13", scheme.Derivation.Algorithm.String() != "1.2.840.113549.1.5.12",
		newHash == nil, newCipher == nil:
		return nil, errors.New("the key's encryption is unknown")
	case derive.Iterations < 1 || derive.Iterations > maxIterations:
		return nil, errUndecrypted
	}
	secret, err := pbkdf2.Key(newHash, string(password), derive.Salt, derive.Iterations, size)
	if err != nil {
		return nil, errUndecrypted
	}
	block, err := newCipher(secret)
	if err != nil || len(iv) != block.BlockSize() || len(key.Data) == 0 || len(key.Data)%block.BlockSize() != 0 {
		return nil, errUndecrypted
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	return unpad(plain, block.BlockSize())
}

// unpad takes PKCS #7 padding off.
func unpad(plain []byte, block int) ([]byte, error) {
	n := int(plain[len(plain)-1])
	if n == 0 || n > block || n > len(plain) {
		return nil, errUndecrypted
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, errUndecrypted
		}
	}
	return plain[:len(plain)-n], nil
}
