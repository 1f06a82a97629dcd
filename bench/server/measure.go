package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// start measures the time from the start of the binary on the example
// documents, with an empty data directory, to the first cited answer.
func (b *bench) start() error {
	examples, err := filepath.Abs("examples/docs")
	if err != nil {
		return err
	}
	var ts []time.Duration
	for i := range b.runs {
		begin := time.Now()
		s, err := b.launch(filepath.Join(b.work, fmt.Sprintf("start-%d", i)), examples)
		if err != nil {
			return err
		}
		err = until(time.Minute, 5*time.Millisecond, func() (bool, error) {
			var a struct {
				Kind    string
				Sources []struct{ Cited bool }
			}
			err := s.post("/api/ask", []byte(`{"question":"How many days of paid leave does full-time staff have a year?"}`), &a)
			for _, src := range a.Sources {
				if src.Cited {
					return true, err
				}
			}
			return false, err
		})
		ts = append(ts, time.Since(begin))
		s.stop()
		if err != nil {
			return err
		}
	}
	spread("first cited answer after the start of the binary", ts, nil)
	return nil
}

// corpus makes a folder of SciFact documents.
func (b *bench) corpus(name string) (dir string, n int, s *set, err error) {
	s, err = readSet(filepath.Join(b.data, "scifact"))
	if err != nil {
		return "", 0, nil, err
	}
	dir = filepath.Join(b.work, name)
	n, err = s.write(dir, b.docs)
	return dir, n, s, err
}

var words = strings.Fields(`amber anchor apple arrow autumn bakery balcony barley basket beacon blanket bottle branch bridge bronze candle canyon carpet castle cellar
cherry chimney circle clover coffee copper cotton cradle crystal dagger desert diamond dolphin dragon eagle ember engine fabric falcon feather forest fountain garden
garlic ginger glacier guitar hammer harbor harvest hazel helmet honey island jacket jungle kettle ladder lantern lemon linen lizard magnet maple marble meadow mirror
monkey morning mountain needle oak ocean olive orange orchard otter oyster paper parrot pepper pillow pirate planet pocket potato quartz rabbit raven ribbon river`)

// sentence is a text of its own for each file and step.
func sentence(i int, step string) string {
	h := fnv.New64a()
	h.Write([]byte(step))
	r := rand.New(rand.NewPCG(uint64(i), h.Sum64()))
	pick := func() string { return words[r.IntN(len(words))] }
	return fmt.Sprintf("The %s %s of %s number x%dq%s keeps a %s %s beside the %s.", pick(), pick(), pick(), i, step, pick(), pick(), pick())
}

// pour writes files at a rate until ctx ends.
func pour(ctx context.Context, dir string, perSecond int) {
	if os.MkdirAll(dir, 0o755) != nil {
		return
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.txt", i)), []byte(sentence(i, "pour")+strings.Repeat(" "+sentence(i+1, "more"), 8)), 0o644)
		case <-ctx.Done():
			return
		}
	}
}

// load measures retrieval with SciFact's claims at 1 and 32 clients.
func (b *bench) load() error {
	dir, n, set, err := b.corpus("load")
	if err != nil {
		return err
	}
	s, err := b.launch(filepath.Join(b.work, "load-data"), dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.live(n); err != nil {
		return err
	}
	for _, clients := range []int{1, 32} {
		_, before := s.memory()
		begin := time.Now()
		ts, err := b.ask(s, set, clients, 10*time.Second)
		if err != nil {
			return err
		}
		took := time.Since(begin)
		mb, after := s.memory()
		spread(fmt.Sprintf("retrieval, %d clients", clients), ts, map[string]any{
			"per_second": float64(len(ts)) / took.Seconds(), "cpu_ms_each": ms(after-before) / float64(len(ts)), "rss_mb": mb,
		})
	}
	return nil
}

func (b *bench) ask(s *server, set *set, clients int, most time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			var ts []time.Duration
			for i := c; ctx.Err() == nil; i += clients {
				begin := time.Now()
				if _, err := s.search(set.queries[i%len(set.queries)].Text, "hybrid", 10); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				ts = append(ts, time.Since(begin))
			}
			mu.Lock()
			all = append(all, ts...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return all, failed
}

// quality measures nDCG@10 of the three modes through the API.
func (b *bench) quality() error {
	names := []string{"scifact", "cranfield"}
	for _, l := range []string{"en", "ru", "zh", "de", "es", "ar"} {
		names = append(names, "xquad/"+l)
	}
	for _, name := range names {
		if err := b.qualityOf(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) qualityOf(name string) error {
	set, err := readSet(filepath.Join(b.data, name))
	if err != nil {
		return err
	}
	dir := filepath.Join(b.work, "quality", name)
	n, err := set.write(dir, 0)
	if err != nil {
		return err
	}
	s, err := b.launch(filepath.Join(b.work, "quality-data", name), dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.live(n); err != nil {
		return err
	}
	given, err := bm25Given(filepath.Join(b.data, name))
	if err != nil {
		return err
	}
	figures := map[string]any{"figure": "nDCG@10 of " + name, "documents": n, "bm25_given": given}
	for _, mode := range []string{"keyword", "vector", "hybrid"} {
		sum, judged := 0.0, 0
		for _, q := range set.queries {
			rel := set.rels[q.ID]
			if len(rel) == 0 {
				continue
			}
			hits, err := s.search(q.Text, mode, 50)
			if err != nil {
				return err
			}
			judged++
			sum += ndcg10(documents(hits), rel)
		}
		figures[mode], figures["queries"] = sum/float64(judged), judged
	}
	print(figures)
	return nil
}

// documents returns the documents of hits by their best chunk.
func documents(hits []hit) []string {
	var ids []string
	seen := map[string]bool{}
	for _, h := range hits {
		id := strings.TrimSuffix(h.Path, ".md")
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// idle measures memory and processor time of a server that has nothing to do.
func (b *bench) idle() error {
	examples, err := filepath.Abs("examples/docs")
	if err != nil {
		return err
	}
	s, err := b.launch(filepath.Join(b.work, "idle-data"), examples)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.live(1); err != nil {
		return err
	}
	const look = 30 * time.Second
	time.Sleep(65 * time.Second) // until the workers that parse have gone
	_, before := s.memory()
	time.Sleep(look)
	mb, after := s.memory()
	print(map[string]any{"figure": "idle with the example documents", "rss_mb": mb, "cpu_percent": 100 * (after - before).Seconds() / look.Seconds()})
	return nil
}

// restart measures the time from the start after kill -9 to the first answer
// from the old index.
func (b *bench) restart() error {
	dir, n, _, err := b.corpus("restart")
	if err != nil {
		return err
	}
	data := filepath.Join(b.work, "restart-data")
	s, err := b.launch(data, dir)
	if err != nil {
		return err
	}
	if err := s.live(n); err != nil {
		return err
	}
	hits, err := s.search("protein", "keyword", 1)
	if err != nil || len(hits) == 0 {
		return fmt.Errorf("nothing is found before the kill: %w", err)
	}
	var ts []time.Duration
	for range b.runs {
		s.kill()
		begin := time.Now()
		if s, err = b.launch(data, dir); err != nil {
			return err
		}
		err = until(time.Minute, time.Millisecond, func() (bool, error) {
			hits, err := s.search("protein", "keyword", 1)
			return len(hits) > 0, err
		})
		if err != nil {
			break
		}
		ts = append(ts, time.Since(begin))
	}
	s.stop()
	spread("first answer after kill -9 and restart", ts, map[string]any{"documents": n})
	return err
}
