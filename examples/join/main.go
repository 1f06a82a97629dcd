// Command join counts orders by region: orders and customers, each a folder of CSV
// files, are joined, and the orders of each region counted and summed up as a change
// stream.
package main

import (
	"path/filepath"

	"github.com/ragserver/ragserver/examples/program"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
)

// Order is a row of orders/*.csv.
type Order struct {
	ID       int64 `csv:"order_id"`
	Customer int64 `csv:"customer_id"`
	Amount   int64 `csv:"amount"`
}

// Customer is a row of customers/*.csv.
type Customer struct {
	ID     int64 `csv:"customer_id"`
	Region int64 `csv:"region"`
}

// Sale is an order with the region of its customer.
type Sale struct{ Region, Amount int64 }

// Region is a row of the output.
type Region struct {
	Region int64 `csv:"region" json:"region"`
	Orders int64 `csv:"orders" json:"orders"`
	Amount int64 `csv:"amount" json:"amount"`
}

func plan(g *pipeline.Graph, f program.Files) error {
	opts := []csvio.Option{csvio.Exclude(f.Output, f.State), csvio.KeepIf(f.State != "")}
	orders := csvio.Read[Order](g, filepath.Join(f.Input, "orders"), opts...)
	customers := csvio.Read[Customer](g, filepath.Join(f.Input, "customers"), opts...)
	sales := pipeline.Join(orders, customers,
		func(o Order) int64 { return o.Customer }, func(c Customer) int64 { return c.ID },
		func(o Order, c Customer) Sale { return Sale{c.Region, o.Amount} })
	regions := pipeline.GroupBy(sales, func(s Sale) int64 { return s.Region },
		func(r *Region, region int64) { r.Region = region },
		pipeline.Count[Sale](func(r *Region, n int64) { r.Orders = n }),
		pipeline.Sum(func(s Sale) int64 { return s.Amount }, func(r *Region, n int64) { r.Amount = n }))
	return program.Write(regions, f.Output)
}

var join = program.Program{
	Name: "join",
	Plan: plan,
	About: `Reads DIR/orders/*.csv (order_id,customer_id,amount) and DIR/customers/*.csv
(customer_id,region) and writes how many orders each region has, and their sum,
to FILE as a change stream: a customer who moves takes the orders along.
`,
}

func main() { join.Main() }
