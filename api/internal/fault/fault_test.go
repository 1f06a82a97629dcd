package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Every kind of failure has its status, and none tells what is inside.
func TestFrom(t *testing.T) {
	const inner = "sk-secret at /home/x"
	model := func(kind error) error {
		return fmt.Errorf("answer: %w", &llm.Error{Kind: kind, Provider: inner, Message: inner, RetryAfter: 7 * time.Second})
	}
	for _, tc := range []struct {
		err    error
		status int
		code   string
		wait   time.Duration
	}{
		{errors.New(inner), 500, "internal", 0},
		{fmt.Errorf(inner+": %w", context.DeadlineExceeded), 504, "timeout", 0},
		{fmt.Errorf(inner+": %w", context.Canceled), ClientGone, "canceled", 0},
		{fmt.Errorf(inner+": %w", indexer.ErrReadOnly), 409, "read_only", 0},
		{fmt.Errorf(inner+": %w", indexer.ErrNoSource), 404, "source_not_found", 0},
		{fmt.Errorf(inner+": %w", indexer.ErrEmbedder), 502, "embedder_failed", 5 * time.Second},
		{fmt.Errorf(inner+": %w", answer.ErrNoText), 400, "missing_field", 0},
		{model(llm.ErrTimeout), 504, "model_timeout", 7 * time.Second},
		{&llm.Error{Kind: llm.ErrTimeout, Cause: context.DeadlineExceeded}, 504, "model_timeout", 0},
		{model(llm.ErrUnavailable), 502, "model_unavailable", 7 * time.Second},
		{model(llm.ErrUnauthorized), 502, "model_key", 7 * time.Second},
		{model(llm.ErrRateLimited), 429, "model_rate_limited", 7 * time.Second},
		{model(llm.ErrQuota), 503, "model_quota", 7 * time.Second},
		{model(llm.ErrContextTooLong), 400, "context_length_exceeded", 7 * time.Second},
		{model(llm.ErrModelNotFound), 502, "model_unknown", 7 * time.Second},
		{model(llm.ErrIncomplete), 502, "cut_off", 7 * time.Second},
		{model(llm.ErrGarbage), 502, "model_garbage", 7 * time.Second},
		{model(llm.ErrRequest), 502, "model_refused", 7 * time.Second},
		{fmt.Errorf("while: %w", Missing("query")), 400, "missing_field", 0},
	} {
		f := From(tc.err)
		if f.Status != tc.status || f.Code != tc.code || f.RetryAfter != tc.wait {
			t.Errorf("%v: %d %s %v", tc.err, f.Status, f.Code, f.RetryAfter)
		}
		if f.Message == "" || strings.Contains(f.Message, "secret") {
			t.Errorf("%v: told %q", tc.err, f.Message)
		}
		if !errors.Is(f, tc.err) && f.Code != "missing_field" {
			t.Errorf("%v: the log does not get the cause", tc.err)
		}
	}
}
