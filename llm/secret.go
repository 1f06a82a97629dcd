package llm

import (
	"fmt"
	"log/slog"
	"strings"
)

// hidden is what a Secret shows of itself.
const hidden = "[secret]"

// Secret holds a provider's key. Nothing that prints, logs or encodes a value
// shows it; only Reveal does.
type Secret struct{ value string }

// NewSecret wraps a key. Blanks around it, as files and shells leave them, go.
func NewSecret(value string) Secret { return Secret{strings.TrimSpace(value)} }

// Reveal returns the key, to be put into a request and nowhere else.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no key.
func (s Secret) Empty() bool { return s.value == "" }

// Blot replaces the key in a text that came from outside. Very short keys
// ("none", as local servers take them) are no secrets and are left alone.
func (s Secret) Blot(text string) string {
	if len(s.value) < 8 {
		return text
	}
	return strings.ReplaceAll(text, s.value, hidden)
}

// String hides the key.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hidden
}

// Format hides the key under every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the key from encoders, JSON and YAML among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the key from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
