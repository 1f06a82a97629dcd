package pipelinetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/pipeline"
)

// Staged is a staged sink under test.
type Staged[T any] struct {
	// Sink returns a new sink of the same place, as a restarted program has it.
	Sink func() pipeline.StagedSink[T]
	// Written reads what is in that place, in order. It is called after Flush
	// or Recover only.
	Written func() ([]Written[T], error)
	// Row returns the i-th of endlessly many different rows.
	Row func(i int) T
}

// Written is a change as a reader of the output finds it.
type Written[T any] struct {
	Epoch uint64
	Row   T
	N     int
}

// TestStagedSink is the suite that every staged sink passes: whatever is staged,
// flushed, committed and lost in whatever order, after Recover the output is
// what was committed, no more and no less. new is called for each run anew.
func TestStagedSink[T any](t *testing.T, new func(t *testing.T) Staged[T]) {
	t.Run("crashes", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			m := stagedModel[T]{s: new(t)}
			m.restart(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"stage": m.stage, "commit": m.commit, "flush and crash": m.flushAndCrash, "crash": m.restart,
			})
			m.commit(rt)
			if err := m.sink.Close(); err != nil {
				rt.Fatal(err)
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		s := new(t)
		sink := s.Sink()
		ctx := context.Background()
		if err := sink.Recover(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); err != nil {
			t.Fatal("Close of a sink that got nothing: ", err)
		}
		if got, err := s.Written(); err != nil || len(got) != 0 {
			t.Fatalf("an empty sink holds %v, %v", got, err)
		}
	})
}

// stagedModel is what the output should hold.
type stagedModel[T any] struct {
	s         Staged[T]
	sink      pipeline.StagedSink[T]
	epoch     uint64
	rows      int
	committed []Written[T]
	staged    []Written[T]
	position  []byte
}

// stage gives the sink an epoch.
func (m *stagedModel[T]) stage(t *rapid.T) {
	m.epoch++
	var changes []pipeline.Change[T]
	for range rapid.IntRange(1, 5).Draw(t, "rows") {
		m.rows++
		c := pipeline.Change[T]{Key: pipeline.KeyOf(fmt.Sprint(m.rows)), Row: m.s.Row(m.rows), N: 1}
		if rapid.Bool().Draw(t, "retract") {
			c.N = -1
		}
		changes = append(changes, c)
		m.staged = append(m.staged, Written[T]{m.epoch, c.Row, c.N})
	}
	if err := m.sink.Stage(context.Background(), m.epoch, changes); err != nil {
		t.Fatal(err)
	}
}

func (m *stagedModel[T]) flush(t *rapid.T) []byte {
	position, err := m.sink.Flush(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m.check(t, append(slices.Clone(m.committed), m.staged...))
	return slices.Clone(position)
}

func (m *stagedModel[T]) commit(t *rapid.T) {
	m.position = m.flush(t)
	m.committed = append(m.committed, m.staged...)
	m.staged = nil
}

// flushAndCrash loses a commit after the sink has flushed.
func (m *stagedModel[T]) flushAndCrash(t *rapid.T) {
	m.flush(t)
	m.restart(t)
}

func (m *stagedModel[T]) restart(t *rapid.T) {
	if m.sink != nil {
		m.sink.Close() // as good as a crash: what is not committed is undone
	}
	m.sink, m.staged = m.s.Sink(), nil
	if err := m.sink.Recover(context.Background(), slices.Clone(m.position)); err != nil {
		t.Fatal(err)
	}
	m.check(t, m.committed)
}

func (m *stagedModel[T]) check(t *rapid.T, want []Written[T]) {
	got, err := m.s.Written()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the output holds\n%v, not\n%v", got, want)
	}
}
