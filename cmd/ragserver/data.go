package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/ragserver/ragserver/internal/durable"
)

// dataMark is the name of a file in every data directory: a server that watches
// the folder in which another one keeps its data leaves that out. It is not the
// mark of a cache (CACHEDIR.TAG), which would keep it out of backups as well.
const dataMark = "RAGSERVER-DATA.txt"

const dataMarkText = `This directory is the data directory of a ragserver: index, uploads and keys.
A ragserver that watches the folder around it knows it by this file and does not
read it as documents. Back it up as a whole.
`

// prepareData makes the data directory, marks it and sees that it can be written
// to.
func prepareData(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = mark(dir)
	}
	if err == nil {
		err = writable(dir)
	}
	if err != nil {
		return unusable(dir, err)
	}
	return nil
}

func unusable(dir string, err error) error {
	return usage(fmt.Errorf("the data directory %s cannot be used: %w; choose another with --data", dir, err))
}

func mark(dir string) error {
	name := filepath.Join(dir, dataMark)
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	return durable.Replace(name, []byte(dataMarkText))
}

// isData reports whether a folder is the data directory of a ragserver.
func isData(folder string) bool {
	info, err := os.Lstat(filepath.Join(folder, dataMark))
	return err == nil && info.Mode().IsRegular()
}

// writable tries whether files can be made in a directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// holdsNothing reports whether nothing was ever indexed in a data directory. One
// that cannot be read is another matter.
func holdsNothing(dir string) bool {
	collections, err := os.ReadDir(filepath.Join(dir, "collections"))
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(collections) == 0
}

// servingFile holds the address of the server that has the data directory. Who
// takes the directory removes it, and writes it anew if he serves: it is always
// about who has the directory now.
const servingFile = "serving"

// noteServing has those who find the directory taken know where to ask.
func noteServing(dir, address string) error {
	return durable.Replace(filepath.Join(dir, servingFile), []byte(address))
}

func forgetServing(dir string) error {
	err := os.Remove(filepath.Join(dir, servingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// servingOn returns the address of the server that has the directory, "" if who
// has it does not serve, or not yet.
func servingOn(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, servingFile))
	if _, _, wrong := net.SplitHostPort(string(b)); err != nil || wrong != nil {
		return ""
	}
	return string(b)
}
