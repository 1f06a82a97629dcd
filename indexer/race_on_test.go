//go:build race

package indexer

const RaceDetector = true
