package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What can only be tried by root: other users, and disks of one's own.

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this test is for root: it acts as another user, or mounts a disk")
	}
}

// nobody is a user who owns nothing.
const nobody = 65534

// openPlace is a directory that every user may enter, with the program and a folder
// of documents in it.
func openPlace(t *testing.T) (dir, exe string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ragserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	exe = filepath.Join(dir, "ragserver")
	built, err := os.ReadFile(buildBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		os.Chmod(dir, 0o755),
		os.WriteFile(exe, built, 0o755),
		os.Mkdir(filepath.Join(dir, "docs"), 0o755),
		os.WriteFile(filepath.Join(dir, "docs", "leave.md"), []byte("Full-time staff have 28 days of paid leave a year.\n"), 0o644),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	return dir, exe
}

// as makes a command run as a user, at home in dir.
func as(user int, dir, exe string, args ...string) (cmd *exec.Cmd, said *processLog) {
	cmd, said = exec.Command(exe, args...), &processLog{}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	cmd.Stdout, cmd.Stderr = said, said
	return cmd, said
}

// TestKeyOfRoot: keys that root makes are those of the service, which runs as
// another user and sees them at once.
func TestKeyOfRoot(t *testing.T) {
	needRoot(t)
	dir, exe := openPlace(t)
	data, addr := filepath.Join(dir, "data"), freeAddress(t)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	server, log := as(nobody, dir, exe, "--listen", addr, "--data", data, "docs")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v\n%s", err, log)
		}
	}()
	status := func(key string) string {
		req, err := http.NewRequest("GET", "http://"+addr+"/api/stats", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		resp.Body.Close()
		return strconv.Itoa(resp.StatusCode)
	}
	until := func(want, key string) {
		t.Helper()
		for end := time.Now().Add(eventually); status(key) != want; <-time.After(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s, not %s\n%s", status(key), want, log)
			}
		}
	}
	until("200", "")
	var keys []string
	for _, name := range []string{"one", "two"} {
		made, err := exec.Command(exe, "key", "add", name, "--data", data, "--scope", "read").Output()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(bytes.TrimSpace(made)))
		info, err := os.Stat(filepath.Join(data, "keys.json"))
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != nobody || owner.Gid != nobody || info.Mode().Perm() != 0o600 {
			t.Errorf("after key %s the file belongs to %d:%d, with mode %v", name, owner.Uid, owner.Gid, info.Mode())
		}
	}
	until("401", "")
	until("200", keys[0])
	until("200", keys[1])
}

// TestDataOfOthers: a data directory that may not be written to is a mistake of
// the command line, and is named.
func TestDataOfOthers(t *testing.T) {
	needRoot(t)
	dir, exe := openPlace(t)
	if out, err := exec.Command(exe, "ask", "How many days?", "--data", filepath.Join(dir, "docs", "x"), filepath.Join(dir, "docs")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, data := range []string{"data", "docs"} { // one that cannot be made, and one that is root's
		if cmd, said := as(nobody, dir, exe, "ask", "How many days?", "--data", "docs/x"); cmd.Run() == nil || strings.Contains(said.String(), "nothing is indexed") {
			t.Errorf("of a directory that cannot be read it says\n%s", said)
		}
		for _, args := range [][]string{
			{"--listen", "127.0.0.1:0", "--data", data + "/x", "docs"},
			{"ask", "How many days?", "--data", data + "/x", "docs"},
			{"key", "add", "one", "--data", data + "/x"},
		} {
			cmd, said := as(nobody, dir, exe, args...)
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(said.String(), "the data directory "+data+"/x cannot be used: ") || !strings.Contains(said.String(), "permission denied; choose another with --data") {
				t.Errorf("%q: exit code %d\n%s", args, code, said)
			}
		}
	}
}

// TestFullDisk starts where there is hardly any room. Nothing hangs, the exit
// code is that of a full disk, and what is there is whole when there is room.
func TestFullDisk(t *testing.T) {
	needRoot(t)
	dir, exe := openPlace(t)
	for _, size := range []string{"4k", "16k"} {
		t.Run(size, func(t *testing.T) {
			disk := filepath.Join(dir, size)
			if err := os.Mkdir(disk, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size); err != nil {
				t.Skipf("no disk can be mounted here: %v", err)
			}
			defer func() {
				if err := syscall.Unmount(disk, 0); err != nil {
					t.Error(err)
				}
			}()
			ask := []string{"ask", "How many days of leave?", "--data", disk + "/data", "docs"}
			cmd, said := as(0, dir, exe, ask...)
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitDisk || !strings.Contains(said.String(), "The disk is full. What was acknowledged is safe") {
				t.Errorf("exit code %d\n%s", code, said)
			}
			if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			cmd, said = as(0, dir, exe, ask...)
			if err := cmd.Run(); err != nil || !strings.Contains(said.String(), "28 days") {
				t.Errorf("with room again: %v\n%s", err, said)
			}
		})
	}
}
