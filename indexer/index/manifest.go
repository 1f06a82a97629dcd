package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/ragserver/ragserver/indexer/index/disk"
)

// The directory holds, all in formats of package disk:
//
//	MANIFEST           which of the files below count: one line of JSON, one
//	                   with its CRC-32C
//	text-N.log         contents (content.go)
//	vectorsG-N.log     rotated vectors by text (vectors.go); G grows with every
//	                   change of the embedder
//	epochs-N.log       batches since the checkpoint (wire.go)
//	state-N.log        the checkpoint (checkpoint.go)
//	words-N.dat        the keyword side at the checkpoint (package keyword)
//	LOCK               held by the process that has the index open
//
// Texts and batches cannot be made again from the other files; vectors can, by
// the embedder, and words from the texts.
const (
	manifestName = "MANIFEST"
	textLog      = "text"
	epochsLog    = "epochs"
	stateLog     = "state"
	format       = 1

	textLimit   = 64 << 20
	epochsLimit = 64 << 20
)

// Kinds of frames.
const (
	kindContent  = 1
	kindVector   = 2
	kindEpoch    = 3
	kindHead     = 4 // of a checkpoint
	kindStored   = 5 // contents, in a checkpoint
	kindDocument = 6 // in a checkpoint
	kindEnd      = 7 // of a checkpoint
)

type manifest struct {
	Format     int             `json:"format"`
	Embedder   string          `json:"embedder"`
	Dims       int             `json:"dims"`
	Generation int             `json:"generation"` // of the vectors
	Checkpoint uint64          `json:"checkpoint"` // 0: none
	Epochs     []disk.FileInfo `json:"epochs"`
	Text       []disk.FileInfo `json:"text"`
	Vectors    []disk.FileInfo `json:"vectors"`
}

func vectorLog(generation int) string { return fmt.Sprintf("vectors%d", generation) }

func wordsName(number uint64) string { return fmt.Sprintf("words-%06d.dat", number) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *manifest) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("index: a manifest cannot be encoded: " + err.Error())
	}
	return fmt.Appendf(b, "\n%08x\n", crc32.Checksum(b, castagnoli))
}

func decodeManifest(b []byte) (*manifest, error) {
	damaged := func(what string) error { return &disk.Damage{File: manifestName, Offset: -1, What: what} }
	line, sum, ok := bytes.Cut(b, []byte{'\n'})
	if !ok || string(sum) != fmt.Sprintf("%08x\n", crc32.Checksum(line, castagnoli)) {
		return nil, damaged("the checksum does not match")
	}
	m := new(manifest)
	if err := json.Unmarshal(line, m); err != nil {
		return nil, damaged(err.Error())
	}
	if m.Format != format {
		return nil, damaged(fmt.Sprintf("it has format %d and this program reads %d", m.Format, format))
	}
	if m.Dims < 0 || m.Generation < 1 {
		return nil, damaged(fmt.Sprintf("%d dims and generation %d are impossible", m.Dims, m.Generation))
	}
	for _, fs := range [][]disk.FileInfo{m.Epochs, m.Text, m.Vectors} {
		for i, f := range fs {
			if f.Number < 1 || f.Length < disk.FirstFrame || i > 0 && f.Number <= fs[i-1].Number {
				return nil, damaged("its files are out of order")
			}
		}
	}
	return m, nil
}

// readManifest gives nil if the directory is a new one.
func readManifest(d disk.FS) (*manifest, error) {
	b, err := disk.ReadFile(d, manifestName, 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		names, err := d.List()
		for _, n := range names {
			if strings.HasSuffix(n, ".log") {
				return nil, errors.Join(err, &disk.Damage{File: manifestName, Offset: -1, What: "it is missing, though " + n + " is there"})
			}
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return decodeManifest(b)
}

func (m *manifest) write(fs disk.FS) error {
	return disk.WriteFile(fs, manifestName, func(w io.Writer) error {
		_, err := w.Write(m.encode())
		return err
	})
}

// sweep removes what crashes and checkpoints left over: temporary files, older
// checkpoints and the vectors of earlier embedders.
func (m *manifest) sweep(d disk.FS) error {
	names, err := d.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range names {
		old := strings.HasSuffix(n, ".tmp")
		old = old || strings.HasPrefix(n, stateLog+"-") && n != disk.FileName(stateLog, m.Checkpoint)
		old = old || strings.HasPrefix(n, "words-") && n != wordsName(m.Checkpoint)
		old = old || strings.HasPrefix(n, "vectors") && !strings.HasPrefix(n, vectorLog(m.Generation)+"-")
		if old {
			errs = append(errs, d.Remove(n))
		}
	}
	return errors.Join(errs...)
}
