package embed

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type request struct {
	Input      []string
	Model      string
	Format     string `json:"encoding_format"`
	Dimensions int
}

// vectorOf is what the fake server gives for a text: its length, then ones.
func vectorOf(text string, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = 1
	}
	v[0] = float32(len(text))
	return v
}

func answer(w http.ResponseWriter, r request, dims int, b64 bool) {
	var data []map[string]any
	for i, text := range r.Input {
		v := vectorOf(text, dims)
		var e any = v
		if b64 {
			var raw []byte
			for _, x := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			e = base64.StdEncoding.EncodeToString(raw)
		}
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": e})
	}
	slices.Reverse(data) // order is by index, not by place
	if err := json.NewEncoder(w).Encode(map[string]any{"object": "list", "model": r.Model, "data": data}); err != nil {
		panic(err)
	}
}

// roundTrip serves requests in place, so that tests need no socket and can run on
// a fake clock.
type roundTrip func(w http.ResponseWriter, r request, h http.Header)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var r request
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	f(w, r, req.Header)
	return w.Result(), req.Context().Err()
}

const secret = "sk-very-secret"

func newFake(t *testing.T, c Config, f roundTrip) *OpenAI {
	t.Helper()
	c.BaseURL, c.Model, c.Key = "http://user:pass@127.0.0.1:9/v1?x=y", "m", func() string { return secret }
	c.Client = &http.Client{Transport: f}
	e, err := NewOpenAI(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestServer goes over a real socket, in both encodings.
func TestServer(t *testing.T) {
	for _, b64 := range []bool{true, false} {
		var sizes []int
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			var r request
			if err := json.NewDecoder(req.Body).Decode(&r); err != nil {
				t.Error(err)
			}
			if req.URL.Path != "/v1/embeddings" || req.Header.Get("Authorization") != "Bearer "+secret || r.Model != "m" {
				t.Errorf("%s %v %+v", req.URL, req.Header, r)
			}
			sizes = append(sizes, len(r.Input))
			answer(w, r, 4, b64 && r.Format == "base64")
		}))
		client := srv.Client()
		e, err := NewOpenAI(Config{BaseURL: srv.URL + "/v1/", Model: "m", Key: func() string { return secret }, Batch: 2, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		vs, err := e.Embed(t.Context(), []string{"a", "bbb", "", "cccccc", " ", "dd", "e"})
		if err != nil {
			t.Fatal(err)
		}
		for i, first := range []float32{1, 3, 0, 6, 0, 2, 1} {
			want := vectorOf(strings.Repeat("x", int(first)), 4)
			if first == 0 {
				want = make([]float32, 4)
			}
			scaleTo(want, 1)
			if !slices.Equal(vs[i], want) {
				t.Errorf("base64 %v: vector %d is %v, want %v", b64, i, vs[i], want)
			}
		}
		want := []int{2, 2, 1}
		if !b64 {
			want = []int{2, 2, 2, 1} // the first is asked again, for numbers
		}
		if !slices.Equal(sizes, want) {
			t.Errorf("base64 %v: batches of %v, want %v", b64, sizes, want)
		}
		if d, err := e.Dims(t.Context()); d != 4 || err != nil || len(sizes) != len(want) {
			t.Errorf("dims %d, %v, %d requests", d, err, len(sizes))
		}
		srv.Close()
		client.CloseIdleConnections()
	}
}

func TestProbe(t *testing.T) {
	e := newFake(t, Config{}, func(w http.ResponseWriter, r request, _ http.Header) { answer(w, r, 7, true) })
	if d, err := e.Dims(t.Context()); d != 7 || err != nil || e.Name() != "m" {
		t.Error(d, err, e.Name())
	}
	e = newFake(t, Config{Dims: 5}, func(w http.ResponseWriter, r request, _ http.Header) { answer(w, r, r.Dimensions, true) })
	if v, err := e.Embed(t.Context(), []string{"", "x"}); err != nil || len(v[0]) != 5 || len(v[1]) != 5 || e.Name() != "m/5" {
		t.Error(v, err, e.Name())
	}
}

// TestErrors: each is clear, and none holds the key or the address's password.
func TestErrors(t *testing.T) {
	raw := func(status int, body string) roundTrip {
		return func(w http.ResponseWriter, _ request, _ http.Header) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	vector := func(v string) roundTrip { return raw(200, `{"data":[{"index":0,"embedding":`+v+`}]}`) }
	inf := base64.StdEncoding.EncodeToString([]byte{0, 0, 0x80, 0x7f, 0, 0, 0xc0, 0x7f})
	for name, c := range map[string]struct {
		f    roundTrip
		want string
	}{
		"key":     {raw(401, `{"error":{"message":"Incorrect API key `+secret+`"}}`), "401 Unauthorized: Incorrect API key [key] (is the key right?)"},
		"model":   {raw(404, `{"error":{"message":"model not found"}}`), "404 Not Found: model not found (are base_url and model right?)"},
		"long":    {raw(400, `{"error":{"message":"`+strings.Repeat("é", 4000)+`"}}`), "…"},
		"text":    {raw(403, "no "+secret), "403 Forbidden: no [key]"},
		"html":    {raw(200, "<html>"), "the reply is not what an embeddings server sends"},
		"cut":     {raw(200, `{"data":[`), "unexpected EOF"},
		"few":     {raw(200, `{"data":[]}`), "0 vectors came back for 1 texts"},
		"index":   {raw(200, `{"data":[{"index":1,"embedding":"AAAAAA=="}]}`), "index 1 of a vector is out of range"},
		"empty":   {vector(`""`), "vector 0 is empty"},
		"base64":  {vector(`"???"`), "illegal base64"},
		"inf":     {vector(`"` + inf + `"`), "not finite"},
		"wrong":   {vector(`"AAAAAAAAAAAAAAAA"`), "vector 0 has 3 dimensions, not 2"},
		"garbage": {vector(`{"a":1}`), "the reply is not what an embeddings server sends"},
	} {
		e := newFake(t, Config{Dims: 2}, c.f)
		_, err := e.Embed(t.Context(), []string{"x"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
			continue
		}
		for _, bad := range []string{secret, "pass", "x=y"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("%s: %q in %v", name, bad, err)
			}
		}
		if len(err.Error()) > 600 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	for _, c := range []Config{{}, {BaseURL: "127.0.0.1:1", Model: "m"}, {BaseURL: "http://x"}, {BaseURL: "http://x", Model: "m", Dims: -1}} {
		if _, err := NewOpenAI(c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

// TestRetries runs on a fake clock.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		after    string
		ok       bool
		min, max time.Duration
	}{
		"seconds":    {[]int{429, 429}, "7", true, 14 * time.Second, 14 * time.Second},
		"backoff":    {[]int{500, 503, 408, 502}, "", true, 3750 * time.Millisecond, 12 * time.Second},
		"too often":  {[]int{500, 500, 500, 500, 500}, "", false, 3 * time.Second, 12 * time.Second},
		"too long":   {[]int{429}, "3600", false, 0, 0},
		"not found":  {[]int{404}, "1", false, 0, 0},
		"date":       {[]int{503}, "date", true, 4 * time.Second, 6 * time.Second},
		"nonsense":   {[]int{503}, "soon", true, 250 * time.Millisecond, 750 * time.Millisecond},
		"first time": {nil, "", true, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			e := newFake(t, Config{}, func(w http.ResponseWriter, r request, _ http.Header) {
				if n++; n > len(c.statuses) {
					answer(w, r, 3, true)
					return
				}
				after := c.after
				if after == "date" {
					after = time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat)
				}
				w.Header().Set("Retry-After", after)
				w.WriteHeader(c.statuses[n-1])
				fmt.Fprint(w, `{"error":{"message":"later"}}`)
			})
			start := time.Now()
			_, err := e.Embed(t.Context(), []string{"x"})
			if took := time.Since(start); (err == nil) != c.ok || took < c.min || took > c.max {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
}

// TestNoConnection: errors of the transport are tried again, and a context ends
// the wait.
func TestNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		e := newFake(t, Config{Retries: 2}, nil)
		e.config.Client.Transport = broken{&n}
		if _, err := e.Embed(t.Context(), []string{"x"}); err == nil || !strings.Contains(err.Error(), "no reply: broken pipe") || n.Load() != 3 {
			t.Errorf("%v after %d attempts", err, n.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := e.Embed(ctx, []string{"x"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

type broken struct{ n *atomic.Int32 }

func (b broken) RoundTrip(*http.Request) (*http.Response, error) {
	b.n.Add(1)
	return nil, errors.New("broken pipe")
}

// TestTimeout: an attempt that hangs is given up and made again.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFake(t, Config{Timeout: time.Second, Retries: 1}, nil)
		var n atomic.Int32
		e.config.Client.Transport = hanging{&n}
		start := time.Now()
		if _, err := e.Embed(t.Context(), []string{"x"}); err == nil || n.Load() != 2 || time.Since(start) > 4*time.Second {
			t.Errorf("%v after %v and %d attempts", err, time.Since(start), n.Load())
		}
	})
}

type hanging struct{ n *atomic.Int32 }

func (h hanging) RoundTrip(req *http.Request) (*http.Response, error) {
	h.n.Add(1)
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"5", "-1", "1e300", "NaN", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := retryAfter(s, time.Unix(0, 0)); ok && d < 0 {
			t.Fatal(d)
		}
	})
}
