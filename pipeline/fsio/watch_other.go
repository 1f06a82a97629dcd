//go:build !linux

package fsio

func limitHint(error) string { return "" }
