package parse

import (
	"math"

	"github.com/ledongthuc/pdf"
)

// matrix maps places: x' = a x + c y + e, y' = b x + d y + f.
type matrix struct{ a, b, c, d, e, f float64 }

var identity = matrix{a: 1, d: 1}

// then is m followed by n.
func (m matrix) then(n matrix) matrix {
	return matrix{
		m.a*n.a + m.b*n.c, m.a*n.b + m.b*n.d,
		m.c*n.a + m.d*n.c, m.c*n.b + m.d*n.d,
		m.e*n.a + m.f*n.c + n.e, m.e*n.b + m.f*n.d + n.f,
	}
}

// state is the graphics state as far as text needs it (ISO 32000-1, 9.3).
type state struct {
	ctm, text, line       matrix
	font                  *font
	size                  float64
	charSpace, wordSpace  float64
	scale, leading, raise float64
}

func newState() state { return state{ctm: identity, text: identity, line: identity, scale: 1} }

// glyph is a character on the page, in points.
type glyph struct {
	s       string
	x, y, w float64
	size    float64
	bold    bool
}

// pageWriter runs the operators of a page and of the forms it draws, and keeps
// the characters they write.
type pageWriter struct {
	fonts  fontCache
	glyphs []glyph
	drawn  bool // something else was drawn
	forms  int  // drawn so far
}

// maxForms bounds the forms that a page draws: forms that draw forms multiply.
const (
	maxForms     = 2000
	maxFormDepth = 12
)

// write runs a content stream; false says that its text is not to be trusted.
func (w *pageWriter) write(content, res pdf.Value, st state, depth int) bool {
	if content.Kind() == pdf.Null {
		return true
	}
	ok := true
	var saved []state
	pdf.Interpret(content, func(stk *pdf.Stack, op string) {
		args := make([]pdf.Value, stk.Len())
		for i := len(args) - 1; i >= 0; i-- {
			args[i] = stk.Pop()
		}
		if !ok {
			return
		}
		switch op {
		case "q":
			if len(saved) < 1000 {
				saved = append(saved, st)
			}
		case "Q":
			if n := len(saved); n > 0 {
				st, saved = saved[n-1], saved[:n-1]
			}
		case "cm":
			st.ctm = matrixOf(args).then(st.ctm)
		case "Do":
			ok = len(args) == 1 && w.draw(res.Key("XObject").Key(args[0].Name()), res, st, depth)
		case "BI", "ID", "EI":
			ok = false // the bytes of an image, which would be taken for operators
		case "f", "F", "f*", "S", "s", "B", "sh":
			w.drawn = true
		case "Tf":
			if len(args) == 2 {
				st.font, st.size = w.fonts.font(res.Key("Font").Key(args[0].Name())), args[1].Float64()
			}
		default:
			ok = w.textOp(&st, op, args)
		}
	})
	return ok && len(w.glyphs) <= maxGlyphs
}

// draw runs a form.
func (w *pageWriter) draw(x, res pdf.Value, st state, depth int) bool {
	if x.Key("Subtype").Name() != "Form" {
		w.drawn = true
		return true
	}
	if w.forms++; w.forms > maxForms || depth >= maxFormDepth || !whole(x) {
		return false
	}
	if m := x.Key("Matrix"); m.Len() == 6 {
		st.ctm = matrixAt(m).then(st.ctm)
	}
	if own := x.Key("Resources"); own.Kind() == pdf.Dict {
		res = own
	}
	return w.write(x, res, st, depth+1)
}

// textOp runs an operator of text; others are none of ours.
func (w *pageWriter) textOp(st *state, op string, args []pdf.Value) bool {
	num := func(i int) float64 {
		if i < len(args) {
			return args[i].Float64()
		}
		return 0
	}
	move := func(x, y float64) {
		st.line = matrix{1, 0, 0, 1, x, y}.then(st.line)
		st.text = st.line
	}
	switch op {
	case "BT":
		st.text, st.line = identity, identity
	case "Tc":
		st.charSpace = num(0)
	case "Tw":
		st.wordSpace = num(0)
	case "Tz":
		st.scale = num(0) / 100
	case "TL":
		st.leading = num(0)
	case "Ts":
		st.raise = num(0)
	case "Td":
		move(num(0), num(1))
	case "TD":
		st.leading = -num(1)
		move(num(0), num(1))
	case "Tm":
		st.line = matrixOf(args)
		st.text = st.line
	case "T*":
		move(0, -st.leading)
	case "Tj":
		return len(args) == 1 && w.show(st, args[0].RawString())
	case "'":
		move(0, -st.leading)
		return len(args) == 1 && w.show(st, args[0].RawString())
	case "\"":
		st.wordSpace, st.charSpace = num(0), num(1)
		move(0, -st.leading)
		return len(args) == 3 && w.show(st, args[2].RawString())
	case "TJ":
		if len(args) != 1 {
			return false
		}
		for i := range args[0].Len() {
			v := args[0].Index(i)
			if v.Kind() == pdf.String {
				if !w.show(st, v.RawString()) {
					return false
				}
				continue
			}
			st.advance(-v.Float64() / 1000 * st.size * st.scale)
		}
	}
	return true
}

func (st *state) advance(tx float64) { st.text = matrix{1, 0, 0, 1, tx, 0}.then(st.text) }

// show writes a string of codes.
func (w *pageWriter) show(st *state, codes string) bool {
	if codes == "" {
		return true
	}
	if st.font == nil || len(codes)%st.font.bytes != 0 || len(w.glyphs) > maxGlyphs {
		return false
	}
	for i := 0; i < len(codes); i += st.font.bytes {
		code := codes[i : i+st.font.bytes]
		s, width := st.font.char(code)
		m := matrix{st.size * st.scale, 0, 0, st.size, 0, st.raise}.then(st.text).then(st.ctm)
		if math.Abs(m.b) > .02*math.Abs(m.a) || m.a < 0 {
			return false // written at an angle, or mirrored
		}
		w.glyphs = append(w.glyphs, glyph{s, m.e, m.f - st.raise*m.d/max(st.size, 1e-9), width / 1000 * m.a, math.Abs(m.d), st.font.bold})
		tx := width/1000*st.size + st.charSpace
		if code == " " {
			tx += st.wordSpace
		}
		st.advance(tx * st.scale)
	}
	return true
}

func matrixOf(args []pdf.Value) matrix {
	if len(args) != 6 {
		return identity
	}
	return matrix{args[0].Float64(), args[1].Float64(), args[2].Float64(), args[3].Float64(), args[4].Float64(), args[5].Float64()}
}

func matrixAt(v pdf.Value) matrix {
	var args []pdf.Value
	for i := range v.Len() {
		args = append(args, v.Index(i))
	}
	return matrixOf(args)
}
