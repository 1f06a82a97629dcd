package pipeline_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// lines is a source: the lines of a file that may grow by whole lines. Its
// position is a part of the engine's commits, so after a restart it goes on
// behind the last line that counted.
type lines struct{ name string }

func (l lines) Run(ctx context.Context, in pipeline.Input[string]) error {
	position, offset := pipeline.KeyOf("position"), int64(0)
	in.State(func(_ pipeline.Key, v []byte) bool { offset = int64(binary.BigEndian.Uint64(v)); return true })
	f, err := os.Open(l.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(offset, 0); err != nil {
		return err
	}
	for s := bufio.NewScanner(f); s.Scan(); {
		in.Add(pipeline.KeyOf(l.name, fmt.Sprint(offset)), s.Text(), 1)
		offset += int64(len(s.Bytes())) + 1
		in.Put(position, binary.BigEndian.AppendUint64(nil, uint64(offset)))
		if err := in.Commit(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

type wordCount struct {
	Word string
	N    int
}

// A source of one's own, and a word count over it that goes on where it was.
func ExampleSource() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	name := dir + "/lines.txt"
	count := func() {
		g := pipeline.New(pipeline.State(dir+"/state"), pipeline.Static())
		text := pipeline.From(g, "lines", lines{name})
		words := pipeline.FlatMap(text, strings.Fields)
		counts := pipeline.FoldBy(words, func(w string) string { return w }, func(c *wordCount, w string, n int) {
			c.Word = w
			c.N += n
		})
		pipeline.Subscribe(counts, func(epoch uint64, changes []pipeline.Change[wordCount]) error {
			for _, c := range changes {
				fmt.Printf("%+d %s %d\n", c.N, c.Row.Word, c.Row.N)
			}
			return nil
		})
		if err := g.Run(context.Background()); err != nil {
			fmt.Println(err)
		}
	}
	os.WriteFile(name, []byte("to be\nor not\n"), 0o600)
	count()
	fmt.Println("and then")
	os.WriteFile(name, []byte("to be\nor not\nto see\n"), 0o600)
	count()
	// Unordered output:
	// +1 to 1
	// +1 be 1
	// +1 or 1
	// +1 not 1
	// and then
	// -1 to 1
	// +1 to 2
	// +1 see 1
}

// Aggregates that pick, list and count, and two of one's own.
func ExampleGroupBy() {
	type order struct {
		City, Customer string
		Amount         int
	}
	type city struct {
		City, Best string
		Amounts    []int
		Customers  int64
		Large      int
		Product    int
	}
	feed := pipelinetest.NewFeed[order]()
	for i, o := range []order{{"Rome", "Ada", 30}, {"Rome", "Ada", 10}, {"Rome", "Bo", 20}, {"Oslo", "Cy", 5}} {
		feed.Send(pipeline.Change[order]{Key: pipeline.KeyOf(fmt.Sprint(i)), Row: o, N: 1})
	}
	feed.End()
	g := pipeline.New(pipeline.Static())
	amount := func(o order) int { return o.Amount }
	customer := func(o order) string { return o.Customer }
	cities := pipeline.GroupBy(pipeline.From(g, "orders", feed), func(o order) string { return o.City },
		func(c *city, name string) { c.City = name },
		pipeline.ArgMax(amount, customer, func(c *city, name string) { c.Best = name }),
		pipeline.SortedList(amount, func(c *city, all []int) { c.Amounts = all }),
		pipeline.CountDistinct(customer, func(c *city, n int64) { c.Customers = n }),
		pipeline.When(func(o order) bool { return o.Amount >= 20 },
			pipeline.Accumulate(func(n *int, _ order, by int) { *n += by }, func(c *city, n int) { c.Large = n })),
		pipeline.Reduce(amount, func(p *int, v, n int) {
			for range n {
				*p = max(*p, 1) * v
			}
		}, func(c *city, p int) { c.Product = p }))
	pipeline.Subscribe(cities, func(_ uint64, changes []pipeline.Change[city]) error {
		for _, c := range changes {
			fmt.Printf("%+v\n", c.Row)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// {City:Rome Best:Ada Amounts:[10 20 30] Customers:2 Large:2 Product:6000}
	// {City:Oslo Best:Cy Amounts:[5] Customers:1 Large:0 Product:5}
}
