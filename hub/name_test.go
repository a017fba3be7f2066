package hub

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]model{
		"google/vit-base-patch16-224":  {"google/vit-base-patch16-224", "main"},
		"gpt2":                         {"gpt2", "main"},
		"a/b@refs/pr/1":                {"a/b", "refs/pr/1"},
		"a_b/c.d-e@v1.0":               {"a_b/c.d-e", "v1.0"},
		"timm/vit_tiny.augreg_in21k@x": {"timm/vit_tiny.augreg_in21k", "x"},
	} {
		if got, err := parse(name); err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a/b/c", "..", "../a", "a/..", "./a", "a b", "a/b c", "a--b/c", "a/b--c", "a..b", "-a/b", "a/b-", ".a/b", "a/.b",
		"a/b.git", "é/b", "a\\b", "a/b?x", "a/b#x", "a%2fb", "con/a", "a/nul", "a/COM1.x", "datasets/a/b", strings.Repeat("a", 97), "a/b\x00",
		"a/b@", "a/b@..", "a/b@../x", "a/b@x/../y", "a/b@/x", "a/b@x/", "a/b@x//y", "a/b@.x", "a/b@x.lock", "a/b@x y", "a/b@x\\y", "a/b@x:y",
		"a/b@x*", "a/b@x?", "a/b@x[", "a/b@x~1", "a/b@x^", "a/b@x@{1}", "a/b@a..b", "a/b@x.", "a/b@aux", "a/b@x\n", "a/b@\xff", "a/b@" + strings.Repeat("x", 300),
	} {
		if got, err := parse(name); err == nil {
			t.Errorf("%q was accepted as %+v", name, got)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for _, name := range []string{"config.json", "1_Pooling/config.json", "a/b/c.d", "Ünï code.txt", "console", "com10.txt"} {
		if err := checkPath(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x", "x/../y", "x/./y", "/x", "x/", "x//y", `x\y`, `\\host\share`, "C:x", "c:/x", "x:stream", "x*", "x?", `x"`, "<x", "x>", "x|y",
		"x\x00", "x\n", "x\x7f", "x\xff", "x.", "x ", "x./y", "con", "Con.json", "a/NUL", "aux .txt", "lpt¹", "COM0.bin", "conin$",
		strings.Repeat("x", 201), strings.Repeat("x/", 16) + "x", strings.Repeat("abcdefghi/", 100) + "x",
	} {
		if err := checkPath(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
		"HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("WHERE", "place")
	at := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	get := func(o ...change) *settings {
		t.Helper()
		s, err := newSetup(o...).settings()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, expected %q", what, got, want)
		}
	}

	s := get()
	expect("cache", s.Cache, at(".cache", "huggingface", "hub"))
	expect("endpoint", s.base.String(), "https://huggingface.co")
	expect("token", s.Token, "")
	if s.Offline || s.copies || s.Parallel != 4 {
		t.Errorf("%+v", s)
	}
	t.Setenv("XDG_CACHE_HOME", at("xdg"))
	expect("cache", get().Cache, at("xdg", "huggingface", "hub"))
	t.Setenv("HF_HOME", "~/$WHERE")
	expect("cache", get().Cache, at("place", "hub"))

	os.MkdirAll(at("place"), 0o777)
	os.WriteFile(at("place", "token"), []byte("hf_stored\n"), 0o600)
	expect("token", get().Token, "hf_stored")
	t.Setenv("HF_TOKEN_PATH", at("none"))
	expect("token", get().Token, "")
	t.Setenv("HUGGING_FACE_HUB_TOKEN", "hf_old")
	expect("token", get().Token, "hf_old")
	t.Setenv("HF_TOKEN", " hf_new\r\n")
	expect("token", get().Token, "hf_new")
	expect("token", get(token("")).Token, "")
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	expect("token", get().Token, "")
	expect("token", get(token("hf_own")).Token, "hf_own")

	t.Setenv("HUGGINGFACE_HUB_CACHE", at("old"))
	expect("cache", get().Cache, at("old"))
	t.Setenv("HF_HUB_CACHE", at("new"))
	expect("cache", get().Cache, at("new"))
	expect("cache", get(in(at("own"))).Cache, at("own"))

	t.Setenv("HF_ENDPOINT", "http://localhost:8080/hub/")
	s = get()
	expect("address", newClient(s).fileAddress(model{"a/b", "main"}, "c0", "x y/z#?.json").String(), "http://localhost:8080/hub/a/b/resolve/c0/x%20y/z%23%3F.json")
	expect("address", newClient(s).address("api", "refs/pr/1").String(), "http://localhost:8080/hub/api/refs%2Fpr%2F1")
	for _, bad := range []string{"huggingface.co", "ftp://x", "https://", "https://user:secret@x", "https://x?y", ":", "file:///etc"} {
		if _, err := newSettings(GetOptions{Endpoint: bad}, usual); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("endpoint %q: %v", bad, err)
		}
	}
	for want, bad := range map[string]GetOptions{
		"both":     {Token: "hf_own", Anonymous: true},
		"found -1": {Parallel: -1},
		"found 65": {Parallel: 65},
	} {
		if _, err := newSettings(bad, usual); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: expected an error with %q, found %v", bad, want, err)
		}
	}
	for value, want := range map[string]bool{"1": true, "yes": true, "True": true, "ON": true, "0": false, "": false, "no": false, "2": false} {
		t.Setenv("HF_HUB_OFFLINE", value)
		if get().Offline != want {
			t.Errorf("HF_HUB_OFFLINE=%s: offline is %v", value, !want)
		}
	}
	t.Setenv("HF_HUB_OFFLINE", "")
	t.Setenv("TRANSFORMERS_OFFLINE", "1")
	t.Setenv("HF_HUB_DISABLE_SYMLINKS", "1")
	if s := get(); !s.Offline || !s.copies {
		t.Error("TRANSFORMERS_OFFLINE or HF_HUB_DISABLE_SYMLINKS does not count")
	}
}

// TestGetByEnvironment calls Get as most programs do, without options.
func TestGetByEnvironment(t *testing.T) {
	h := newHub(t)
	commit := h.Add("a/b", vit())
	home := t.TempDir()
	t.Setenv("HF_HOME", home)
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_TOKEN", "hf_secret")
	t.Setenv("HF_HUB_OFFLINE", "")
	h.Gate("a/b", "hf_secret")
	want := filepath.Join(home, "hub", "models--a--b", "snapshots", commit)
	if dir, err := Get(t.Context(), "a/b", GetOptions{}); err != nil || dir != want {
		t.Fatalf("%s, %v; expected %s", dir, err, want)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	h.Close()
	if dir, err := Get(t.Context(), "a/b", GetOptions{}); err != nil || dir != want {
		t.Errorf("offline: %s, %v", dir, err)
	}
}

// FuzzListing expects that only names inside their folder are chosen, whatever a hub lists or an index names.
func FuzzListing(f *testing.F) {
	for _, s := range []string{
		`{"sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "siblings": [{"rfilename": "config.json", "size": 3, "blobId": "x"}, {"rfilename": "model.safetensors", "lfs": {"sha256": "x", "size": 5}}]}`,
		`{"sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "siblings": [{"rfilename": "modules.json"}, {"rfilename": "1_Dense/../pytorch_model.bin"}, {"rfilename": "2_x/model.safetensors.index.json"}]}`,
		`{"weight_map": {"a": "../x.bin", "b": "model-1.safetensors"}}`, `[`, `{"sha": 1}`,
	} {
		f.Add([]byte(s), "*.bin")
	}
	f.Fuzz(func(t *testing.T, data []byte, pattern string) {
		local := func(names ...string) {
			for _, n := range names {
				if !filepath.IsLocal(filepath.FromSlash(n)) || !fs.ValidPath(n) || strings.ContainsAny(n, "\\:\x00") {
					t.Errorf("chose %q", n)
				}
			}
		}
		if l, err := readListing(data); err == nil {
			for _, patterns := range [][]string{nil, {pattern}} {
				if c, err := choose(l.names(), patterns); err == nil {
					local(c.small...)
					local(c.weights...)
					local(c.indexes...)
				}
			}
			for n, f := range l.files {
				if f.size > maxFile || f.size < -1 || f.hash != "" && !isHash(f.hash, 40) && !isHash(f.hash, 64) {
					t.Errorf("%q: %+v", n, f)
				}
			}
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "index"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		if names, err := shards(os.DirFS(dir), "index"); err == nil {
			local(names...)
		}
		if m, err := parse(pattern); err == nil {
			local(m.revision, "models--"+strings.ReplaceAll(m.repo, "/", "--"))
		}
	})
}

// TestHubtest checks the hashes of the test server against known ones.
func TestHubtest(t *testing.T) {
	if got, want := hubtest.Hash("empty", nil), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"; got != want {
		t.Errorf("Git calls an empty file %s, not %s", want, got)
	}
	if got, want := hubtest.Hash("x.bin", []byte("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("the SHA-256 of abc is %s, not %s", want, got)
	}
}
