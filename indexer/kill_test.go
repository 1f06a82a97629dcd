package indexer

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
)

const (
	killKeys    = 12
	killWriters = 3
	killFiles   = 8
)

// TestKill kills a process that stores and deletes documents, several times at
// a random moment, and looks at what it left: each key stands as its last
// acknowledged call left it, or as one that was under way would have; what the
// folder holds is found while the folder is configured and not otherwise; no
// body stays behind.
func TestKill(t *testing.T) {
	if dir := os.Getenv("INDEXER_TEST_CHILD"); dir != "" {
		killChild(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("it starts processes")
	}
	r := newRig(t)
	for i := range killFiles {
		r.write(fmt.Sprintf("f%d.txt", i), fmt.Sprintf("folder file%d", i))
	}
	folders := r.folders
	holds := map[string][]string{} // by key, what it may hold: a text, or "" for no document
	for k := range killKeys {
		holds[fmt.Sprint("k", k)] = []string{""}
	}
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "INDEXER_TEST_CHILD="+r.dir, fmt.Sprint("INDEXER_TEST_ROUND=", round))
		if round%2 == 0 {
			cmd.Env = append(cmd.Env, "INDEXER_TEST_FOLDER="+r.folder)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, said := bufio.NewScanner(out), []string{}
		wait, killed := 1+rand.IntN(60), false
		for lines.Scan() { // also what it said before it died
			f := strings.Fields(lines.Text())
			switch {
			case len(f) == 3 && f[0] == "try":
				holds[f[1]] = append(holds[f[1]], strings.TrimPrefix(f[2], "-"))
			case len(f) == 2 && f[0] == "ack":
				holds[f[1]] = holds[f[1]][len(holds[f[1]])-1:]
				if wait--; wait == 0 {
					cmd.Process.Kill()
					killed = true
				}
			default:
				said = append(said, lines.Text())
			}
		}
		cmd.Wait()
		if !killed {
			t.Fatalf("round %d: the child ended by itself:\n%s", round, strings.Join(said, "\n"))
		}
		// Half of the looks are with the configuration that was killed.
		r.folders = nil
		if round%4 < 2 {
			r.folders = folders
		}
		r.start()
		var why string
		for end := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
			if why = r.notAsLeft(holds); why == "" {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("round %d: %s", round, why)
			}
		}
		r.stop()
	}
}

// notAsLeft says what is not as it must be in the end, "" if all is.
func (r *rig) notAsLeft(holds map[string][]string) string {
	states, pending := r.x.Counts()
	if pending > 0 {
		return fmt.Sprint(pending, " documents are pending")
	}
	uploads, files := 0, killFiles*len(r.folders)
	for key, may := range holds {
		now := ""
		if s, ok := r.x.Document(DocumentID(UploadsName, key)); ok {
			c, err := r.x.Content(s.LiveVersion)
			if err != nil {
				return fmt.Sprintf("%s is %s and cannot be read: %v", key, s.State, err)
			}
			now = strings.TrimSpace(c.Text)
			uploads++
		}
		if !slices.Contains(may, now) {
			return fmt.Sprintf("%s holds %q; it should be one of %q", key, now, may)
		}
	}
	if states[Live] != uploads+files || len(states) > 1 {
		return fmt.Sprintf("states %v with %d uploads and %d files", states, uploads, files)
	}
	if res, err := r.x.Search(r.t.Context(), index.Query{Text: "folder", K: 2 * killFiles, Mode: index.Keyword}); err != nil || len(res.Hits) != files {
		return fmt.Sprintf("%d of %d files of the folder are found, %v", len(res.Hits), files, err)
	}
	bodies, err := os.ReadDir(r.x.uploadsDir())
	if err != nil || len(bodies) != uploads {
		return fmt.Sprintf("%d bodies of %d uploads, %v", len(bodies), uploads, err)
	}
	return ""
}

// killChild stores and deletes until it is killed, and tells of each call before
// it makes it and when it has returned.
func killChild(t *testing.T, dir string) {
	r := newRig(t)
	r.dir, r.folders = dir, nil
	if f := os.Getenv("INDEXER_TEST_FOLDER"); f != "" {
		r.folders = []Folder{{Name: "docs", Path: f}}
	}
	r.start()
	failed := make(chan error)
	for w := range killWriters {
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprint("k", w+killWriters*rand.IntN(killKeys/killWriters))
				text := fmt.Sprintf("text-%s-%d-%d", os.Getenv("INDEXER_TEST_ROUND"), w, n)
				var err error
				if rand.IntN(3) == 0 {
					fmt.Printf("try %s -\n", key)
					_, err = r.x.Delete(t.Context(), UploadsName, key)
				} else {
					fmt.Printf("try %s %s\n", key, text)
					_, err = r.x.Put(t.Context(), UploadsName, key, strings.NewReader(text), index.Meta{})
				}
				if err != nil && !errors.Is(err, ErrNoDocument) {
					failed <- err
					return
				}
				fmt.Printf("ack %s\n", key)
			}
		}()
	}
	t.Fatal(<-failed)
}
