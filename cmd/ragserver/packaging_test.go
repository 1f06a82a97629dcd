package main

import (
	"encoding/json"
	"maps"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
)

// The image, the compose file and the systemd unit speak of the binary, its
// flags, ports and files; these tests keep them true.

func repoFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// commandLine is what the server makes of arguments and variables.
type commandLine struct {
	*Config
	folders []string
}

// understood parses a command line as the server does. Folders need not exist:
// their place is taken by empty ones.
func understood(t *testing.T, args, environment []string) commandLine {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, line := range environment {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
	if err := checkVariables(rootCommand(), environment, nil); err != nil {
		t.Fatal(err)
	}
	var f flags
	fs := pflag.NewFlagSet("ragserver", pflag.ContinueOnError)
	f.add(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if _, err := fromEnvironment(fs, os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	line := commandLine{&Config{}, fs.Args()}
	var stands []string
	for _, folder := range line.folders {
		stand := strings.TrimPrefix(folder, "/")
		if err := os.MkdirAll(stand, 0o700); err != nil {
			t.Fatal(err)
		}
		stands = append(stands, stand)
	}
	o := f.overrides(fs, stands)
	if err := o.apply(line.Config); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if err := line.Validate(); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return line
}

// image is what a Dockerfile says of the last stage, and what is copied into
// any of them from outside.
type image struct {
	entrypoint, cmd, health, env, expose, volumes, copied []string
	workers                                               []string // RUN lines
	from                                                  []string
}

func dockerfile(t *testing.T) image {
	t.Helper()
	var m image
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(repoFile(t, "Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		list := func() (l []string) {
			t.Helper()
			if err := json.Unmarshal([]byte(rest), &l); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return l
		}
		switch word {
		case "FROM":
			m = image{copied: m.copied, workers: m.workers, from: append(m.from, rest)}
		case "ENTRYPOINT":
			m.entrypoint = list()
		case "CMD":
			m.cmd = list()
		case "HEALTHCHECK":
			_, rest, _ = strings.Cut(rest, "CMD ")
			m.health = list()
		case "ENV":
			m.env = append(m.env, strings.Fields(rest)...)
		case "EXPOSE":
			m.expose = append(m.expose, strings.Fields(rest)...)
		case "VOLUME":
			m.volumes = append(m.volumes, strings.Fields(rest)...)
		case "COPY":
			if fields := strings.Fields(rest); !strings.HasPrefix(rest, "--from") {
				m.copied = append(m.copied, fields[:len(fields)-1]...)
			}
		case "RUN":
			m.workers = append(m.workers, rest)
		case "WORKDIR", "USER", "ARG", "":
		default:
			t.Errorf("the Dockerfile has the instruction %s, which this test does not know", word)
		}
	}
	return m
}

func TestDockerfile(t *testing.T) {
	m := dockerfile(t)
	ignored := strings.Fields(repoFile(t, ".dockerignore"))
	for _, source := range m.copied {
		if found, err := filepath.Glob(filepath.Join("..", "..", source)); err != nil || len(found) == 0 || slices.Contains(ignored, source) {
			t.Errorf("COPY %s: there is no such file, or it is ignored", source)
		}
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(repoFile(t, "go.mod"))
	if want := "golang:" + goVersion[1] + " AS build"; m.from[0] != want {
		t.Errorf("it builds with %s, go.mod wants %s", m.from[0], want)
	}
	build := m.workers[len(m.workers)-1]
	for _, word := range []string{"CGO_ENABLED=0", "-o /ragserver", "./cmd/ragserver", "-X main.release="} {
		if !strings.Contains(build, word) {
			t.Errorf("it builds without %s: %s", word, build)
		}
	}
	if !slices.Equal(m.entrypoint, []string{"/ragserver"}) || !slices.Equal(m.health, []string{"/ragserver", "health"}) {
		t.Errorf("it runs %q and %q", m.entrypoint, m.health)
	}
	if c, _, err := rootCommand().Find(m.health[1:]); err != nil || c.Name() != "health" {
		t.Errorf("there is no command %q: %v", m.health[1:], err)
	}
	c := understood(t, m.cmd, m.env)
	if _, port, _ := net.SplitHostPort(c.Listen); !slices.Equal(m.expose, []string{port}) {
		t.Errorf("it listens on %s and exposes %v", c.Listen, m.expose)
	}
	if !slices.Equal(m.volumes, []string{c.Data}) {
		t.Errorf("data are in %s, volumes %v", c.Data, m.volumes)
	}
	if loopback(c.Listen) || !c.NoAuth {
		t.Errorf("nobody could reach it: %+v", c.Config)
	}
}

// compose is as much of the format as docker-compose.yml uses: another key is
// an error.
type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Build       string            `yaml:"build"`
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	DependsOn   []string          `yaml:"depends_on"`
	Restart     string            `yaml:"restart"`
	Healthcheck *healthcheck      `yaml:"healthcheck"`
}

type healthcheck struct {
	Test        []string `yaml:"test"`
	Interval    string   `yaml:"interval"`
	Timeout     string   `yaml:"timeout"`
	StartPeriod string   `yaml:"start_period"`
	Retries     int      `yaml:"retries"`
}

func TestCompose(t *testing.T) {
	var file compose
	if err := yaml.UnmarshalWithOptions([]byte(repoFile(t, "docker-compose.yml")), &file, yaml.DisallowUnknownField(), yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for name, s := range file.Services {
		if (s.Build == "") == (s.Image == "") {
			t.Errorf("%s has not one of build and image", name)
		}
		for _, other := range s.DependsOn {
			if _, ok := file.Services[other]; !ok || other == name {
				t.Errorf("%s depends on %q, which is none of the others", name, other)
			}
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if !path.IsAbs(strings.TrimSuffix(to, ":ro")) {
				t.Errorf("%s: volume %s has no place", name, v)
			}
			if strings.HasPrefix(from, ".") {
				if info, err := os.Stat(filepath.Join("..", "..", from)); err != nil || !info.IsDir() {
					t.Errorf("%s: volume %s: there is no such folder", name, v)
				}
			} else if _, ok := file.Volumes[from]; !ok {
				t.Errorf("%s: volume %s is not declared", name, v)
			}
			used[from] = true
		}
		if s.Healthcheck != nil {
			s.Healthcheck.check(t, name)
		} else if s.Build == "" {
			t.Errorf("%s has no healthcheck", name)
		}
	}
	for name := range file.Volumes {
		if !used[name] {
			t.Errorf("volume %s is used by nobody", name)
		}
	}
	if got := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(got, []string{"kafka", "ollama", "ragserver"}) {
		t.Errorf("services %q", got)
	}
	ours := file.Services["ragserver"]
	m := dockerfile(t)
	ours.fits(t, file, understood(t, ours.Command, append(m.env, ours.variables()...)))
}

func (h *healthcheck) check(t *testing.T, name string) {
	if len(h.Test) < 2 || h.Test[0] != "CMD" || h.Retries < 1 {
		t.Errorf("%s: healthcheck %+v", name, h)
	}
	for _, d := range []string{h.Interval, h.Timeout, h.StartPeriod} {
		if v, err := time.ParseDuration(d); err != nil || v <= 0 {
			t.Errorf("%s: healthcheck: %q is no time", name, d)
		}
	}
}

func (s service) variables() []string {
	var lines []string
	for name, value := range s.Environment {
		lines = append(lines, name+"="+value)
	}
	return lines
}

// fits checks that the server finds in its container what its command line
// speaks of.
func (s service) fits(t *testing.T, file compose, c commandLine) {
	t.Helper()
	_, listen, _ := net.SplitHostPort(c.Listen)
	for _, p := range s.Ports {
		parts := strings.Split(p, ":")
		if len(parts) != 3 || parts[0] != "127.0.0.1" || parts[2] != listen {
			t.Errorf("port %s: the server listens on %s, and without keys only this machine may reach it", p, listen)
		}
	}
	inside := func(place string) bool {
		return slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.Split(v, ":")[1] == place })
	}
	for _, place := range append(c.folders, c.Data) {
		if !inside(place) {
			t.Errorf("%s is no volume", place)
		}
	}
	known := func(address, of string) {
		t.Helper()
		host, port, err := net.SplitHostPort(address)
		other, ok := file.Services[host]
		if err != nil || !ok || !slices.Contains(s.DependsOn, host) {
			t.Errorf("%s is at %s, which is no service it depends on", of, address)
			return
		}
		if l := other.Environment["KAFKA_LISTENERS"]; l != "" && !strings.Contains(l, "://:"+port) {
			t.Errorf("%s is at %s, and %s listens at %s", of, address, host, l)
		}
		if l := other.Environment["KAFKA_ADVERTISED_LISTENERS"]; l != "" && !strings.Contains(l, "://"+address) {
			t.Errorf("%s is at %s, and %s sends clients to %s", of, address, host, l)
		}
		if dir := other.Environment["KAFKA_LOG_DIRS"]; dir != "" && !strings.HasSuffix(other.Volumes[0], ":"+dir) {
			t.Errorf("%s keeps its records in %s, which is no volume", host, dir)
		}
	}
	sources := 0
	for _, source := range c.Collections[defaultCollection].Sources {
		if source.Kafka != nil {
			known(source.Kafka.Brokers[0], "the broker")
			sources++
		}
	}
	for name, m := range c.Models {
		u, err := url.Parse(m.BaseURL)
		if err != nil {
			t.Fatal(err)
		}
		known(u.Host, "model "+name)
		if start := strings.Join(file.Services[u.Hostname()].Entrypoint, " "); !strings.Contains(start, m.Model) {
			t.Errorf("model %s is not fetched by %q", m.Model, start)
		}
		sources++
	}
	if sources != 2 {
		t.Errorf("broker and model are not both used: %+v", c.Config)
	}
}

func TestUnit(t *testing.T) {
	unit := map[string][]string{}
	section := ""
	for line := range strings.Lines(repoFile(t, "deploy/ragserver.service")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		}
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			unit[section+"."+name] = append(unit[section+"."+name], value)
		}
	}
	for _, need := range []string{"Unit.Description", "Service.ExecStart", "Service.StateDirectory", "Service.RestartPreventExitStatus", "Install.WantedBy"} {
		if len(unit[need]) != 1 {
			t.Fatalf("%s is there %d times", need, len(unit[need]))
		}
	}
	words := strings.Fields(unit["Service.ExecStart"][0])
	if !path.IsAbs(words[0]) || path.Base(words[0]) != "ragserver" {
		t.Errorf("it starts %s", words[0])
	}
	c := understood(t, words[1:], unit["Service.Environment"])
	if want := "/var/lib/" + unit["Service.StateDirectory"][0]; c.Data != want {
		t.Errorf("data are in %s, and it may write to %s", c.Data, want)
	}
	var final []int
	for _, code := range strings.Fields(unit["Service.RestartPreventExitStatus"][0]) {
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		final = append(final, n)
	}
	if !slices.Equal(final, []int{exitUsage, exitInUse, exitDamaged}) {
		t.Errorf("exit codes that a restart does not mend: %v", final)
	}
}

// TestReleaseScript checks what the release puts into every archive against
// what there is; scripts/release itself looks into the archives.
func TestReleaseScript(t *testing.T) {
	script := repoFile(t, "scripts/release")
	for _, name := range []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "deploy/ragserver.service"} {
		repoFile(t, name)
		if !strings.Contains(script, name) {
			t.Errorf("the release lacks %s", name)
		}
	}
	shells, _, err := rootCommand().Find([]string{"completion"})
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range shells.ValidArgs {
		if !strings.Contains(script, shell) {
			t.Errorf("the release lacks completions for %s", shell)
		}
	}
}
