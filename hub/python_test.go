package hub

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// python prepares a call of testdata/gen/check_hub.py. Without FOVEA_PYTHON, the path of a Python that has
// huggingface_hub, the test is skipped.
func python(t *testing.T, h *hubtest.Hub, cache string, offline bool, args ...string) *exec.Cmd {
	t.Helper()
	cmd := oracle.Command(t, "huggingface_hub", "check_hub.py", args...)
	cmd.Env = environment(h, cache, "HF_HUB_DISABLE_TELEMETRY=1")
	if offline {
		cmd.Env = append(cmd.Env, "HF_HUB_OFFLINE=1", "HF_ENDPOINT=http://127.0.0.1:1")
	}
	return cmd
}

// say runs a call and reads its JSON output.
func say(t *testing.T, cmd *exec.Cmd, into any) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args[2:], err, out, stderr.Bytes())
	}
}

type found struct {
	Dir    string
	Files  map[string]string // SHA-256
	Absent []string
}

func sums(files map[string][]byte) map[string]string {
	s := map[string]string{}
	for n, data := range files {
		sum := sha256.Sum256(data)
		s[n] = hex.EncodeToString(sum[:])
	}
	return s
}

var wanted = []string{"config.json", "preprocessor_config.json", "model.safetensors"}

// polite is vit without the name that leaves its folder, which Python refuses.
func polite() map[string][]byte {
	files := vit()
	delete(files, "../../escape")
	return files
}

// TestPythonFinds has Python, offline, use files that this package fetched.
func TestPythonFinds(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", polite())
	h.AddAs("a/b", "refs/pr/1", polite())
	for name, o := range map[string]change{"links": fast, "no links": func(s *setup) { s.copies = true }} {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(cache, name)
			for _, revision := range []string{"", "@refs/pr/1", "@" + commit} {
				dir, err := options(h, cache, o).get(t.Context(), "a/b"+revision)
				if err != nil {
					t.Fatal(err)
				}
				var got found
				say(t, python(t, h, cache, true, "get", "a/b"+revision), &got)
				want := found{dir, sums(pick(polite(), wanted...)), []string{"vocab.txt"}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: Python sees (-want +got):\n%s", revision, diff)
				}
			}
			var scan struct {
				Warnings   []string
				Models     map[string][]string
				Incomplete int
			}
			say(t, python(t, h, cache, true, "scan"), &scan)
			if len(scan.Warnings) > 0 || scan.Incomplete > 0 || !cmp.Equal(scan.Models, map[string][]string{"a/b": {"main", "refs/pr/1"}}) {
				t.Errorf("hf cache sees %+v", scan)
			}
		})
	}
}

// TestPythonFetches uses, offline, files that Python fetched, adds the files that Python left out, and the reverse.
func TestPythonFetches(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", polite())
	var got found
	say(t, python(t, h, cache, false, "get", "a/b", "*.json", "model.safetensors"), &got)
	h.Requests()
	for _, name := range []string{"a/b", "a/b@" + commit} {
		if dir, err := options(h, cache, offline).get(t.Context(), name); err != nil || dir != got.Dir {
			t.Errorf("%s: %s, %v; Python's is %s", name, dir, err, got.Dir)
		}
	}
	if _, err := options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	if r := h.Requests(); len(r) != 1 {
		t.Errorf("expected to ask only for the commit: %+v", r)
	}

	other := t.TempDir()
	say(t, python(t, h, other, false, "get", "a/b", "config.json"), &got)
	if _, err := options(h, other, offline).get(t.Context(), "a/b"); !errors.Is(err, ErrOffline) {
		t.Errorf("a snapshot without weights: %v", err)
	}
	h.Requests()
	dir, err := options(h, other).get(t.Context(), "a/b")
	if err != nil || dir != got.Dir {
		t.Fatalf("%s, %v; Python's is %s", dir, err, got.Dir)
	}
	expectFiles(t, dir, pick(polite(), wanted...))
	if r := h.Requests(); count(r, "GET", "config.json") != 1 { // of preprocessor_config.json
		t.Errorf("what Python had fetched was fetched again: %+v", r)
	}
	say(t, python(t, h, other, false, "get", "a/b"), &got)
	if diff := cmp.Diff(sums(polite()), got.Files); diff != "" {
		t.Errorf("Python sees (-want +got):\n%s", diff)
	}
	if r := h.Requests(); count(r, "GET", "/blobs/"+hashOfWeights) != 0 {
		t.Error("Python fetched the weights again")
	}
}

// TestPythonAtOnce has Python and this package fetch one model into one cache at once.
func TestPythonAtOnce(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", polite())
	slow(h, 40, 50*time.Millisecond)
	var got found
	cmd := python(t, h, cache, false, "get", "a/b", "*.json", "model.safetensors")
	dirs, errs := make(chan string, 1), make(chan error, 1)
	go func() {
		for t.Context().Err() == nil && count(h.Requests(), "GET", "/blobs/") == 0 { // Python has begun
			time.Sleep(5 * time.Millisecond)
		}
		dir, err := options(h, cache).get(t.Context(), "a/b")
		dirs <- dir
		errs <- err
	}()
	say(t, cmd, &got)
	if dir, err := <-dirs, <-errs; err != nil || dir != got.Dir {
		t.Fatalf("%s, %v; Python's is %s", dir, err, got.Dir)
	}
	expectFiles(t, got.Dir, pick(polite(), wanted...))
	if n := count(h.Requests(), "GET", "/blobs/"); n != 0 {
		t.Errorf("the weights were fetched %d times more than once", n)
	}
}

// TestPythonLocks takes locks in turn with Python.
func TestPythonLocks(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", polite())
	s, err := options(h, cache).settings()
	if err != nil {
		t.Fatal(err)
	}
	st := newStore(s, model{"a/b", "main"})
	name := filepath.Join(cache, ".locks", "models--a--b", hashOfWeights+".lock")
	state := func() (word string) {
		say(t, python(t, h, cache, false, "try", name), &word)
		return word
	}
	unlock, err := st.lock(t.Context(), hashOfWeights)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(); got != "held" {
		t.Errorf("locked here, Python finds the lock %s", got)
	}
	unlock()
	if got := state(); got != "free" {
		t.Errorf("not locked here, Python finds the lock %s", got)
	}

	cmd := python(t, h, cache, false, "lock", name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != `"held"` {
		t.Fatalf("Python says %q", lines.Text())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := options(h, cache).get(ctx, "a/b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Python holds the lock: expected to wait until the context ends, found %v", err)
	}
	in.Write([]byte("\n"))
	if _, err := options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
}
