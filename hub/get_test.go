package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

func TestGet(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("google/vit", vit())
	want := pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors")

	dir, err := options(h, cache).get(t.Context(), "google/vit")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(cache, "models--google--vit", "snapshots", commit); dir != want {
		t.Errorf("folder %s, expected %s", dir, want)
	}
	expectFiles(t, dir, want)
	requests := h.Requests()
	if n := count(requests, "GET", "/blobs/"); n != 1 {
		t.Errorf("%d large files fetched, expected only the weights: %+v", n, requests)
	}

	// The layout is Python's: blobs by hash, a ref without a line end, relative links, locks apart.
	root := filepath.Join(cache, "models--google--vit")
	if ref, err := os.ReadFile(filepath.Join(root, "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main holds %q, %v; expected %s", ref, err, commit)
	}
	hash := hubtest.Hash("model.safetensors", vit()["model.safetensors"])
	if runtime.GOOS != "windows" {
		if link, err := os.Readlink(filepath.Join(dir, "model.safetensors")); err != nil || link != "../../blobs/"+hash {
			t.Errorf("the link leads to %q, %v", link, err)
		}
	}
	blobs, err := os.ReadDir(filepath.Join(root, "blobs"))
	if err != nil || len(blobs) != 3 {
		t.Errorf("blobs: %v, %v; expected 3", blobs, err)
	}
	for _, at := range []string{
		filepath.Join(cache, ".locks", "models--google--vit", hash+".lock"),
		filepath.Join(root, ".no_exist", commit, "tokenizer.json"),
		filepath.Join(cache, "CACHEDIR.TAG"),
	} {
		if !holds(at, -1) {
			t.Errorf("%s is missing", at)
		}
	}

	// A second call only asks for the commit of main. A call for the commit asks nothing.
	if again, err := options(h, cache).get(t.Context(), "google/vit"); err != nil || again != dir {
		t.Errorf("second call: %s, %v", again, err)
	}
	if r := h.Requests(); len(r) != 1 {
		t.Errorf("second call made %d requests, expected 1: %+v", len(r), r)
	}
	if again, err := options(h, cache).get(t.Context(), "google/vit@"+commit); err != nil || again != dir {
		t.Errorf("call for the commit: %s, %v", again, err)
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("the call for the commit made requests: %+v", r)
	}
}

// TestNewCommit fetches the changed files after a push.
func TestNewCommit(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	files := vit()
	h.Add("a/b", files)
	old, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	files["config.json"] = []byte(`{"model_type": "vit", "new": true}`)
	commit := h.Add("a/b", files)
	h.Requests()
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil || filepath.Base(dir) != commit {
		t.Fatalf("%s, %v; expected commit %s", dir, err, commit)
	}
	expectFiles(t, dir, pick(files, "config.json", "preprocessor_config.json", "model.safetensors"))
	expectFiles(t, old, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
	r := h.Requests()
	if count(r, "GET", "/blobs/") != 0 || count(r, "GET", "/resolve/") != 1 || count(r, "HEAD", "") != 1 {
		t.Errorf("expected config.json alone to be fetched: %+v", r)
	}
}

// TestParallel counts the files that are fetched at once.
func TestParallel(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	files := map[string][]byte{}
	for i := range 6 {
		files[fmt.Sprintf("part%d.bin", i)] = []byte(fmt.Sprint("weights", i))
	}
	h.Add("a/parts", files)
	for n := 1; n <= 3; n++ {
		var mu sync.Mutex
		now, most := 0, 0
		all := make(chan struct{}) // closed when n files are under way
		full := sync.OnceFunc(func() { close(all) })
		h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/blobs/") {
				return false
			}
			mu.Lock()
			now++
			if most = max(most, now); most == n {
				full()
			}
			mu.Unlock()
			select {
			case <-all:
			case <-time.After(5 * time.Second):
			}
			time.Sleep(10 * time.Millisecond) // for one more, which should not come
			mu.Lock()
			now--
			mu.Unlock()
			return false
		})
		if _, err := options(h, t.TempDir(), matching("*.bin"), parallel(n)).get(t.Context(), "a/parts"); err != nil {
			t.Fatal(err)
		}
		if most != n {
			t.Errorf("Parallel(%d): %d files at once", n, most)
		}
	}
}

// TestOffline uses the cache when asked to, when the hub is unreachable, and when it refuses.
func TestOffline(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", vit())
	_, err := options(h, cache, offline).get(t.Context(), "a/b")
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("an empty cache: %v", err)
	}
	if r := h.Requests(); len(r) != 0 {
		t.Fatalf("offline made requests: %+v", r)
	}
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	h.Requests()
	for _, name := range []string{"a/b", "a/b@" + commit} {
		if got, err := options(h, cache, offline).get(t.Context(), name); err != nil || got != dir {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"a/b@other", "a/b@" + strings.Repeat("0", 40), "a/c"} {
		if _, err := options(h, cache, offline).get(t.Context(), name); !errors.Is(err, ErrOffline) {
			t.Errorf("%s: expected ErrOffline, found %v", name, err)
		}
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("offline made requests: %+v", r)
	}
	for _, status := range []int{401, 403, 429, 500, 503} {
		h.Intercept(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(status); return true })
		if got, err := options(h, cache).get(t.Context(), "a/b"); err != nil || got != dir {
			t.Errorf("status %d: %s, %v", status, got, err)
		}
	}
	h.Intercept(nil)
	if _, err := options(h, cache).get(t.Context(), "a/b@gone"); !errors.Is(err, ErrNoRevision) {
		t.Errorf("expected ErrNoRevision, found %v", err)
	}
	h.Close()
	if got, err := options(h, cache).get(t.Context(), "a/b"); err != nil || got != dir {
		t.Errorf("without a hub: %s, %v", got, err)
	}
	if _, err := options(h, cache).get(t.Context(), "a/c"); err == nil || !strings.Contains(err.Error(), "gave up after 5 attempts") {
		t.Errorf("without a hub and without a copy: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := options(h, cache, offline).get(t.Context(), "a/b"); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("without weights: %v", err)
	}
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	files := vit()
	files["config.json"] = []byte("{}")
	commit := h.AddAs("a/b", "refs/pr/1", files)
	dir, err := options(h, cache).get(t.Context(), "a/b@refs/pr/1")
	if err != nil || filepath.Base(dir) != commit {
		t.Fatalf("%s, %v", dir, err)
	}
	ref := filepath.Join(cache, "models--a--b", "refs", "refs", "pr", "1")
	if data, err := os.ReadFile(ref); err != nil || string(data) != commit {
		t.Errorf("%s holds %q, %v", ref, data, err)
	}
	if dir, err = options(h, t.TempDir()).get(t.Context(), "a/b@"+commit); err != nil || filepath.Base(dir) != commit {
		t.Errorf("by the commit: %s, %v", dir, err)
	}
}

// TestRenamed follows the redirects of a renamed model. The cache keeps the old name, as Python's does.
func TestRenamed(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("new/name", vit())
	h.Move("old/name", "new/name")
	h.Gate("new/name", "hf_secret")
	dir, err := options(h, cache, token("hf_secret")).get(t.Context(), "old/name")
	if err != nil || !strings.Contains(dir, "models--old--name") {
		t.Fatalf("%s, %v", dir, err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
}

// TestWithoutLinks makes the snapshot of hard links or copies where there are no symbolic links.
func TestWithoutLinks(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.Add("a/b", vit())
	none := func(string, string) error { return errors.ErrUnsupported }
	for name, o := range map[string]change{
		"HF_HUB_DISABLE_SYMLINKS": func(s *setup) { s.copies = true },
		"no symbolic links":       func(s *setup) { s.symlink = none },
		"no links at all":         func(s *setup) { s.symlink, s.link = none, none },
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			dir, err := options(h, cache, o).get(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
			if info, err := os.Lstat(filepath.Join(dir, "model.safetensors")); err != nil || !info.Mode().IsRegular() {
				t.Errorf("expected a plain file, found %v, %v", info.Mode(), err)
			}
			h.Requests()
			if _, err := options(h, cache, o).get(t.Context(), "a/b"); err != nil || len(h.Requests()) != 1 {
				t.Errorf("second call: %v, or files fetched again", err)
			}
		})
	}
}

// TestReadOnly uses a cache that it cannot write to.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("needs a user whom permissions hold back")
	}
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	filepath.WalkDir(cache, func(at string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			os.Chmod(at, 0o555)
			t.Cleanup(func() { os.Chmod(at, 0o755) })
		}
		return err
	})
	if got, err := options(h, cache).get(t.Context(), "a/b"); err != nil || got != dir {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOpen(t *testing.T) {
	h, cache := newHub(t), t.TempDir()
	h.Add("owner/name", vit())
	t.Chdir(t.TempDir())
	o := options(h, cache).GetOptions
	dir, err := Open(t.Context(), "owner/name", o)
	if err != nil || !strings.HasPrefix(dir, cache) {
		t.Errorf("a model on the hub: %s, %v", dir, err)
	}
	if err := os.MkdirAll("owner/name", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("file", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	h.Requests()
	if dir, err := Open(t.Context(), "owner/name", o); err != nil || dir != "owner/name" {
		t.Errorf("a folder of that name: %s, %v", dir, err)
	}
	for model, want := range map[string]string{
		"":                "no model given",
		"file":            "is a file",
		"./owner/other":   "there is no folder",
		"/nowhere/at/all": "there is no folder",
		"../x/y":          "there is no folder",
		"~/models/vit":    "there is no folder",
		`models\vit`:      "there is no folder",
		"owner/name-2/":   "there is no folder",
		"gpt2":            "gpt2@main",
		"a/b/c":           "not a valid name of a model",
		"owner/na me":     "not a valid name of a model",
		"owner/name@a..b": "not a valid name of a model",
	} {
		if dir, err := Open(t.Context(), model, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; expected an error with %q", model, dir, err, want)
		}
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("the hub was asked for an invalid name of a model: %+v", r)
	}
	if _, err := Open(t.Context(), "owner/none", o); !errors.Is(err, ErrNoModel) || !strings.HasPrefix(err.Error(), "hub: there is no folder owner/none: ") {
		t.Errorf("neither: %v", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	ctx, cancel := context.WithCancel(t.Context())
	h.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/blobs/") && r.Method == "GET" {
			w.Header().Set("Content-Length", "300000")
			w.Write(vit()["model.safetensors"][:1000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	})
	arrived := onProgress(func(p Progress) {
		if p.File == "model.safetensors" && p.Bytes == 1000 {
			cancel()
		}
	})
	if _, err := options(h, cache, arrived).get(ctx, "a/b"); !errors.Is(err, context.Canceled) {
		t.Errorf("expected context.Canceled, found %v", err)
	}
	if holds(filepath.Join(cache, "models--a--b", "refs", "main"), -1) {
		t.Error("the ref of an unfinished snapshot was written")
	}
	h.Intercept(nil)
	h.Requests()
	if _, err := options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	if r := h.Requests(); !slices.ContainsFunc(r, func(r hubtest.Request) bool { return r.CDN && strings.HasPrefix(r.Range, "bytes=") }) {
		t.Errorf("what had arrived was fetched again: %+v", r)
	}
}

// BenchmarkGet fetches 64 MB from this machine, which are written, read back, hashed and synced.
func BenchmarkGet(b *testing.B) {
	h := hubtest.New()
	defer h.Close()
	data := content(64<<20, 1)
	h.Add("a/b", map[string][]byte{"model.safetensors": data})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := options(h, b.TempDir()).get(b.Context(), "a/b"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHostileSizes reads sizes that Get did not write.
func TestHostileSizes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[]", `{"model.safetensors": -1}`, `{"config.json": 1e99}`, `{"config.json": "x"}`, strings.Repeat("[", 1<<20)} {
		h, cache := newHub(t), t.TempDir()
		commit := h.Add("a/b", vit())
		dir, err := options(h, cache).get(t.Context(), "a/b")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cache, "models--a--b", ".sizes", commit), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if got, err := options(h, cache).get(t.Context(), "a/b@"+commit); err != nil || got != dir {
			t.Errorf("%.20q: %s, %v", text, got, err)
		}
	}
}

// TestWebPage expects an error that names the likely cause when a proxy or a login answers instead of the hub.
func TestWebPage(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter) bool {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html><title>Sign in</title>")
		return true
	}
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"list": func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/api/") && page(w)
		},
		"list without a type": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, "\n <html>")
				return true
			}
			return false
		},
		"description": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodHead && page(w)
		},
		"file": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/resolve/") && page(w)
		},
		"login": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/login" {
				return page(w)
			}
			http.Redirect(w, r, "/login", http.StatusFound)
			return true
		},
	} {
		h, cache := newHub(t), t.TempDir()
		h.Add("a/b", vit())
		h.Intercept(f)
		_, err := options(h, cache).get(t.Context(), "a/b")
		if err == nil || !strings.Contains(err.Error(), "found a web page of 127.0.0.1") || !strings.Contains(err.Error(), "proxy") || strings.Contains(err.Error(), "'<'") {
			t.Errorf("%s: %v", name, err)
		}
		h.Intercept(nil)
		if _, err := options(h, cache).get(t.Context(), "a/b"); err != nil {
			t.Errorf("%s: afterwards %v", name, err)
		}
	}
}
