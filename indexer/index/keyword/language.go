package keyword

import (
	"unicode"
)

// Detect gives the BCP 47 base language that a text seems to be in.
func Detect(text string) string {
	for _, r := range text {
		if unicode.Is(unicode.Cyrillic, r) {
			return "ru"
		}
		if unicode.Is(unicode.Arabic, r) {
			return "ar"
		}
	}
	return "en"
}
