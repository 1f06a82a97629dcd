//go:build race

package parse

// raceEnabled says that memory is many times what it would be.
const raceEnabled = true
