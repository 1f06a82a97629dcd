package embed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// retrier sends requests, with the key, and again after what may pass: no
// connection, a timeout of one attempt, 408, 429 and 5xx. It waits as long as
// Retry-After says, or else twice as long each time, give or take a half.
type retrier struct {
	client  *http.Client
	key     func() string
	timeout time.Duration
	retries int
}

const (
	firstWait = 500 * time.Millisecond
	longWait  = 30 * time.Second
)

// Do is what go-openai calls in place of http.Client.Do.
func (r *retrier) Do(req *http.Request) (*http.Response, error) {
	if k := r.key(); k != "" {
		req.Header.Set("Authorization", "Bearer "+k)
	}
	for attempt := 0; ; attempt++ {
		res, err := r.once(req)
		last := attempt >= r.retries || req.GetBody == nil
		if err == nil && (last || !passing(res.StatusCode)) || err != nil && (last || req.Context().Err() != nil) {
			return res, err
		}
		wait := backoff(attempt)
		if err == nil {
			if after, ok := retryAfter(res.Header.Get("Retry-After"), time.Now()); ok {
				if after > longWait {
					return res, nil // too long to keep the caller waiting
				}
				wait = after
			}
			res.Body.Close()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-req.Context().Done():
			timer.Stop()
			return nil, req.Context().Err()
		}
	}
}

// once makes one attempt, whose time includes reading the reply.
func (r *retrier) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), r.timeout)
	again := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			cancel()
			return nil, err
		}
		again.Body = body
	}
	res, err := r.client.Do(again)
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &reply{ReadCloser: res.Body, left: maxReply, cancel: cancel}
	return res, nil
}

// reply is a body of bounded length that ends its attempt's context.
type reply struct {
	io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

func (b *reply) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the reply is longer than %d MB", maxReply>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("the reply did not end in time")
	}
	return n, err
}

func (b *reply) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented
}

func backoff(attempt int) time.Duration {
	d := min(firstWait<<attempt, longWait)
	return d/2 + rand.N(d)
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(h string, now time.Time) (time.Duration, bool) {
	if h == "" {
		return 0, false
	}
	if s, err := strconv.ParseFloat(h, 64); err == nil && s >= 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second)), true
	}
	if t, err := http.ParseTime(h); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}
