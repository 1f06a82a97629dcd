package pipeline

import (
	"fmt"
	"strings"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// StateReport is what CheckState has read.
type StateReport struct {
	Epoch uint64 // of the last commit
	Files int
	Bytes int64
	// Taken is, by the name of the sink, the last epoch that the state no longer
	// keeps because the sink took it. A sink that has less has lost something; one
	// that has more than Epoch was filled from another state.
	Taken map[string]uint64
}

// CheckState reads all of the state that State keeps in dir and verifies its
// checksums; it changes nothing. The error joins a *DamageError for each damaged
// file; it is a *LockedError while a graph runs on the state.
func CheckState(dir string) (StateReport, error) {
	report := StateReport{Taken: map[string]uint64{}}
	checked, err := changelog.Check(changelog.OSFS{}, dir, func(l *changelog.Log) error {
		for _, table := range l.Tables() {
			if !strings.HasSuffix(table, ":"+takenTable) {
				continue
			}
			sink, _, _ := strings.Cut(table, "/")
			taken, err := loadTaken(l, table)
			if err != nil {
				return err
			}
			report.Taken[sink] = taken
		}
		return nil
	})
	report.Epoch, report.Files, report.Bytes = checked.Epoch, checked.Files, checked.Bytes
	if err != nil {
		return report, fmt.Errorf("pipeline: %w", err)
	}
	return report, nil
}
