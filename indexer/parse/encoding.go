package parse

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	xunicode "golang.org/x/text/encoding/unicode"
)

// decode turns the bytes of a text file into UTF-8 and names the encoding they
// were in: by byte order mark, by zero bytes (UTF-16 without a mark), by being
// UTF-8, and otherwise by which old encoding makes the most likely text of it.
// Bytes that are no text in any of them are skipped with the reason.
func decode(raw []byte) (text, enc string, err error) {
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		raw = raw[3:]
		if utf8.Valid(raw) {
			return string(raw), "utf-8", nil
		}
	case bytes.HasPrefix(raw, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(raw, []byte("\x00\x00\xfe\xff")):
		return "", "", &SkipError{Type: "text/plain", Reason: "not read: the text is in UTF-32, which is not supported"}
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return utf16Text(raw[2:], xunicode.LittleEndian), "utf-16le", nil
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return utf16Text(raw[2:], xunicode.BigEndian), "utf-16be", nil
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		if order, name, ok := sniffUTF16(raw); ok {
			return utf16Text(raw, order), name, nil
		}
		if !utf8.Valid(raw) || controls(raw) > 0.02 {
			return "", "", notText()
		}
	}
	if utf8.Valid(raw) {
		if controls(raw) > 0.05 {
			return "", "", notText()
		}
		return string(raw), "utf-8", nil
	}
	if text, ok := mostlyUTF8(raw); ok {
		return text, "utf-8", nil
	}
	if controls(raw) > 0.01 {
		return "", "", notText()
	}
	if order, name, ok := sniffUTF16(raw); ok {
		return utf16Text(raw, order), name, nil
	}
	e, name, ok := guess(raw)
	if !ok {
		return "", "", notText()
	}
	b, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return "", "", fault(Damaged, err, "the text looks like %s but cannot be decoded", name)
	}
	return string(b), name, nil
}

func notText() error {
	return &SkipError{Type: "application/octet-stream", Reason: "not read: the file is neither text in a known encoding nor of a known type"}
}

func utf16Text(raw []byte, order xunicode.Endianness) string {
	if len(raw)%2 == 1 {
		raw = raw[:len(raw)-1]
	}
	b, err := xunicode.UTF16(order, xunicode.IgnoreBOM).NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(b)
}

// controls is the share of bytes that no text has: controls but for white
// space, form feed and escape.
func controls(raw []byte) float64 {
	s := sample(raw)
	n := 0
	for _, c := range s {
		if c < 0x20 && (c < '\t' || c > '\r') && c != 0x1b || c == 0x7f {
			n++
		}
	}
	return float64(n) / float64(max(len(s), 1))
}

// sample is enough of a file to judge it by: its beginning, middle and end.
func sample(raw []byte) []byte {
	const part = 32 << 10
	if len(raw) <= 3*part {
		return raw
	}
	m := len(raw) / 2
	return bytes.Join([][]byte{raw[:part], raw[m : m+part], raw[len(raw)-part:]}, nil)
}

// sniffUTF16 recognises UTF-16 without a mark by its units: text has spaces,
// line ends and common punctuation, which read in the wrong order are rare
// characters, and has no unit that is unassigned.
func sniffUTF16(raw []byte) (xunicode.Endianness, string, bool) {
	s := raw[:min(len(raw), 64<<10)]
	if len(s) < 4 {
		return xunicode.LittleEndian, "", false
	}
	judge := func(hi int) (score float64) {
		n, good, bad := 0, 0, 0
		for i := 0; i+1 < len(s); i += 2 {
			u := rune(s[i+hi])<<8 | rune(s[i+1-hi])
			n++
			switch {
			case u == ' ', u == '\n', u == '\r', u == 0x3001, u == 0x3002, u == 0xff0c, u >= '0' && u <= '9', u >= 'a' && u <= 'z':
				good++
			case u == 0, u < 0x20 && u != '\t', u >= 0xe000 && u < 0xf900, u >= 0xfff0:
				bad++
			case u >= 0xd800 && u < 0xe000:
			case !unicode.IsGraphic(u):
				bad++
			}
		}
		return float64(good-10*bad) / float64(n)
	}
	le, be := judge(1), judge(0)
	switch {
	case le > be && le > 0.02:
		return xunicode.LittleEndian, "utf-16le", true
	case be > le && be > 0.02:
		return xunicode.BigEndian, "utf-16be", true
	}
	return xunicode.LittleEndian, "", false
}

// mostlyUTF8 accepts UTF-8 with a few broken places, such as a cut end: at
// least one multi-byte rune is right for each that is wrong, times twenty.
func mostlyUTF8(raw []byte) (string, bool) {
	good, bad := 0, 0
	for i := 0; i < len(raw); {
		if raw[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n <= 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	cut := bad > 0 && bad <= 3 && good > 0
	if !cut && good < 20*bad {
		return "", false
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), true
}

// candidates are the encodings that guess chooses from; earlier ones win ties.
var candidates = []struct {
	name string
	enc  encoding.Encoding
	// usual tells, for encodings of two bytes, whether a first byte is that of
	// signs, syllables and the characters in daily use.
	usual func(lead byte) bool
}{
	{"windows-1252", charmap.Windows1252, nil},
	{"windows-1251", charmap.Windows1251, nil},
	{"gb18030", simplifiedchinese.GB18030, between(0xa1, 0xd7)},
	{"shift_jis", japanese.ShiftJIS, between(0x81, 0x98)},
	{"euc-jp", japanese.EUCJP, between(0xa1, 0xcf)},
	{"euc-kr", korean.EUCKR, between(0xa1, 0xc8)},
	{"big5", traditionalchinese.Big5, between(0xa1, 0xc6)},
	{"koi8-r", charmap.KOI8R, nil},
	{"ibm866", charmap.CodePage866, nil},
	{"iso-8859-5", charmap.ISO8859_5, nil},
	{"windows-1250", charmap.Windows1250, nil},
	{"iso-8859-2", charmap.ISO8859_2, nil},
	{"windows-1253", charmap.Windows1253, nil},
	{"windows-1254", charmap.Windows1254, nil},
	{"windows-1255", charmap.Windows1255, nil},
	{"windows-1256", charmap.Windows1256, nil},
	{"macintosh", charmap.Macintosh, nil},
	{"ibm850", charmap.CodePage850, nil},
}

func between(lo, hi byte) func(byte) bool { return func(c byte) bool { return c >= lo && c <= hi } }

// usualShare is the share of two-byte characters that are usual ones.
func usualShare(raw []byte, usual func(byte) bool) float64 {
	n, good := 0, 0
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] < 0x80 {
			continue
		}
		n++
		if usual(raw[i]) {
			good++
		}
		i++
	}
	return float64(good) / float64(max(n, 1))
}

// kanaShare is the share of Japanese syllables: only Japanese has many.
func kanaShare(text []byte) float64 {
	n, kana := 0, 0
	for _, r := range string(text) {
		if r >= 0x80 {
			n++
			if r >= 0x3041 && r < 0x3100 {
				kana++
			}
		}
	}
	return float64(kana) / float64(max(n, 1))
}

// guess chooses the encoding whose reading of raw looks most like writing.
func guess(raw []byte) (encoding.Encoding, string, bool) {
	s := sample(raw)
	best, at := 0.0, -1
	for i, c := range candidates {
		b, err := c.enc.NewDecoder().Bytes(s)
		if err != nil {
			continue
		}
		v := likely(b)
		if c.usual != nil {
			v += usualShare(s, c.usual) - .5
			if c.name != "shift_jis" && c.name != "euc-jp" {
				v -= 2 * kanaShare(b)
			}
		}
		if v > best {
			best, at = v, i
		}
	}
	// A score below this is what random bytes reach in some encoding.
	if at < 0 || best < 0.25 {
		return nil, "", false
	}
	return candidates[at].enc, candidates[at].name, true
}

// common holds, by script, letters that make up much of any text in it. They
// tell encodings apart that put the same script elsewhere.
var common = func() map[rune]float64 {
	m := map[rune]float64{}
	for s, w := range map[string]float64{
		"оеаинтсрвл": 1, "кмдпуяыьгзбчй": .6,
		"éèàçüöäßñóíáúãõâêôåøæîïûùëò": .9, "ąęłśżźćńčšžřěůőűýďťňāēīū": .8, "şğı": .7,
		"αοιετσνηυρ": 1, "άέίόήύώ": .8,
		"الينمرتبةوعدسفهكقحأ": 1,
		"ויהלאתרבמשנ":         1,
		"的一是不了在人有我他这为之大来以个中上们年和国到说时地也子就道那要下会可出得里后自生对能而家": 1,
		"這為來個們國說時對會過學":               1,
		"のにはをたがでてとしれさあいうくこらりるっまなもかよ": 1, "ーンストルイクアラシリ": .7,
		"이다는의에을가고지로하기사은도를한리인대": 1,
		"’“”–…«»„¿¡°€":         .3, "、。，「」？！：；（）": .6,
	} {
		for _, r := range s {
			m[r] = w
		}
	}
	return m
}()

// likely scores decoded text by its characters beyond ASCII: 1 is a text of
// common letters that stand where letters stand, 0 and below is nonsense.
func likely(text []byte) float64 {
	n, score := 0, 0.0
	prev := ' '
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		if r >= 0x80 {
			n++
			score += fit(prev, r, nextRune(text[i:]))
		} else if prev >= 0x80 && unicode.IsLower(prev) && r >= 'A' && r <= 'Z' {
			score -= 0.5
		}
		prev = r
	}
	return score / float64(max(n, 1))
}

func nextRune(b []byte) rune {
	r, n := utf8.DecodeRune(b)
	if n == 0 {
		return ' '
	}
	return r
}

// fit says how well r, beyond ASCII, stands between prev and next.
func fit(prev, r, next rune) float64 {
	if r == utf8.RuneError || r >= 0x80 && r < 0xa0 || unicode.Is(unicode.Co, r) {
		return -3
	}
	v := common[r]
	if unicode.IsUpper(r) {
		v = common[unicode.ToLower(r)] * .5
	}
	lp, ln := unicode.IsLetter(prev), unicode.IsLetter(next)
	switch {
	case !unicode.IsLetter(r) && !unicode.IsMark(r):
		if lp && ln && r != '’' && r != '·' { // a sign inside a word
			return -1
		}
		if v == 0 {
			return -.4
		}
		return v
	case unicode.IsUpper(r) && unicode.IsLower(prev):
		return -1.5
	case unicode.IsUpper(prev) && prev >= 0x80 && unicode.IsLower(next) && unicode.IsUpper(r):
		return -.3
	}
	if lp && script(prev) != script(r) {
		v -= 1
	}
	if v == 0 && r >= 0x3041 {
		return .3 // there are thousands
	}
	if v == 0 {
		return .1 // a letter, but not a common one
	}
	return v + .1
}

// script is a cheap class of letters that do not mix within words.
func script(r rune) int {
	switch {
	case r < 0x250:
		return 1
	case r < 0x400:
		return 2 // Greek
	case r < 0x530:
		return 3 // Cyrillic
	case r < 0x600:
		return 4 // Hebrew, Armenian
	case r < 0x780:
		return 5 // Arabic
	case r >= 0xac00 && r < 0xd7b0:
		return 6 // Hangul
	case r >= 0xff61 && r < 0xffa0:
		return 7 // half-width katakana
	}
	return 8 // kana, Han and the rest mix
}

// decodeHTML decodes a page by the encoding it names in its meta elements.
func decodeHTML(raw []byte, guessed string) (string, string, bool) {
	if strings.HasPrefix(guessed, "utf-16") || bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return "", "", false
	}
	e, name, sure := charset.DetermineEncoding(raw[:min(len(raw), 4096)], "")
	if !sure && (name == "windows-1252" || e == nil) || name == "utf-8" {
		return "", "", false
	}
	if utf8.Valid(raw) && guessed == "utf-8" && hasMultibyte(raw) {
		return "", "", false // it says otherwise, but it is UTF-8
	}
	b, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return "", "", false
	}
	return string(b), name, true
}

func hasMultibyte(raw []byte) bool {
	for _, c := range raw {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
