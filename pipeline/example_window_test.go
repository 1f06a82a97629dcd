package pipeline_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// Orders are counted by city and hour. One that comes late counts in its hour
// like any other.
func ExampleIntoWindows() {
	type order struct {
		City string
		At   time.Time
	}
	type cityHour struct {
		City string
		Hour pipeline.Window
	}
	type count struct {
		Of cityHour
		N  int
	}
	orders := pipelinetest.NewFeed[order]()
	for i, clock := range []string{"10:05", "10:59", "11:00", "10:30"} {
		at, _ := time.Parse("15:04", clock)
		orders.Send(pipeline.Change[order]{Key: pipeline.KeyOf(fmt.Sprint(i)), Row: order{"Oslo", at}, N: 1})
	}
	orders.End()

	g := pipeline.New(pipeline.Static())
	hours := pipeline.IntoWindows(pipeline.From(g, "orders", orders), pipeline.Tumbling(time.Hour), func(o order) time.Time { return o.At })
	counts := pipeline.FoldBy(hours,
		func(o pipeline.InWindow[order]) cityHour { return cityHour{o.Row.City, o.Window} },
		func(c *count, o pipeline.InWindow[order], n int) {
			c.Of = cityHour{o.Row.City, o.Window}
			c.N += n
		})
	pipeline.Subscribe(counts, func(_ uint64, changes []pipeline.Change[count]) error {
		for _, c := range changes {
			fmt.Println(c.Row.Of.City, c.Row.Of.Hour.Start.Format("15:04"), c.Row.N)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// Oslo 10:00 3
	// Oslo 11:00 1
}
