package openai

import (
	"slices"
	"strings"
	"sync"

	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/ragserver/ragserver/api/internal/fault"
)

// vocabulary is cl100k_base, OpenAI's of its embedding models, and what its
// clients cut text with for models that they do not know: those of a server like
// this. Its tables are made when the first tokens arrive.
var vocabulary = sync.OnceValue(codec.NewCl100kBase)

// maxTokensText bounds the text of tokens: a number of a few bytes may stand for
// 128 blanks.
const maxTokensText = maxBody

// fromTokens gives tokens back as the texts that they were made of. A client may
// have cut within a character; its halves are the replacement character.
func fromTokens(lists [][]int) (in inputs, err error) {
	in.texts = make([]string, 0, min(len(lists), maxInputs))
	size := 0
	for _, list := range lists {
		if len(in.texts) == maxInputs {
			return in, fault.Bad("input", "`input` has %d texts; at most %d are allowed", len(lists), maxInputs)
		}
		var text strings.Builder
		for part := range slices.Chunk(list, 1024) {
			s, err := decode(part)
			if err != nil {
				return in, err
			}
			if size += len(s); size > maxTokensText {
				return in, fault.Bad("input", "the tokens of `input` are more than %d MB of text", maxTokensText>>20)
			}
			text.WriteString(s)
		}
		in.texts = append(in.texts, strings.ToValidUTF8(text.String(), "\uFFFD"))
		in.tokens += len(list)
	}
	return in, nil
}

func decode(list []int) (string, error) {
	ids := make([]uint, len(list))
	for i, n := range list {
		if n < 0 {
			return "", noToken(n)
		}
		ids[i] = uint(n)
	}
	s, err := vocabulary().Decode(ids)
	if err == nil {
		return s, nil
	}
	for i, id := range ids {
		if _, err := vocabulary().Decode(ids[i : i+1]); err != nil {
			return "", noToken(int(id))
		}
	}
	return "", fault.Bad("input", "the tokens of `input` cannot be read: %v", err)
}

func noToken(n int) error {
	return fault.Bad("input", "`input` has %d, which is no token of cl100k_base; send tokens of that vocabulary, or the text itself", n)
}
