package pipeline_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

type reading struct {
	Sensor  string
	Minute  int
	Celsius float64
}

func readings(rows ...reading) *pipelinetest.Feed[reading] {
	feed := pipelinetest.NewFeed[reading]()
	for i, r := range rows {
		feed.Send(pipeline.Change[reading]{Key: pipeline.KeyOf(fmt.Sprint(i)), Row: r, N: 1})
	}
	feed.End()
	return feed
}

func bySensor(t *pipeline.Table[reading]) pipeline.Timed[reading, string] {
	return pipeline.Timed[reading, string]{
		Table: t,
		Key:   func(r reading) string { return r.Sensor },
		At:    func(r reading) time.Time { return time.Unix(0, 0).Add(time.Duration(r.Minute) * time.Minute) },
	}
}

// printRows runs a graph and prints what comes out.
func printRows[T any](g *pipeline.Graph, t *pipeline.Table[T]) {
	pipeline.Subscribe(t, func(_ uint64, changes []pipeline.Change[T]) error {
		for _, c := range changes {
			fmt.Printf("%+v\n", c.Row)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
}

// Each hour is told once, five minutes after its end by the clock of the readings.
// A reading that comes later than that changes nothing.
func ExampleWindowBy() {
	type hour struct {
		Sensor string
		Start  string
		Mean   float64
	}
	g := pipeline.New(pipeline.Static())
	in := pipeline.From(g, "readings", readings(reading{"a", 5, 20}, reading{"a", 55, 22}, reading{"a", 66, 30}))
	printRows(g, pipeline.WindowBy(bySensor(in), pipeline.Tumbling(time.Hour), pipeline.ExactlyOnce(5*time.Minute),
		func(h *hour, w pipeline.Window, sensor string) { h.Sensor, h.Start = sensor, w.Start.Format("15:04") },
		pipeline.Avg(func(r reading) float64 { return r.Celsius }, func(h *hour, mean float64) { h.Mean = mean })))
	// Unordered output:
	// {Sensor:a Start:00:00 Mean:21}
	// {Sensor:a Start:01:00 Mean:30}
}

// Only readings of the last ten minutes stay in the table.
func ExampleTimely() {
	g := pipeline.New(pipeline.Static())
	in := pipeline.From(g, "readings", readings(reading{"a", 5, 20}, reading{"a", 55, 22}, reading{"b", 60, 30}))
	printRows(g, pipeline.Timely(in, bySensor(in).At, pipeline.Cutoff(10*time.Minute).Forget()))
	// Unordered output:
	// {Sensor:a Minute:55 Celsius:22}
	// {Sensor:b Minute:60 Celsius:30}
}

// How warm was it in the quarter of an hour before each alarm?
func ExampleIntervalsOver() {
	type before struct {
		Alarm int
		Max   float64
	}
	g := pipeline.New(pipeline.Static())
	in := pipeline.From(g, "readings", readings(reading{"a", 5, 20}, reading{"a", 12, 24}, reading{"a", 55, 22}))
	alarms := pipeline.From(g, "alarms", readings(reading{Sensor: "a", Minute: 15}, reading{Sensor: "a", Minute: 40}))
	printRows(g, pipeline.IntervalsOver(bySensor(alarms), bySensor(in), pipeline.Interval{Lower: -15 * time.Minute},
		func(b *before, alarm reading) { b.Alarm = alarm.Minute },
		pipeline.Max(func(r reading) float64 { return r.Celsius }, func(b *before, c float64) { b.Max = c })))
	// Unordered output:
	// {Alarm:15 Max:24}
	// {Alarm:40 Max:0}
}

// Readings of two sensors are compared where they fall into one hour.
func ExampleWindowJoin() {
	g := pipeline.New(pipeline.Static())
	a := pipeline.From(g, "inside", readings(reading{"a", 5, 20}, reading{"a", 65, 21}))
	b := pipeline.From(g, "outside", readings(reading{"a", 50, 8}))
	printRows(g, pipeline.WindowJoin(bySensor(a), bySensor(b), pipeline.Tumbling(time.Hour),
		func(w pipeline.Window, in, out reading) string {
			return fmt.Sprint(w.Start.Format("15:04"), " ", in.Celsius-out.Celsius)
		}))
	// Output: 00:00 12
}
