package pipeline_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

type person struct{ Name, City string }

// inhabitants is a table of rows under keys made of their names.
func inhabitants(g *pipeline.Graph, table string, people ...person) *pipeline.Table[person] {
	feed := pipelinetest.NewFeed[person]()
	for _, p := range people {
		feed.Send(pipeline.Change[person]{Key: pipeline.KeyOf(p.Name), Row: p, N: 1})
	}
	feed.End()
	return pipeline.From(g, table, feed)
}

// printed prints the rows of a table when all input is there.
func printed[T any](g *pipeline.Graph, t *pipeline.Table[T]) {
	pipeline.Subscribe(t, func(_ uint64, changes []pipeline.Change[T]) error {
		for _, c := range changes {
			fmt.Println(c.Row)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
}

func city(p person) string { return p.City }

func ExampleOuterJoin() {
	g := pipeline.New(pipeline.Static())
	staff := inhabitants(g, "staff", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	guests := inhabitants(g, "guests", person{"Cleo", "Oslo"}, person{"Dan", "Lima"})
	printed(g, pipeline.OuterJoin(staff, guests, city, city, func(s, g *person) string {
		switch {
		case g == nil:
			return s.Name + " has nobody to meet"
		case s == nil:
			return g.Name + " is met by nobody"
		}
		return s.Name + " meets " + g.Name
	}))
	// Unordered output:
	// Ada meets Cleo
	// Ben has nobody to meet
	// Dan is met by nobody
}

func ExampleAntiJoin() {
	g := pipeline.New(pipeline.Static())
	staff := inhabitants(g, "staff", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	guests := inhabitants(g, "guests", person{"Cleo", "Oslo"}, person{"Dan", "Lima"})
	printed(g, pipeline.AntiJoin(staff, guests, city, city))
	// Output: {Ben Rome}
}

func ExampleSemiJoin() {
	g := pipeline.New(pipeline.Static())
	staff := inhabitants(g, "staff", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	guests := inhabitants(g, "guests", person{"Cleo", "Oslo"}, person{"Eve", "Oslo"})
	printed(g, pipeline.SemiJoin(staff, guests, city, city))
	// Output: {Ada Oslo}
}

func ExampleLookup() {
	g := pipeline.New(pipeline.Static())
	staff := inhabitants(g, "staff", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	hosts := inhabitants(g, "hosts", person{"Oslo", "Norway"}, person{"Rome", "Italy"})
	printed(g, pipeline.Lookup(staff, func(p person) pipeline.Key { return pipeline.KeyOf(p.City) }, hosts,
		func(p, host person) string { return p.Name + " works in " + host.City }))
	// Unordered output:
	// Ada works in Norway
	// Ben works in Italy
}

func ExampleUpdateRows() {
	g := pipeline.New(pipeline.Static())
	before := inhabitants(g, "before", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	moved := inhabitants(g, "moved", person{"Ben", "Lima"}, person{"Cleo", "Bern"})
	printed(g, pipeline.UpdateRows(before, moved))
	// Unordered output:
	// {Ada Oslo}
	// {Ben Lima}
	// {Cleo Bern}
}

func ExampleDifference() {
	g := pipeline.New(pipeline.Static())
	staff := inhabitants(g, "staff", person{"Ada", "Oslo"}, person{"Ben", "Rome"})
	onLeave := inhabitants(g, "on leave", person{"Ben", "by the sea"})
	printed(g, pipeline.Difference(staff, onLeave))
	// Output: {Ada Oslo}
}

// A request is answered from the table as it is when it comes. What changes later
// does not change the answer.
func ExampleAsOfNowJoin() {
	feed := pipelinetest.NewFeed[person]()
	var group []pipeline.Change[person] // one epoch
	for _, p := range []person{{"Ada", "Oslo"}, {"Ben", "Rome"}, {"who is in Oslo?", "Oslo"}} {
		group = append(group, pipeline.Change[person]{Key: pipeline.KeyOf(p.Name), Row: p, N: 1})
	}
	feed.Send(group...)
	feed.End()

	g := pipeline.New()
	all := pipeline.From(g, "all", feed)
	asked := pipeline.Filter(all, func(p person) bool { return strings.HasSuffix(p.Name, "?") }).Named("asked")
	staff := pipeline.Filter(all, func(p person) bool { return !strings.HasSuffix(p.Name, "?") }).Named("staff")
	printed(g, pipeline.AsOfNowJoin(asked, staff, city, city, func(q, p person) string { return q.Name + " " + p.Name }))
	// Output: who is in Oslo? Ada
}
