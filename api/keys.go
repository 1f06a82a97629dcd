package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/internal/durable"
)

// Key is what is kept of a key: everything but the key. A key is 256 random
// bits, which nobody guesses, so that a plain SHA-256 protects it at rest.
type Key struct {
	Name    string    `json:"name"`
	Scopes  []Scope   `json:"scopes"`
	Hash    string    `json:"hash"` // SHA-256 of the key's text, hexadecimal
	Created time.Time `json:"created,omitzero"`
}

// Allows says whether the key has a scope.
func (k Key) Allows(s Scope) bool {
	return slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, Admin)
}

// keyPrefix tells a key of this server from others in logs and leak scanners.
const keyPrefix = "rag_"

var keyName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@-]{0,63}$`)

// Keys are the keys in a file, which several processes may read while one
// changes it, and those of the configuration. What another process changes is
// seen at the next call. Safe for concurrent use.
type Keys struct {
	path  string
	fixed []Key

	mu     sync.Mutex // guards all below
	seen   fs.FileInfo
	keys   []Key // of the file
	wanted bool
}

// OpenKeys returns the keys of a file, which need not exist yet, and further
// ones that are configured elsewhere.
func OpenKeys(path string, fixed ...Key) (*Keys, error) {
	for _, k := range fixed {
		if err := k.Check(); err != nil {
			return nil, fmt.Errorf("api: key %q of the configuration: %w", k.Name, err)
		}
	}
	k := &Keys{path: path, fixed: fixed, wanted: len(fixed) > 0}
	_, err := k.List()
	return k, err
}

// Wanted says whether there are keys, without which nobody is let in. Once there
// was one it stays true: revoking the last key, losing the file or not being
// able to read it must not open the door.
func (k *Keys) Wanted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.reload() // tells in wanted what there is
	return k.wanted
}

// Check says what is wrong with name, scopes or hash.
func (k Key) Check() error {
	if !keyName.MatchString(k.Name) {
		return errors.New("a name is 1 to 64 letters, digits, spaces and . _ @ -, and starts with a letter or digit")
	}
	if len(k.Scopes) == 0 {
		return errors.New("it has no scope; give some of ask, read, write, admin")
	}
	for _, s := range k.Scopes {
		if !slices.Contains(Scopes, s) {
			return fmt.Errorf("there is no scope %q; there are ask, read, write, admin", s)
		}
	}
	if h, err := hex.DecodeString(k.Hash); err != nil || len(h) != sha256.Size {
		return errors.New("its hash is not a SHA-256 in hexadecimal digits; `ragserver key add --print` shows it")
	}
	return nil
}

// List returns all keys, those of the file first.
func (k *Keys) List() ([]Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return nil, err
	}
	return slices.Concat(k.keys, k.fixed), nil
}

// Find returns the key whose text is given. An error says that the file cannot
// be read; the key was then looked for among those that were read before.
func (k *Keys) Find(text string) (Key, bool, error) {
	k.mu.Lock()
	err := k.reload()
	all := slices.Concat(k.keys, k.fixed)
	k.mu.Unlock()
	sum := sha256.Sum256([]byte(text))
	hash := []byte(hex.EncodeToString(sum[:]))
	var found Key
	ok := false
	for _, key := range all {
		if subtle.ConstantTimeCompare(hash, []byte(strings.ToLower(key.Hash))) == 1 {
			found, ok = key, true
		}
	}
	return found, ok, err
}

// NewKey makes a key: its text, which is nowhere else, and what is kept of it.
func NewKey(name string, scopes ...Scope) (text string, k Key, err error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", Key{}, fmt.Errorf("api: making a key: %w", err)
	}
	text = keyPrefix + hex.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(text))
	k = Key{Name: name, Scopes: scopes, Hash: hex.EncodeToString(sum[:]), Created: time.Now().UTC().Truncate(time.Second)}
	if err := k.Check(); err != nil {
		return "", Key{}, fmt.Errorf("api: key %q: %w", name, err)
	}
	return text, k, nil
}

// Add makes a key, stores its hash, and returns its text.
func (k *Keys) Add(name string, scopes ...Scope) (string, error) {
	text, key, err := NewKey(name, scopes...)
	if err != nil {
		return "", err
	}
	return text, k.change(func(keys []Key) ([]Key, error) {
		for _, have := range slices.Concat(keys, k.fixed) {
			if have.Name == name {
				return nil, fmt.Errorf("api: there is a key %q already; revoke it first or choose another name", name)
			}
		}
		return append(keys, key), nil
	})
}

// Revoke removes a key of the file.
func (k *Keys) Revoke(name string) error {
	return k.change(func(keys []Key) ([]Key, error) {
		i := slices.IndexFunc(keys, func(key Key) bool { return key.Name == name })
		if i >= 0 {
			return slices.Delete(keys, i, i+1), nil
		}
		if slices.ContainsFunc(k.fixed, func(key Key) bool { return key.Name == name }) {
			return nil, fmt.Errorf("api: the key %q stands in the configuration; remove it there", name)
		}
		return nil, fmt.Errorf("api: there is no key %q", name)
	})
}

// change writes the file anew: durable under its name or not at all.
func (k *Keys) change(f func([]Key) ([]Key, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.reload(); err != nil {
		return err
	}
	keys, err := f(slices.Clone(k.keys))
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(keyFile{Keys: keys}, "", "  ")
	if err != nil {
		return fmt.Errorf("api: writing keys: %w", err)
	}
	if err := durable.Replace(k.path, append(data, '\n')); err != nil {
		return fmt.Errorf("api: writing keys: %w", err)
	}
	k.seen = nil
	return k.reload()
}

type keyFile struct {
	Keys []Key `json:"keys"`
}

// reload reads the file if it is another than the one read last. If it cannot
// be read, the keys that were read before stay. The caller holds mu.
func (k *Keys) reload() error {
	info, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		k.seen, k.keys = nil, nil
		return nil
	}
	if err != nil {
		k.wanted = true
		return fmt.Errorf("api: reading keys: %w", err)
	}
	if k.seen != nil && os.SameFile(k.seen, info) && k.seen.ModTime().Equal(info.ModTime()) && k.seen.Size() == info.Size() {
		return nil
	}
	keys, err := readKeys(k.path)
	if err != nil {
		k.wanted = true
		return err
	}
	k.seen, k.keys = info, keys
	k.wanted = k.wanted || len(keys) > 0
	return nil
}

func readKeys(path string) ([]Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("api: reading keys: %w", err)
	}
	keys, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("api: keys in %s: %w", path, err)
	}
	return keys, nil
}

func parseKeys(data []byte) ([]Key, error) {
	var f keyFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	for _, key := range f.Keys {
		if err := key.Check(); err != nil {
			return nil, fmt.Errorf("key %q: %w", key.Name, err)
		}
	}
	return f.Keys, nil
}
