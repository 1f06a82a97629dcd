package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	git := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.time", Value: "2026-11-23T20:00:00Z"}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		release, module string
		settings        []debug.BuildSetting
		want            string
	}{
		{"v1.2.3", "v1.2.3", git("false"), "ragserver v1.2.3 (0123456789ab of 2026-11-23T20:00:00Z) go1.26"},
		{"v1.2.3", "", nil, "ragserver v1.2.3 go1.26"},
		{"", "v0.0.0-20261123200000-0123456789ab", git("false"), "ragserver unreleased (0123456789ab of 2026-11-23T20:00:00Z) go1.26"},
		{"", "(devel)", git("true"), "ragserver unreleased (0123456789ab of 2026-11-23T20:00:00Z, modified) go1.26"},
		{"", "v1.2.3", nil, "ragserver v1.2.3 go1.26"}, // go install
		{"", "(devel)", nil, "ragserver unreleased (built without version control) go1.26"},
	} {
		info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: c.module}, Settings: c.settings}
		if got, want := versionOf(c.release, info), c.want+" "+runtime.GOOS+"/"+runtime.GOARCH; got != want {
			t.Errorf("%q and not %q", got, want)
		}
	}
}

// TestVersionOfBinary builds as users do, in a clone.
func TestVersionOfBinary(t *testing.T) {
	if info, err := os.Stat(filepath.Join("..", "..", ".git")); err != nil || !info.IsDir() {
		t.Skip("go build finds the revision in a clone only, and this is none")
	}
	revision, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		t.Skip("no git here:", err)
	}
	exe := filepath.Join(t.TempDir(), "ragserver.exe")
	if out, err := exec.Command("go", "build", "-buildvcs=true", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	out, err := exec.Command(exe, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "ragserver unreleased (" + strings.TrimSpace(string(revision)) + " of 20"; !strings.Contains(string(out), want) {
		t.Errorf("%q does not tell %q", out, want)
	}
}
