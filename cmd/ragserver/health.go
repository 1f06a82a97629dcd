package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/api"
)

// healthTime is how long a server may take to say that it is well.
const healthTime = 5 * time.Second

func healthCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it serves",
		Long: `Asks the server that runs on the data directory, or the one on --listen if that is
given. The exit code is 0 if it serves, 1 if not: for containers and supervisors
that run a command to find out. What cannot go on meanwhile, an embedder that does not
answer or a full disk, is named and is no reason to end the server.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.config(cmd, nil)
			if err != nil {
				return err
			}
			listen := c.Listen
			if there := servingOn(c.Data); there != "" && !slices.Contains(f.typed, "listen") {
				listen = there
			}
			return health(cmd.Context(), listen, cmd.OutOrStdout())
		},
	}
}

func health(ctx context.Context, listen string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	url := "http://" + callable(listen) + "/ready"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no server answers: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	var ready api.Ready
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&ready); err != nil {
		return fmt.Errorf("%s is not answered by a ragserver: %w", url, err)
	}
	said := "serving on http://" + callable(listen)
	if len(ready.Troubles) > 0 {
		said += "; in trouble: " + strings.Join(ready.Troubles, ", ") + " (GET /api/stats tells why)"
	}
	_, err = fmt.Fprintln(stdout, said)
	return err
}

// callable is the address to call for a server that listens on listen.
func callable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
