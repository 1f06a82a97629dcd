package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: none,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version()) },
	}
}

// release is the tag, set by the release build.
var release = ""

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(release, info)
}

// versionOf says what a person who reports something should report: the
// release, or that it is none, the revision it was built from, when that was
// committed and whether the sources differed from it, the Go release and the
// platform.
func versionOf(release string, info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	installed := info.Main.Version // of `go install …@v1.2.3`
	if strings.HasPrefix(installed, "(") || settings["vcs.revision"] != "" {
		installed = "" // a pseudo-version of what the revision says
	}
	parts := []string{"ragserver", cmp.Or(release, installed, "unreleased")}
	switch revision := settings["vcs.revision"]; {
	case revision != "":
		built := revision[:min(12, len(revision))] + " of " + settings["vcs.time"]
		if settings["vcs.modified"] == "true" {
			built += ", modified"
		}
		parts = append(parts, "("+built+")")
	case release == "" && installed == "":
		parts = append(parts, "(built without version control)")
	}
	return strings.Join(append(parts, cmp.Or(info.GoVersion, runtime.Version()), runtime.GOOS+"/"+runtime.GOARCH), " ")
}
