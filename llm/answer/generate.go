package answer

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/ragserver/ragserver/llm"
)

// firstPassages is how many passages the first prompt of adaptive retrieval has.
const firstPassages = 2

// generate lets the model answer. When it fails before its first word, the
// answer is extracted if the passages are quotable, else refused.
func (r *run) generate(quotable bool) error {
	hits := r.evidence.hits
	tries := []int{len(hits)}
	if r.o.Adaptive && len(hits) > firstPassages {
		tries = []int{firstPassages, len(hits)}
	}
	for len(tries) > 0 {
		msgs, sent := messages(r.q, hits[:tries[0]], r.model.window())
		w := newWriter(r, sent)
		err := r.write(msgs, w)
		switch {
		case errors.Is(err, errLeft):
			return err
		case r.ctx.Err() != nil:
			return r.ctx.Err()
		case errors.Is(err, llm.ErrContextTooLong) && !w.begun && sent > 1:
			r.log.Warn("the prompt was too long for the model, trying with half of the passages; set its window in the configuration", "model", r.model.name, "passages", sent)
			tries = []int{sent / 2}
			continue
		case err != nil && w.begun:
			r.fail(err)
			r.notice(CutOff, "the answer is incomplete: "+reason(err))
			r.answer.Finish = ""
			return w.finish()
		case err != nil:
			r.fail(err)
			return r.withoutModel("the model did not answer ("+reason(err)+")", quotable)
		case w.lacks:
			tries = tries[1:]
			continue
		case !w.begun:
			return r.withoutModel("the model wrote nothing", quotable)
		}
		return w.finish()
	}
	return r.refuse() // the model read all passages and found no answer
}

// withoutModel answers without the model, and says why.
func (r *run) withoutModel(why string, quotable bool) error {
	if !quotable {
		r.notice(ModelFailed, why)
		return r.refuse()
	}
	r.notice(ModelFailed, why+": these are the passages' own sentences")
	return r.extract()
}

// fromKnowledge lets the model answer without passages.
func (r *run) fromKnowledge() error {
	system := prompt("loose")
	if r.q.System != "" {
		system += "\n\n" + r.q.System
	}
	msgs := append([]llm.Message{{Role: llm.System, Text: system}}, recent(r.q.History, r.model.window()/2)...)
	w := newWriter(r, 0)
	err := r.write(append(msgs, llm.Message{Role: llm.User, Text: r.q.Text}), w)
	switch {
	case errors.Is(err, errLeft):
		return err
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case !w.begun:
		if err != nil {
			r.fail(err)
			r.notice(ModelFailed, "the model did not answer ("+reason(err)+")")
		}
		return r.refuse()
	case err != nil:
		r.fail(err)
		r.notice(CutOff, "the answer is incomplete: "+reason(err))
		r.answer.Finish = ""
	}
	r.notice(OwnKnowledge, "nothing relevant was found: this is the model's own knowledge")
	return w.end()
}

// fail logs why the model failed. The reader is told the kind of failure
// alone: addresses and a provider's words are nobody else's business.
func (r *run) fail(err error) {
	r.log.LogAttrs(r.ctx, levelOf(err), "the model failed", slog.String("model", r.model.name), errAttr(err))
}

func levelOf(err error) slog.Level {
	if errors.Is(err, context.Canceled) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func errAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("error", err.Error())
}

// reason is the kind of a failure in words.
func reason(err error) string {
	for _, kind := range []error{llm.ErrIncomplete, llm.ErrUnauthorized, llm.ErrRateLimited, llm.ErrQuota, llm.ErrContextTooLong, llm.ErrModelNotFound, llm.ErrTimeout, llm.ErrRequest, llm.ErrGarbage, llm.ErrUnavailable} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "it failed"
}

// write asks the model and hands what it writes to w.
func (r *run) write(msgs []llm.Message, w *writer) error {
	req := r.q.Generate
	req.Messages = msgs
	if req.MaxTokens <= 0 {
		req.MaxTokens = min(answerTokens, r.model.window()/2)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	for d, err := range r.model.Stream(ctx, req) {
		if err != nil {
			return errors.Join(err, w.release())
		}
		if d.Usage != nil {
			r.answer.Usage.Prompt += d.Usage.Prompt
			r.answer.Usage.Completion += d.Usage.Completion
		}
		if d.Finish != "" {
			r.answer.Finish = d.Finish
		}
		if err := w.write(d.Text); err != nil {
			return err
		}
	}
	return w.close()
}

// collect asks a model for a short text.
func collect(ctx context.Context, m llm.Model, req llm.Request, usage *llm.Usage) (text, finish string, err error) {
	var b strings.Builder
	for d, err := range m.Stream(ctx, req) {
		if err != nil {
			return b.String(), "", err
		}
		if d.Usage != nil {
			usage.Prompt += d.Usage.Prompt
			usage.Completion += d.Usage.Completion
		}
		b.WriteString(d.Text)
		finish = d.Finish
	}
	return b.String(), finish, nil
}

// A writer turns what a model writes into the text of the answer: it waits
// until it is clear that the model does not say that the answer is lacking,
// and checks the citations.
type writer struct {
	run   *run
	citer *citer
	head  string // what came while that was unclear
	clear bool
	begun bool // a word was shown
	lacks bool
	sent  int
}

// longestHead bounds what is held back before the first word, in bytes.
const longestHead = 40

func newWriter(r *run, sent int) *writer {
	return &writer{run: r, sent: sent, citer: newCiter(sent)}
}

func (w *writer) write(text string) error {
	switch {
	case w.lacks:
		return nil
	case !w.clear:
		w.head += text
		said := strings.TrimLeft(w.head, " \t\r\n\"'`*_.[]0123456789") // models cite even this
		if strings.HasPrefix(said, lacking) {
			w.lacks = true
			return nil
		}
		if strings.HasPrefix(lacking, said) && len(w.head) < longestHead {
			return nil
		}
		return w.release()
	}
	return w.show(w.citer.Write(text))
}

// release shows what was held back, once it is clear.
func (w *writer) release() error {
	if w.lacks || w.clear {
		return nil
	}
	head := strings.TrimLeft(w.head, " \t\r\n")
	w.head = ""
	if head == "" {
		return nil
	}
	w.clear = true
	return w.show(w.citer.Write(head))
}

// close shows what was held back to the end of what the model wrote.
func (w *writer) close() error {
	if err := w.release(); err != nil || w.lacks {
		return err
	}
	return w.show(w.citer.Close())
}

func (w *writer) show(text string) error {
	if text == "" {
		return nil
	}
	w.begun = true
	return w.run.say(text)
}

// end ends a written answer.
func (w *writer) end() error {
	r := w.run
	r.answer.Kind, r.answer.Model = Generated, r.model.name
	return w.show(w.citer.Close()) // of a model that broke off
}

// finish shows the rest and marks what was cited.
func (w *writer) finish() error {
	if err := w.end(); err != nil {
		return err
	}
	r := w.run
	for n := range w.citer.cited {
		r.answer.Sources[n-1].Cited = true
	}
	if len(w.citer.cited) == 0 {
		r.notice(Uncited, "the model cited none of the passages")
	}
	return nil
}
