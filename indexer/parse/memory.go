package parse

import (
	"fmt"
	"os"
	"runtime/metrics"
	"time"
)

// watchMemory ends this process when it holds more memory than limit. Where the
// system bounds memory itself, it only gives the end a clearer name.
func watchMemory(limit int64, stop <-chan struct{}) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		metrics.Read(s)
		if held := int64(s[0].Value.Uint64() - s[1].Value.Uint64()); held > limit {
			fmt.Fprintf(os.Stderr, "out of memory: %s are held, %s are allowed\n", bytesText(held), bytesText(limit))
			os.Exit(exitMemory)
		}
	}
}
