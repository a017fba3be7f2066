package hub

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
