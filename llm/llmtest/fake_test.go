package llmtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFake(t *testing.T) {
	llmtest.TestModel(t, func(t *testing.T, s llmtest.Scenario) llm.Model { return llmtest.Plays(s) })
}
