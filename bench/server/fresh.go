package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// fresh measures how long a saved, edited and deleted file takes to be found or
// gone, by keyword and by vector alone: idle, while 50 files a second arrive,
// and behind a large file.
func (b *bench) fresh() error {
	dir, n, _, err := b.corpus("fresh")
	if err != nil {
		return err
	}
	begin := time.Now()
	s, err := b.launch(filepath.Join(b.work, "fresh-data"), dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.live(n); err != nil {
		return err
	}
	mb, cpu := s.memory()
	print(map[string]any{"figure": "first indexing", "documents": n, "seconds": time.Since(begin).Seconds(), "cpu_seconds": cpu.Seconds(), "rss_mb": mb})
	if err := b.freshness(s, dir, "idle"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { pour(ctx, filepath.Join(dir, "pour"), 50) })
	err = b.freshness(s, dir, "while 50 files a second arrive")
	cancel()
	wg.Wait()
	if err != nil {
		return err
	}
	large := filepath.Join(dir, "large.pdf")
	if err := largePDF(large, 200<<20); err != nil {
		return err
	}
	if err := b.freshness(s, dir, "behind a 200 MB PDF"); err != nil {
		return err
	}
	var st struct{ Pending int }
	if err := s.get("/api/stats", &st); err != nil {
		return err
	}
	print(map[string]any{"figure": "the 200 MB PDF was still being read at the end", "yes": st.Pending > 0})
	return nil
}

// kinds writes a file of each kind that holds a text.
var kinds = []struct {
	name  string
	write func(text string) []byte
}{
	{"md", func(text string) []byte { return []byte(text + "\n") }},
	{"html", func(text string) []byte {
		return []byte("<!doctype html><html><head><title>News</title></head><body><main><p>" + text + "</p></main></body></html>")
	}},
	{"docx", docx},
	{"pdf", func(text string) []byte {
		var b bytes.Buffer
		writePDF(&b, 1, []string{text})
		return b.Bytes()
	}},
}

func docx(text string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`},
		{"word/document.xml", `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` + text + `</w:t></w:r></w:p></w:body></w:document>`},
	} {
		if w, err := z.Create(f[0]); err == nil {
			_, _ = w.Write([]byte(f[1])) // to memory
		}
	}
	_ = z.Close()
	return b.Bytes()
}

// freshness saves, edits and deletes 160 files one after the other, of each kind
// in turn, looking by keyword and by vector alone.
func (b *bench) freshness(s *server, dir, when string) error {
	times := map[string][]time.Duration{}
	for i := range 160 {
		kind := kinds[i%len(kinds)]
		mode := []string{"keyword", "vector"}[i/len(kinds)%2]
		path := filepath.Join(dir, fmt.Sprintf("fresh-%s-%03d.%s", strings.ReplaceAll(when, " ", "-"), i, kind.name))
		for _, step := range []string{"save", "edit", "delete"} {
			took, err := s.step(path, step, mode, i, kind.write)
			if err != nil {
				return fmt.Errorf("%s of %s by %s: %w", step, path, mode, err)
			}
			figure := kind.name + " " + step + " by " + mode
			times[figure] = append(times[figure], took)
		}
	}
	for _, kind := range kinds {
		for _, step := range []string{"save", "edit", "delete"} {
			for _, mode := range []string{"keyword", "vector"} {
				figure := kind.name + " " + step + " by " + mode
				spread("freshness "+when+": "+figure, times[figure], nil)
			}
		}
	}
	return nil
}

// step saves, edits or deletes a file and waits until a search shows it.
func (s *server) step(path, step, mode string, i int, write func(string) []byte) (took time.Duration, err error) {
	text := sentence(i, step)
	data := write(text)
	begin := time.Now()
	if step == "delete" {
		text = sentence(i, "edit")
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return 0, err
	}
	err = until(2*time.Minute, time.Millisecond, func() (bool, error) {
		hits, err := s.search(text, mode, 5)
		if err != nil {
			return false, err
		}
		found := false
		for _, h := range hits {
			found = found || h.Path == filepath.Base(path) && strings.Contains(h.Text, text)
		}
		return found == (step != "delete"), nil
	})
	return time.Since(begin), err
}
