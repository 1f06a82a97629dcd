package index

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/keyword"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// Finding is what Check found out about one file.
type Finding struct {
	File  string
	Bytes int64
	// Damage is empty if the file is whole; Remedy says what to do otherwise.
	Damage, Remedy string
}

// Damage is the error about a file that is not as it was written.
type Damage = disk.Damage

// What can be done about a damaged file.
const (
	remedyNone    = "restore the directory from a backup, or move it away: the documents are then read and embedded again from their sources"
	remedyVectors = "delete this file: its vectors are made again by the embedder"
	remedyWords   = "nothing needs to be done: it is made again from the texts at the next start"
)

// Check reads every file of an index that counts, verifies all checksums and
// what the files say of each other, and reports on each file in turn; report may
// be nil. It returns the last epoch that the index has. It changes nothing, and
// fails if the index is open elsewhere. The error tells the first damage.
func Check(dir string, report func(Finding)) (epoch uint64, err error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, fmt.Errorf("index: checking %s: %w", dir, err)
	}
	release, err := disk.Lock(dir)
	if err != nil {
		return 0, fmt.Errorf("index: checking %s: %w", dir, err)
	}
	defer release()
	if report == nil {
		report = func(Finding) {}
	}
	c := checker{fs: disk.Dir(dir), report: report, versions: map[ID]bool{}}
	if err := c.all(); err != nil {
		return c.epoch, fmt.Errorf("index: checking %s: %w", dir, err)
	}
	return c.epoch, nil
}

type checker struct {
	fs       disk.FS
	report   func(Finding)
	first    error // damage
	epoch    uint64
	versions map[ID]bool
}

// tell reports on a file. Only an error that is no damage is returned.
func (c *checker) tell(name string, size int64, err error, remedy string) error {
	f := Finding{File: name, Bytes: size}
	var d *disk.Damage
	switch {
	case errors.As(err, &d):
		f.Damage, f.Remedy = err.Error(), remedy
		if c.first == nil {
			c.first = fmt.Errorf("%w; %s", err, remedy)
		}
	case err != nil:
		return err
	}
	c.report(f)
	return nil
}

func (c *checker) all() error {
	m, err := readManifest(c.fs)
	if m == nil && err == nil {
		return errors.New("there is no index in it")
	}
	if e := c.tell(manifestName, 0, err, remedyNone); e != nil || err != nil {
		return errors.Join(e, c.first)
	}
	stride := int64(math.MaxInt64)
	if m.Dims > 0 {
		s, err := vector.NewSpace(m.Dims)
		if err != nil {
			return err
		}
		stride = disk.FrameSize(floatSize * s.Padded())
	}
	err = errors.Join(
		c.log(textLog, m.Text, remedyNone, func(f disk.Frame) error {
			full, err := decodeContent(f.ID, f.Payload, len(f.Payload))
			if err == nil {
				c.versions[f.ID] = true
				err = checkContent(full)
			}
			return err
		}),
		c.log(vectorLog(m.Generation), m.Vectors, remedyVectors, func(f disk.Frame) error {
			if disk.FrameSize(len(f.Payload)) != stride {
				return errors.New("it is no vector of the embedder")
			}
			return nil
		}),
		c.log(epochsLog, m.Epochs, remedyNone, func(f disk.Frame) error {
			d := decoder{b: f.Payload}
			b := d.batch()
			c.epoch = max(c.epoch, b.Epoch)
			return d.err
		}),
		c.checkpoint(m.Checkpoint))
	return errors.Join(err, c.first)
}

// log checks the files of a log. visit's errors are damage.
func (c *checker) log(name string, known []disk.FileInfo, remedy string, visit func(disk.Frame) error) error {
	files, err := disk.LogFiles(c.fs, name, known)
	if err != nil {
		return err
	}
	for i, number := range files {
		file := disk.FileName(name, number)
		f, err := c.fs.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			if err := c.tell(file, 0, &disk.Damage{File: file, Offset: -1, What: "it is missing"}, remedy); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		size, err := f.Size()
		if err == nil {
			var good int64
			good, err = disk.Scan(f, size, name, number, i == len(files)-1, 0, func(at int64, fr disk.Frame) error {
				if err := visit(fr); err != nil {
					return &disk.Damage{File: file, Offset: at, What: err.Error()}
				}
				return nil
			})
			for _, k := range known {
				if err == nil && k.Number == number && good < k.Length {
					err = &disk.Damage{File: file, Offset: good, What: fmt.Sprintf("it ends here and had %d bytes", k.Length)}
				}
			}
		}
		f.Close()
		if err := c.tell(file, size, err, remedy); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint checks the state file, the keyword side, and that all versions of
// live documents are there.
func (c *checker) checkpoint(number uint64) error {
	if number == 0 {
		return nil
	}
	var head checkpointHead
	contents, docs := uint64(0), uint64(0)
	name := disk.FileName(stateLog, number)
	err := disk.ReadFrames(c.fs, stateLog, number, func(f disk.Frame) (err error) {
		d := decoder{b: f.Payload}
		switch f.Kind {
		case kindHead:
			head, err = decodeHead(f.Payload)
			c.epoch = max(c.epoch, head.epoch)
		case kindStored:
			contents++
			d.stored()
		case kindDocument:
			docs++
			if doc := d.document(); doc.Version != (ID{}) && !c.versions[doc.Version] {
				return &disk.Damage{File: name, Offset: -1, What: fmt.Sprintf("the text of document %v (%.200q) is in no file", doc.ID, doc.Path)}
			}
		}
		if err = errors.Join(err, d.err); err != nil {
			return &disk.Damage{File: name, Offset: -1, What: err.Error()}
		}
		return nil
	})
	if err == nil && (contents != head.contents || docs != head.docs) {
		err = &disk.Damage{File: name, Offset: -1, What: "it is cut"}
	}
	if err := c.tell(name, sizeOf(c.fs, name), err, remedyNone); err != nil || c.first != nil && head.analysis == 0 {
		return err
	}
	words := wordsName(number)
	b, err := disk.ReadFile(c.fs, words, math.MaxInt64)
	if err == nil {
		if uint64(len(b)) != head.wordsLen || uint64(crc32.Checksum(b, castagnoli)) != head.wordsCRC {
			err = errors.New("the checksum does not match")
		} else {
			_, err = keyword.Open(b)
		}
	}
	if err != nil {
		err = &disk.Damage{File: words, Offset: -1, What: err.Error()}
	}
	return c.tell(words, int64(len(b)), err, remedyWords)
}

func sizeOf(d disk.FS, name string) int64 {
	f, err := d.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	n, _ := f.Size()
	return n
}
