package llm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run ranges over one call and returns what came, the errors and how long it took.
func run(ctx context.Context, m llm.Model) (text string, took time.Duration, err error) {
	begin := time.Now()
	for d, e := range m.Stream(ctx, llm.Request{}) {
		text += d.Text
		if e != nil {
			err = errors.Join(err, e)
		}
	}
	return text, time.Since(begin), err
}

// scripts is a fake whose n-th call plays the n-th script.
func scripts(s ...[]llmtest.Step) *llmtest.Fake {
	return &llmtest.Fake{Reply: func(n int, _ llm.Request) []llmtest.Step { return s[min(n, len(s)-1)] }}
}

func fails(e llm.Error) []llmtest.Step { return []llmtest.Step{{Err: &e}} }

func TestRetry(t *testing.T) {
	down := llm.Error{Kind: llm.ErrUnavailable, Status: 503}
	patience := llm.Patience{Tries: 4, Base: time.Second, Most: 10 * time.Second}
	tests := []struct {
		name     string
		fake     *llmtest.Fake
		text     string
		err      error
		calls    int
		min, max time.Duration
	}{
		{"no failure", llmtest.Says("fine"), "fine", nil, 1, 0, 0},
		{"comes back", scripts(fails(down), fails(down), llmtest.Words("back again")), "back again", nil, 3, 1500 * time.Millisecond, 3 * time.Second},
		{"stays down", scripts(fails(down)), "", llm.ErrUnavailable, 4, 3500 * time.Millisecond, 7 * time.Second},
		{"asks to wait", scripts(fails(llm.Error{Kind: llm.ErrRateLimited, Status: 429, RetryAfter: 7 * time.Second}), llmtest.Words("ok")), "ok", nil, 2, 7 * time.Second, 7 * time.Second},
		{"asks for too long", scripts(fails(llm.Error{Kind: llm.ErrRateLimited, Status: 429, RetryAfter: time.Hour})), "", llm.ErrRateLimited, 1, 0, 0},
		{"wrong key", scripts(fails(llm.Error{Kind: llm.ErrUnauthorized, Status: 401})), "", llm.ErrUnauthorized, 1, 0, 0},
		{"bad request", scripts(fails(llm.Error{Kind: llm.ErrRequest, Status: 400})), "", llm.ErrRequest, 1, 0, 0},
		{"quota", scripts(fails(llm.Error{Kind: llm.ErrQuota, Status: 429})), "", llm.ErrQuota, 1, 0, 0},
		{"408", scripts(fails(llm.Error{Kind: llm.ErrTimeout, Status: 408}), llmtest.Words("ok")), "ok", nil, 2, 500 * time.Millisecond, time.Second},
		{"not after the first word", scripts([]llmtest.Step{{Delta: llm.Delta{Text: "Half"}}, {Err: &down}}), "Half", llm.ErrUnavailable, 1, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text, took, err := run(t.Context(), llm.Retry(tt.fake, patience))
				if text != tt.text || !errors.Is(err, tt.err) {
					t.Errorf("got %q, %v; want %q, %v", text, err, tt.text, tt.err)
				}
				if n := len(tt.fake.Requests()); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
				if took < tt.min || took > tt.max {
					t.Errorf("took %v, want %v to %v", took, tt.min, tt.max)
				}
			})
		})
	}
}

func TestRetryStopsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		f := scripts(fails(llm.Error{Kind: llm.ErrUnavailable, RetryAfter: 10 * time.Second}))
		_, took, err := run(ctx, llm.Retry(f, llm.Patience{}))
		if !errors.Is(err, llm.ErrUnavailable) || took != 3*time.Second {
			t.Errorf("error %v after %v; want the failure when the context ends", err, took)
		}
	})
}

func TestDeadline(t *testing.T) {
	word := func(wait time.Duration, s string) llmtest.Step {
		return llmtest.Step{Wait: wait, Delta: llm.Delta{Text: s}}
	}
	end := llmtest.Step{Delta: llm.Delta{Finish: "stop"}}
	tests := []struct {
		name   string
		script []llmtest.Step
		text   string
		err    error
		took   time.Duration
	}{
		{"in time", []llmtest.Step{word(9*time.Second, "a"), word(time.Second, "b"), end}, "ab", nil, 10 * time.Second},
		{"no first word", []llmtest.Step{word(llmtest.Forever, "a")}, "", llm.ErrTimeout, 10 * time.Second},
		{"no next word", []llmtest.Step{word(0, "a"), word(3*time.Second, "b")}, "a", llm.ErrTimeout, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := scripts(tt.script)
				text, took, err := run(t.Context(), llm.Deadline(f, 10*time.Second, 2*time.Second))
				if text != tt.text || !errors.Is(err, tt.err) || took != tt.took {
					t.Errorf("got %q, %v after %v; want %q, %v after %v", text, err, took, tt.text, tt.err, tt.took)
				}
				if f.Running() != 0 {
					t.Error("the model still runs")
				}
			})
		})
	}
	t.Run("a slow reader is not the model's fault", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, err := range llm.Deadline(llmtest.Says("one two three"), 0, time.Second).Stream(t.Context(), llm.Request{}) {
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute) // synctest's clock
			}
		})
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := scripts([]llmtest.Step{{Wait: 3 * time.Second, Delta: llm.Delta{Text: "x"}}, {Delta: llm.Delta{Finish: "stop"}}})
		m := llm.Queue(f, 2, 10*time.Second)
		done := make(chan error)
		most := 0
		for range 8 {
			go func() {
				_, _, err := run(t.Context(), m)
				done <- err
			}()
		}
		timeouts := 0
		for range 8 {
			most = max(most, f.Running())
			if err := <-done; err != nil {
				if !errors.Is(err, llm.ErrTimeout) {
					t.Error(err)
				}
				timeouts++
			}
		}
		// Two every three seconds: the last two begin at 9 s and do not finish by 10 s.
		if most > 2 || timeouts != 2 || f.Running() != 0 {
			t.Errorf("at most %d at once, %d timeouts, %d still running; want 2, 2, 0", most, timeouts, f.Running())
		}
	})
}

func TestGatewayKeepsTheContractOfItsModel(t *testing.T) {
	llmtest.TestModel(t, func(t *testing.T, s llmtest.Scenario) llm.Model {
		return llm.Gateway(llm.Meter(llmtest.Plays(s), new(llm.Ledger)), llm.Limits{}, llm.Patience{Tries: 2, Base: time.Millisecond})
	})
}

func TestSecretNeverShows(t *testing.T) {
	const key = "sk-very-secret-key"
	s := llm.NewSecret(" " + key + "\n")
	if s.Reveal() != key {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("x", "key", s, "config", struct{ Key llm.Secret }{s}, "p", &s)
	asJSON, err := json.Marshal(map[string]any{"k": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(asJSON), s.String(), fmt.Sprint(s), fmt.Sprint(&s), fmt.Sprint([]llm.Secret{s})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, struct{ K llm.Secret }{s}))
	}
	for _, text := range shown {
		if strings.Contains(text, key) || strings.Contains(text, fmt.Sprintf("%x", key)) || strings.Contains(text, "very") {
			t.Errorf("shown: %s", text)
		}
	}
	if got := llm.Shorten("you sent "+key+",\nwhich is wrong", s); got != "you sent [secret], which is wrong" {
		t.Errorf("Shorten: %q", got)
	}
	if got := llm.Shorten(strings.Repeat("ж", 400), s); len(got) > 310 || !strings.HasSuffix(got, "ж…") {
		t.Errorf("Shorten cut badly: %d bytes", len(got))
	}
}

func TestTokens(t *testing.T) {
	for text, truth := range map[string]int{ // counted with the tokenizer of Qwen 2.5
		"": 0,
		"The quick brown fox jumps over the lazy dog.":              10,
		"Съешь ещё этих мягких французских булок, да выпей чаю":     22,
		"快速的棕色狐狸跳过了懒狗":                                              8,
		"صفحة من كتاب قديم في مكتبة المدينة":                        12,
		"Der Donaudampfschifffahrtskapitän fährt 1848 flussabwärts": 27,
		"tel. 3.14159265, 2024-11-23":                               25,
	} {
		if got := llm.Tokens(text); got < truth*7/10 || got > truth*2 {
			t.Errorf("Tokens(%q) = %d, truth %d", text, got, truth)
		}
	}
}

func TestFit(t *testing.T) {
	long := strings.Repeat("word ", 100)
	conv := []llm.Message{{llm.System, "rules"}, {llm.User, long}, {llm.Assistant, long}, {llm.User, "short"}, {llm.Assistant, "reply"}, {llm.User, "question"}}
	got, ok := llm.Fit(conv, 80)
	if !ok || len(got) != 4 || got[0].Role != llm.System || got[1].Text != "short" || got[3].Text != "question" {
		t.Errorf("Fit = %v, %v", got, ok)
	}
	if len(conv) != 6 || conv[1].Text != long {
		t.Error("Fit changed its argument")
	}
	if got, ok := llm.Fit(conv[:2], 10); ok || len(got) != 2 {
		t.Errorf("what cannot fit must stay and say so: %v, %v", got, ok)
	}
	if got, ok := llm.Fit(nil, 0); ok || len(got) != 0 {
		t.Errorf("nothing in no room: %v, %v", got, ok)
	}
}

func TestMeter(t *testing.T) {
	var l llm.Ledger
	for _, f := range []*llmtest.Fake{
		llmtest.Says("one two three"), // 7 + 3, told
		llmtest.Fails(errors.New("no")),
		scripts([]llmtest.Step{{Delta: llm.Delta{Text: "abcd efgh"}}}), // cut: 6 + 3, estimated
	} {
		run(t.Context(), llm.Meter(f, &l))
	}
	want := llm.Account{Calls: 3, Failed: 2, Prompt: 13, Completion: 6, Estimated: 9}
	if got := l.Account(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestThinking(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"<think>let me see</think>\nA": "A",
		" \n<think></think>\n\nB":      "B",
		"<think>never ends":            "",
		"<thin":                        "<thin",
		"a <think>b</think>":           "a <think>b</think>",
		"<think>x</thin</think>C":      "C",
		"":                             "",
	} {
		for size := 1; size <= len(in)+1; size++ {
			var th llm.Thinking
			var out string
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				out += th.Write(rest[:n])
				rest = rest[n:]
			}
			out += th.Flush()
			if strings.TrimLeft(out, "\n") != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, out, want)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		status int
		words  string
		want   error
	}{
		{401, "", llm.ErrUnauthorized}, {403, "", llm.ErrUnauthorized}, {404, "", llm.ErrModelNotFound},
		{429, "slow down", llm.ErrRateLimited}, {429, "insufficient_quota", llm.ErrQuota},
		{400, "This model's maximum context length is 8192 tokens", llm.ErrContextTooLong},
		{400, "exceed_context_size_error", llm.ErrContextTooLong}, {413, "", llm.ErrContextTooLong},
		{400, "bad", llm.ErrRequest}, {422, "", llm.ErrRequest}, {408, "", llm.ErrTimeout}, {504, "", llm.ErrTimeout},
		{409, "", llm.ErrUnavailable}, {500, "", llm.ErrUnavailable}, {529, "overloaded_error", llm.ErrUnavailable}, {200, "overloaded_error", llm.ErrUnavailable},
	} {
		if got := llm.KindOf(tt.status, tt.words); got != tt.want {
			t.Errorf("KindOf(%d, %q) = %v, want %v", tt.status, tt.words, got, tt.want)
		}
	}
}
