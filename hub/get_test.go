package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

// content makes n bytes that differ for each seed.
func content(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// vit is a typical model of the hub: the same weights in several forms, and other files.
func vit() map[string][]byte {
	return map[string][]byte{
		".gitattributes":           []byte("*.safetensors filter=lfs\n"),
		"README.md":                []byte("# A model"),
		"config.json":              []byte(`{"model_type": "vit"}`),
		"preprocessor_config.json": []byte(`{"size": 224}`),
		"model.safetensors":        content(300_000, 1),
		"pytorch_model.bin":        content(300_100, 2),
		"tf_model.h5":              content(300, 3),
		"flax_model.msgpack":       content(300, 4),
		"onnx/model.onnx":          content(300, 5),
		"../../escape":             []byte("a name that is not asked for does no harm"),
	}
}

// fast shortens waits to milliseconds.
func fast(s *setup) {
	s.stall, s.pause, s.patient = 2*time.Second, time.Millisecond, 2*time.Second
}

func newHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := hubtest.New()
	t.Cleanup(h.Close)
	return h
}

// A setup holds the arguments of get. A change modifies it.
type (
	setup struct {
		GetOptions
		tuning
	}
	change func(*setup)
)

func newSetup(changes ...change) *setup {
	s := &setup{tuning: usual}
	for _, c := range changes {
		c(s)
	}
	return s
}

func (s *setup) get(ctx context.Context, name string) (string, error) {
	return get(ctx, name, s.GetOptions, s.tuning)
}

func (s *setup) settings() (*settings, error) { return newSettings(s.GetOptions, s.tuning) }

// options returns the setup of a test: its own hub and cache, and nothing of the user's environment.
func options(h *hubtest.Hub, cache string, more ...change) *setup {
	return newSetup(append([]change{in(cache), from(h.URL), token(""), fast}, more...)...)
}

func in(cache string) change             { return func(s *setup) { s.Cache = cache } }
func from(endpoint string) change        { return func(s *setup) { s.Endpoint = endpoint } }
func token(token string) change          { return func(s *setup) { s.Token, s.Anonymous = token, token == "" } }
func matching(patterns ...string) change { return func(s *setup) { s.Files = patterns } }
func offline(s *setup)                   { s.Offline = true }
func parallel(n int) change              { return func(s *setup) { s.Parallel = n } }

func onProgress(f func(Progress)) change { return func(s *setup) { s.OnProgress = f } }

// expectFiles expects that a snapshot holds exactly these files.
func expectFiles(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, at)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("files of the snapshot (-want +got):\n%s", diff)
	}
	for n, data := range want {
		if got, err := fs.ReadFile(os.DirFS(dir), n); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes read, %v; expected the %d of the hub", n, len(got), err, len(data))
		}
	}
}

func pick(files map[string][]byte, names ...string) map[string][]byte {
	some := map[string][]byte{}
	for _, n := range names {
		some[n] = files[n]
	}
	return some
}

// count counts the requests of a method whose path contains part.
func count(requests []hubtest.Request, method, part string) (n int) {
	for _, r := range requests {
		if r.Method == method && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

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

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name, there, patterns, want, err string
	}{
		{"safetensors first", "config.json model.safetensors model.safetensors.index.json pytorch_model.bin", "", "config.json | | model.safetensors", ""},
		{"index", "model.safetensors.index.json pytorch_model.bin tokenizer.json", "", "tokenizer.json | model.safetensors.index.json |", ""},
		{"bin", "pytorch_model.bin pytorch_model.bin.index.json vocab.txt tf_model.h5", "", "vocab.txt | | pytorch_model.bin", ""},
		{"bin index", "pytorch_model.bin.index.json", "", "| pytorch_model.bin.index.json |", ""},
		{"sentence-transformers", "modules.json config.json model.safetensors pytorch_model.bin 1_Pooling/config.json 2_Dense/config.json 2_Dense/model.safetensors 2_Dense/pytorch_model.bin onnx/config.json", "",
			"config.json modules.json 1_Pooling/config.json 2_Dense/config.json | | model.safetensors 2_Dense/model.safetensors", ""},
		{"modules below", "modules.json 0_Transformer/config.json 0_Transformer/vocab.txt 0_Transformer/pytorch_model.bin", "",
			"modules.json 0_Transformer/config.json 0_Transformer/vocab.txt | | 0_Transformer/pytorch_model.bin", ""},
		{"not sentence-transformers", "model.safetensors 1_x/config.json", "", "| | model.safetensors", ""},
		{"none", "config.json tf_model.h5 README.md", "", "", `but "tf_model.h5"`},
		{"empty", "", "", "", "expected weights"},
		{"patterns", "config.json mae.pth other.pth a/b.pth", "*.pth config.json", "config.json | | mae.pth other.pth", ""},
		{"pattern without a match", "config.json", "*.pth", "", `nothing matches "*.pth"`},
		{"bad name", "../x.pth", "../*.pth", "", "stays inside"},
		{"device", "con.pth", "*.pth", "", "device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(strings.Fields(c.there), strings.Fields(c.patterns))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("expected an error with %q, found %v", c.err, err)
				}
				return
			}
			text := strings.Join(got.small, " ") + " | " + strings.Join(got.indexes, " ") + " | " + strings.Join(got.weights, " ")
			if err != nil || strings.Join(strings.Fields(text), " ") != c.want {
				t.Errorf("chose %q, %v; expected %q", text, err, c.want)
			}
		})
	}
}

func sharded() map[string][]byte {
	return map[string][]byte{
		"config.json":                      []byte("{}"),
		"tokenizer.json":                   []byte("{}"), // the same content under another name
		"model.safetensors.index.json":     []byte(`{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}`),
		"model-00001-of-00002.safetensors": content(50_000, 6),
		"model-00002-of-00002.safetensors": content(60_000, 7),
		"consolidated.safetensors":         content(1000, 8),
	}
}

func TestShards(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", sharded())
	var last Progress
	dir, err := options(h, cache, onProgress(func(p Progress) { last = p })).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	want := sharded()
	delete(want, "consolidated.safetensors")
	expectFiles(t, dir, want)
	if last.Done != last.Total || last.Total < 110_000 {
		t.Errorf("progress ended at %d of %d bytes", last.Done, last.Total)
	}
	if count(h.Requests(), "GET", "/resolve/") != 4 {
		t.Error("expected one request a content")
	}

	// A snapshot without one of its shards is incomplete.
	if _, err := options(h, cache, offline).get(t.Context(), "a/b"); err != nil {
		t.Errorf("offline: %v", err)
	}
	os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors"))
	_, err = options(h, cache, offline).get(t.Context(), "a/b")
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "model-00002-of-00002") {
		t.Errorf("offline without a shard: %v", err)
	}
	if _, err := options(h, cache).get(t.Context(), "a/b@"+filepath.Base(dir)); err != nil {
		t.Error(err)
	}
	expectFiles(t, dir, want)
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	files := map[string][]byte{"mae_pretrain_vit_base.pth": content(1000, 1), "README.md": []byte("x"), "config.json": []byte("{}")}
	commit := h.Add("a/b", files)
	_, err := options(h, cache).get(t.Context(), "a/b")
	if !errors.Is(err, ErrNoFile) || !strings.Contains(err.Error(), "mae_pretrain_vit_base.pth") {
		t.Errorf("a model without known weights: %v", err)
	}
	dir, err := options(h, cache, matching("*.pth", "config.json")).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(files, "mae_pretrain_vit_base.pth", "config.json"))
	h.Requests()
	for _, o := range [][]change{{matching("config.json")}, {offline, matching("*.pth")}} {
		if _, err := options(h, cache, o...).get(t.Context(), "a/b@"+commit); err != nil {
			t.Error(err)
		}
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests for what is there: %+v", r)
	}
	if _, err := options(h, cache, matching("[")).get(t.Context(), "a/b"); err == nil {
		t.Error("a pattern that is none was accepted")
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

// TestRepair fetches a blob again that was cut short.
func TestRepair(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 1000); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "config.json"))
	os.Symlink("../../blobs/nothing", filepath.Join(dir, "config.json"))
	if dir, err = options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
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

// TestForeignPart begins anew where another user left a part that may be renamed but not written to.
func TestForeignPart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("needs a user whom permissions hold back")
	}
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	blobs := filepath.Join(cache, "models--a--b", "blobs")
	if err := os.MkdirAll(blobs, 0o777); err != nil {
		t.Fatal(err)
	}
	name := hubtest.Hash("model.safetensors", vit()["model.safetensors"]) + "." + strings.Repeat("0", idDigits) + suffix
	if err := os.WriteFile(filepath.Join(blobs, name), make([]byte, 1000), 0o444); err != nil {
		t.Fatal(err)
	}
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
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

// TestWeightsAlone expects that offline a snapshot without a configuration is no model, unless the cache shows that
// the model has none.
func TestWeightsAlone(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", vit())
	if _, err := options(h, cache, matching("model.safetensors")).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b", "a/b@" + commit} {
		_, err := options(h, cache, offline).get(t.Context(), name)
		if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), cache) || !strings.Contains(err.Error(), "config.json") || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := options(h, cache, offline, matching("model.safetensors")).get(t.Context(), name); err != nil {
			t.Errorf("%s, weights asked for: %v", name, err)
		}
	}
	h.Add("a/bare", pick(vit(), "model.safetensors"))
	if _, err := options(h, cache).get(t.Context(), "a/bare"); err != nil {
		t.Fatal(err)
	}
	if _, err := options(h, cache, offline).get(t.Context(), "a/bare"); err != nil {
		t.Errorf("a model without a configuration: %v", err)
	}
}

// TestTruncated cuts files of a commit. They are fetched again when that commit is asked for, and are an error offline.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string][]byte{"a/b": vit(), "a/sharded": sharded()} {
		for _, cut := range slices.Sorted(maps.Keys(files)) {
			for _, old := range []bool{false, true} { // a cache that knows no sizes: Python's
				h, cache := newHub(t), t.TempDir()
				commit := h.Add(name, files)
				dir, err := options(h, cache).get(t.Context(), name+"@"+commit)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(filepath.Join(dir, cut))
				if err != nil || info.Size() == 0 {
					continue // not fetched
				}
				if err := os.Truncate(filepath.Join(dir, cut), info.Size()-1); err != nil {
					t.Fatal(err)
				}
				sizes := filepath.Join(filepath.Dir(filepath.Dir(dir)), ".sizes")
				if old {
					os.RemoveAll(sizes)
				} else if _, err := options(h, cache, offline).get(t.Context(), name+"@"+commit); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), " bytes, found ") {
					t.Errorf("%s of %s, offline: %v", cut, name, err)
				}
				if _, err := options(h, cache).get(t.Context(), name+"@"+commit); err != nil {
					t.Errorf("%s of %s: %v", cut, name, err)
				}
				if data, err := os.ReadFile(filepath.Join(dir, cut)); !bytes.Equal(data, files[cut]) {
					t.Errorf("%s of %s has %d bytes (%v), expected %d", cut, name, len(data), err, len(files[cut]))
				}
				h.Requests()
				if _, err := options(h, cache).get(t.Context(), name+"@"+commit); err != nil || len(h.Requests()) > 0 {
					t.Errorf("%s: the whole commit is asked for again (%v)", name, err)
				}
			}
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
