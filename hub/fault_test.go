package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

var (
	weights       = vit()["model.safetensors"]
	hashOfWeights = hubtest.Hash("model.safetensors", weights)
)

// An answer of a test to the n-th request for the weights at the host of large files; false lets the host answer.
type fault func(n int, w http.ResponseWriter, r *http.Request) bool

func faulty(h *hubtest.Hub, f fault) {
	var n atomic.Int32
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/blobs/") && r.Method == "GET" && f(int(n.Add(1)), w, r)
	})
}

// drop sends some of the announced bytes and ends the connection.
func drop(w http.ResponseWriter, data []byte, n int) bool {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// expectClean expects that a failed call left only whole blobs, no snapshot and no ref. It may have left so many partial
// downloads of the weights for the next call.
func expectClean(t *testing.T, cache string, parts int) {
	t.Helper()
	blobs, _ := os.ReadDir(filepath.Join(cache, "models--a--b", "blobs"))
	found := 0
	for _, b := range blobs {
		if hash, _, part := strings.Cut(b.Name(), "."); part && strings.HasSuffix(b.Name(), suffix) {
			if len(hash) == 64 {
				found++
			}
			continue
		}
		data, err := os.ReadFile(filepath.Join(cache, "models--a--b", "blobs", b.Name()))
		if err != nil || hubtest.Hash("small", data) != b.Name() && hubtest.Hash("large.bin", data) != b.Name() {
			t.Errorf("blob %s holds something else (%d bytes, %v)", b.Name(), len(data), err)
		}
	}
	if found != parts {
		t.Errorf("%d unfinished files, expected %d", found, parts)
	}
	for _, folder := range []string{"snapshots", "refs"} {
		if entries, _ := os.ReadDir(filepath.Join(cache, "models--a--b", folder)); len(entries) > 0 {
			t.Errorf("a call that failed left %v in %s", entries, folder)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	wrong := bytes.Clone(weights)
	wrong[len(wrong)/2] ^= 1
	for _, c := range []struct {
		name  string
		fault fault
		err   error  // nil: the call succeeds all the same
		text  string // of the error
		parts int    // unfinished files that may stay for the next attempt
		gets  int    // requests for the weights
	}{
		{name: "dropped four times", gets: 5, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n < 5 && dropRange(w, r, 50_000)
		}},
		{name: "dropped before anything, for good", gets: 5, text: "gave up after 5 attempts", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return drop(w, weights, 0)
		}},
		{name: "dropped after each 20000 bytes", gets: 15, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n < 15 && dropRange(w, r, 20_000)
		}},
		{name: "no ranges", gets: 3, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n < 3 {
				return drop(w, weights, 100_000)
			}
			w.Write(weights)
			return true
		}},
		{name: "no ranges, dropped at the same place for good", gets: 5, parts: 1, text: "gave up after 5", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return drop(w, weights, 100_000)
		}},
		{name: "wrong range", gets: 6, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			switch n {
			case 1, 3, 5:
				return drop(w, weights, 1000*n)
			case 2:
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(weights)-1, len(weights)))
			case 4:
				w.Header().Set("Content-Range", "nonsense")
			default:
				return false
			}
			w.WriteHeader(http.StatusPartialContent)
			w.Write(weights)
			return true
		}},
		{name: "refused range", gets: 3, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				return drop(w, weights, 1000)
			}
			if n == 2 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return n == 2
		}},
		{name: "one bit wrong once", gets: 2, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				w.Write(wrong)
			}
			return n == 1
		}},
		{name: "one bit wrong in the first half of two", gets: 3, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n == 1 && drop(w, wrong, len(wrong)/2+100)
		}},
		{name: "one bit wrong for good", gets: 2, err: ErrCorrupt, text: "expected hash", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Write(wrong)
			return true
		}},
		{name: "too short", gets: 1, err: ErrCorrupt, text: "expected 300000 bytes, the server has 299999", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Length", "299999")
			w.Write(weights[:299_999])
			return true
		}},
		{name: "too long", gets: 1, err: ErrCorrupt, text: "the server has 300001", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Length", "300001")
			w.Write(append(bytes.Clone(weights), 0))
			return true
		}},
		{name: "endless", gets: 2, err: ErrCorrupt, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			for {
				if _, err := w.Write(make([]byte, 100_000)); err != nil {
					return true
				}
			}
		}},
		{name: "packed", gets: 1, err: ErrCorrupt, text: "gzip", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(weights)
			return true
		}},
		{name: "expired link", gets: 3, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n < 3 {
				w.WriteHeader(http.StatusForbidden)
			}
			return n < 3
		}},
		{name: "busy", gets: 5, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n < 5 {
				w.WriteHeader([]int{500, 502, 503, 504}[n-1])
			}
			return n < 5
		}},
		{name: "busy for good", gets: 5, text: "gave up after 5 attempts: status 503", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}},
		{name: "busy for hours", gets: 1, text: "wait for 2h0m0s", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}},
		{name: "silent", gets: 2, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				w.Header().Set("Content-Length", "300000")
				w.Write(weights[:1000])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}
			return n == 1
		}},
		{name: "silent from the start", gets: 2, fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				<-r.Context().Done()
			}
			return n == 1
		}},
		{name: "redirects in a circle", gets: 10, text: "redirects more than 10 times", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
			return true
		}},
		{name: "redirects to a file", gets: 1, text: "invalid address", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
			return true
		}},
		{name: "nothing like HTTP", gets: 5, text: "malformed HTTP", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Write([]byte("SSH-2.0-OpenSSH\r\n\r\n"))
			conn.Close()
			return true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, cache := newHub(t), t.TempDir()
			h.Add("a/b", vit())
			faulty(h, c.fault)
			impatient := func(s *setup) { s.stall = 300 * time.Millisecond }
			dir, err := options(h, cache, impatient).get(t.Context(), "a/b")
			if n := count(h.Requests(), "GET", "/blobs/"); n != c.gets {
				t.Errorf("%d requests for the weights, expected %d", n, c.gets)
			}
			if c.err == nil && c.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
				return
			}
			if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "a/b: model.safetensors: ") {
				t.Fatalf("expected %v with %q about model.safetensors, found %v", c.err, c.text, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error gives the signature of the link away: %v", err)
			}
			expectClean(t, cache, c.parts)
			h.Intercept(nil)
			if dir, err = options(h, cache).get(t.Context(), "a/b"); err != nil {
				t.Fatal(err)
			}
			expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
		})
	}
}

// dropRange answers with n of the requested bytes.
func dropRange(w http.ResponseWriter, r *http.Request, n int) bool {
	start, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	w.Header().Set("Content-Length", strconv.Itoa(len(weights)-start))
	if start > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(weights)-1, len(weights)))
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(weights[start : start+n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// TestRetryAfter waits as long as the server asks, in each syntax for it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 3 ": 3 * time.Second, "-3": 0, "soon": 0, "99999999999999999999": 0,
		"Wed, 01 May 2024 12:01:00 GMT": time.Minute, "Wed, 01 May 2024 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, expected %v", value, got, want)
		}
	}
	limit := http.Header{"Ratelimit": {`"api";r=0;t=55`}}
	if got := retryAfter(limit, now); got != 56*time.Second {
		t.Errorf("%v: %v", limit, got)
	}
	limit = http.Header{"Ratelimit": {`"api";r=10;t=55`}}
	if got := retryAfter(limit, now); got != 0 {
		t.Errorf("%v: %v", limit, got)
	}

	h := newHub(t)
	h.Add("a/b", vit())
	var n atomic.Int32
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if n.Add(1) > 1 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	begin := time.Now()
	if _, err := options(h, t.TempDir()).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(begin); waited < time.Second || waited > 30*time.Second {
		t.Errorf("waited %v, asked for 1s", waited)
	}
}

// TestRefusals expects an error of its own, with advice, for each reason of the hub.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.Add("a/gated", vit())
	h.Gate("a/gated", "hf_good")
	h.Add("a/b", vit())
	answer := func(status int, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Message", message)
			w.WriteHeader(status)
			return true
		}
	}
	for _, c := range []struct {
		name, token string
		intercept   func(http.ResponseWriter, *http.Request) bool
		err         error
		text        string
	}{
		{"a/none", "", nil, ErrNoModel, "if the model is private, set HF_TOKEN"},
		{"a/none", "hf_good", nil, ErrNoModel, "that the token may read it"},
		{"a/b@none", "", nil, ErrNoRevision, "after the @"},
		{"a/gated", "", nil, ErrGated, "set HF_TOKEN"},
		{"a/gated", "hf_bad", nil, ErrGated, "with the account of this token"},
		{"a/gated", "hf_good", nil, nil, ""},
		{"a/b", "hf_bad", answer(401, "Invalid credentials in Authorization header"), ErrToken, "wrong or has expired"},
		{"a/b", "", answer(401, ""), ErrNoModel, "HF_TOKEN"},
		{"a/b", "hf_bad", answer(403, "no right"), ErrToken, `"no right"`},
		{"a/b", "", answer(403, "Request blocked"), nil, `"Request blocked": the hub, or a proxy on the way to it, refuses this request`},
		{"a/b", "", answer(404, ""), ErrNoModel, "status 404"},
		{"a/b", "", answer(418, strings.Repeat("long ", 1000)), nil, "status 418"},
	} {
		h.Intercept(c.intercept)
		_, err := options(h, t.TempDir(), token(c.token)).get(t.Context(), c.name)
		if c.err == nil && c.text == "" {
			if err != nil {
				t.Errorf("%s with token %q: %v", c.name, c.token, err)
			}
			continue
		}
		if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "hub: "+c.name+": ") {
			t.Errorf("%s with token %q: expected %v with %q, found %v", c.name, c.token, c.err, c.text, err)
		}
		if c.token == "" && errors.Is(err, ErrToken) {
			t.Errorf("without a token: %v", err)
		}
		if err != nil && (len(err.Error()) > 600 || c.token != "" && strings.Contains(err.Error(), c.token)) {
			t.Errorf("the error is too long or holds the token: %v", err)
		}
	}
}

// TestToken expects that only the hub sees the token, even when other hosts lead back to the hub.
func TestToken(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.Add("a/b", vit())
	_, err := options(h, t.TempDir(), token(" hf_secret\n")).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, r := range h.Requests() {
		if want := map[bool]string{false: "Bearer hf_secret", true: ""}[r.CDN]; r.Token != want {
			t.Errorf("%+v: expected token %q", r, want)
		}
		if r.CDN {
			seen++
		}
	}
	if seen == 0 {
		t.Error("no request went to another host")
	}

	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, h.URL+"/back", http.StatusFound)
		case r.URL.Path == "/back":
			w.Write(weights)
		default:
			return false
		}
		return true
	})
	if _, err := options(h, t.TempDir(), token("hf_secret")).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Requests() {
		if r.Path == "/back" && r.Token != "" {
			t.Error("the token was shown after a redirect from another host")
		}
	}
	for _, bad := range []string{"two words", "line\nbreak", "ümlaut"} {
		if _, err := options(h, t.TempDir(), token(bad)).get(t.Context(), "a/b"); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
	h.Requests()
}

// TestDowngrade refuses a redirect from an encrypted connection to a plain one.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.RedirectHandler("http://example.org/", http.StatusFound))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	o, err := newSetup(in(t.TempDir()), from(s.URL), token("hf_secret"), fast).settings()
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(o)
	c.http.Transport = s.Client().Transport
	if _, err := c.list(t.Context(), model{"a/b", "main"}); err == nil || !strings.Contains(err.Error(), "without encryption") {
		t.Errorf("expected an error, found %v", err)
	}
	stranger := newClient(o)
	if _, err := stranger.list(t.Context(), model{"a/b", "main"}); err == nil || errors.As(err, new(*transient)) {
		t.Errorf("a certificate that nobody knows: expected an error that is not tried again, found %v", err)
	}
}

// TestChanged fetches the current content when the hub changes a file between two attempts.
func TestChanged(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	other := content(200_000, 99)
	hash := hubtest.Hash("model.safetensors", other)
	var phase atomic.Int32
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"): // a hub that lists names alone
			commit := strings.Repeat("a", 40)
			fmt.Fprintf(w, `{"sha": %q, "siblings": [{"rfilename": "model.safetensors"}]}`, commit)
		case strings.Contains(r.URL.Path, "/resolve/"):
			data, hash := weights, hubtest.Hash("model.safetensors", weights)
			if phase.Load() > 0 {
				data, hash = other, hubtest.Hash("model.safetensors", other)
			}
			w.Header().Set("X-Repo-Commit", strings.Repeat("a", 40))
			w.Header().Set("X-Linked-Etag", `W/"`+hash+`"`)
			w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
			http.Redirect(w, r, h.CDN+"/blobs/"+hash+"?signature=secret", http.StatusFound)
		case phase.Add(1) == 1:
			return drop(w, weights, 1000)
		default:
			w.Write(other)
		}
		return true
	})
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, map[string][]byte{"model.safetensors": other})
	blobs, _ := os.ReadDir(filepath.Join(cache, "models--a--b", "blobs"))
	if len(blobs) != 1 || blobs[0].Name() != hash {
		t.Errorf("blobs: %v", blobs)
	}
}

// TestSmallResume continues a small file, which comes from the hub itself, only while its ETag is the same.
func TestSmallResume(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	files := map[string][]byte{"config.json": content(50_000, 1), "model.safetensors": weights}
	h.Add("a/b", files)
	var n atomic.Int32
	var condition atomic.Value
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "GET" || !strings.HasSuffix(r.URL.Path, "config.json") {
			return false
		}
		if n.Add(1) == 1 {
			return drop(w, files["config.json"], 20_000)
		}
		condition.Store(r.Header.Get("If-Range") + " " + r.Header.Get("Range"))
		return false
	})
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, files)
	if want := strconv.Quote(hubtest.Hash("config.json", files["config.json"])) + " bytes=20000-"; condition.Load() != want {
		t.Errorf("asked with %q, expected %q", condition.Load(), want)
	}
}

// TestLies is about a hub whose answers contradict each other.
func TestLies(t *testing.T) {
	t.Parallel()
	commit, hash := strings.Repeat("a", 40), strings.Repeat("b", 64)
	list := func(siblings string) string { return fmt.Sprintf(`{"sha": %q, "siblings": [%s]}`, commit, siblings) }
	const file = `{"rfilename": "model.safetensors", "size": 10}`
	for _, c := range []struct {
		name, list string
		head       http.Header
		text       string
	}{
		{"no list", "<html>", nil, "list of files"},
		{"no commit", `{"sha": "main", "siblings": []}`, nil, "sha: expected a commit"},
		{"negative size", list(`{"rfilename": "model.safetensors", "size": -1}`), nil, "bytes, found -1"},
		{"huge size", list(`{"rfilename": "model.safetensors", "size": 9000000000000000000}`), nil, "bytes"},
		{"deep", strings.Repeat("[", 100_000), nil, "list of files"},
		{"endless", strings.Repeat(" ", maxListing+10), nil, "more than"},
		{"no files", list(""), nil, "expected weights"},
		{"names that leave", `{"sha": "` + commit + `", "siblings": [{"rfilename": "../model.safetensors"}, {"rfilename": "/model.safetensors"}]}`, nil, "expected weights"},
		{"no hub", list(file), http.Header{"Etag": {hash}}, "no X-Repo-Commit"},
		{"other commit", list(file), http.Header{"X-Repo-Commit": {strings.Repeat("c", 40)}}, "expected commit"},
		{"no hash", list(file), http.Header{"X-Repo-Commit": {commit}, "Etag": {`"5f-3"`}}, "no hash"},
		{"hash that leaves", list(file), http.Header{"X-Repo-Commit": {commit}, "Etag": {`"../../../../x"`}}, "no hash"},
		{"other size", list(file), http.Header{"X-Repo-Commit": {commit}, "X-Linked-Etag": {hash}, "X-Linked-Size": {"11"}}, "lists 10 bytes and serves 11"},
		{"no size", list(`{"rfilename": "model.safetensors"}`), http.Header{"X-Repo-Commit": {commit}, "X-Linked-Etag": {hash}, "X-Linked-Size": {"-5"}}, "-5"},
		{"other hash", list(`{"rfilename": "model.safetensors", "size": 10, "lfs": {"sha256": "` + strings.Repeat("c", 64) + `", "size": 10}}`),
			http.Header{"X-Repo-Commit": {commit}, "X-Linked-Etag": {hash}, "X-Linked-Size": {"10"}}, "lists hash"},
		{"large configuration", `{"sha": "` + commit + `", "siblings": [{"rfilename": "config.json", "size": 300000000}, {"rfilename": "model.safetensors", "size": 300000000}]}`,
			http.Header{"X-Repo-Commit": {commit}, "X-Linked-Etag": {hash}, "X-Linked-Size": {"300000000"}}, "such a file, found 300000000"},
		{"too large for any disk", list(`{"rfilename": "model.safetensors", "size": 1099511627776}`),
			http.Header{"X-Repo-Commit": {commit}, "X-Linked-Etag": {hash}, "X-Linked-Size": {"1099511627776"}}, "not enough space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, cache := newHub(t), t.TempDir()
			h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/api/") {
					w.Write([]byte(c.list))
					return true
				}
				for k, v := range c.head {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Length", "10")
				return true
			})
			small := func(s *setup) { s.free = func(string) (int64, error) { return 1 << 30, nil } }
			_, err := options(h, cache, small).get(t.Context(), "a/b")
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("expected an error with %q, found %v", c.text, err)
			}
			expectClean(t, cache, 0)
		})
	}
}

// TestHostileIndex refuses shards outside the folder, and shards that are not weights.
func TestHostileIndex(t *testing.T) {
	t.Parallel()
	for index, text := range map[string]string{
		`{"weight_map": {"a": "../../../x.safetensors"}}`:   "stays inside",
		`{"weight_map": {"a": "/etc/passwd"}}`:              "stays inside",
		`{"weight_map": {"a": "C:\\x.safetensors"}}`:        "character",
		`{"weight_map": {"a": "README.md"}}`:                "expected names of weight files",
		`{"weight_map": {"a": "missing.safetensors"}}`:      "does not have",
		`{"weight_map": {}}`:                                "weight files, found 0",
		`{"weight_map": "` + strings.Repeat("x", 1e5) + `"`: "model.safetensors.index.json",
		`[]`: "model.safetensors.index.json",
	} {
		h, cache := newHub(t), t.TempDir()
		h.Add("a/b", map[string][]byte{"model.safetensors.index.json": []byte(index), "README.md": []byte("x")})
		if _, err := options(h, cache).get(t.Context(), "a/b"); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%.60s: expected an error with %q, found %v", index, text, err)
		}
		expectClean(t, cache, 0)
	}
}
