package hub

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/internal/filelock"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

// TestMain lets the test binary be a program that fetches a model, for tests with several processes.
func TestMain(m *testing.M) {
	if name := os.Getenv("FOVEA_HUB_GET"); name != "" {
		os.Exit(fetchAndSay(name))
	}
	os.Exit(m.Run())
}

func fetchAndSay(name string) int {
	dir, err := newSetup(fast, onProgress(func(p Progress) {
		if p.File == "model.safetensors" && p.Bytes > 0 {
			fmt.Println(p.Bytes)
		}
	})).get(context.Background(), name)
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("dir:", dir)
	return 0
}

// environment returns the variables for a process that fetches from a test's hub into a test's cache.
func environment(h *hubtest.Hub, cache string, more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HF_") || strings.HasPrefix(v, "HUGGING") })
	return append(env, append([]string{"HF_ENDPOINT=" + h.URL, "HF_HUB_CACHE=" + cache, "HF_HOME=" + cache + "-home"}, more...)...)
}

func process(t *testing.T, h *hubtest.Hub, cache, name string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err == nil {
		err = exec.Command(exe, "-test.list=^$").Run()
	}
	if err != nil {
		t.Skipf("needs to start itself, which this system does not do: %v", err)
	}
	cmd := exec.Command(exe)
	cmd.Env = environment(h, cache, "FOVEA_HUB_GET="+name)
	return cmd
}

// slow sends the weights in small pieces, so that processes meet in the middle of them.
func slow(h *hubtest.Hub, pieces int, pause time.Duration) {
	faulty(h, func(n int, w http.ResponseWriter, r *http.Request) bool {
		start, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		w.Header().Set("Content-Length", strconv.Itoa(len(weights)-start))
		if start > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(weights)-1, len(weights)))
			w.WriteHeader(http.StatusPartialContent)
		}
		for piece := range slices.Chunk(weights[start:], len(weights)/pieces) {
			if _, err := w.Write(piece); err != nil {
				return true
			}
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
		return true
	})
}

// TestProcesses fetches one model into one cache from three processes at once.
func TestProcesses(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", vit())
	slow(h, 20, 20*time.Millisecond)
	outputs := make(chan string)
	const processes = 3
	for range processes {
		cmd := process(t, h, cache, "a/b")
		go func() {
			out, err := cmd.CombinedOutput()
			outputs <- fmt.Sprintf("%s%v", out, err)
		}()
	}
	dir := filepath.Join(cache, "models--a--b", "snapshots", commit)
	for range processes {
		if out := <-outputs; !strings.Contains(out, "dir: "+dir) {
			t.Errorf("a process says %s", out)
		}
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
	if n := count(h.Requests(), "GET", "/blobs/"); n != 1 {
		t.Errorf("the weights were fetched %d times", n)
	}
}

// TestKilled ends a process without warning in the middle of the weights.
func TestKilled(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	slow(h, 30, 20*time.Millisecond)
	cmd := process(t, h, cache, "a/b")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for lines := bufio.NewScanner(out); arrived < 100_000 && lines.Scan(); {
		if arrived, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(lines.Text())
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if arrived < 100_000 || arrived == len(weights) {
		t.Fatalf("killed after %d bytes", arrived)
	}
	expectClean(t, cache, 1)
	if _, err := options(h, cache, offline).get(t.Context(), "a/b"); !errors.Is(err, ErrOffline) {
		t.Errorf("after the kill the cache has a model: %v", err)
	}
	h.Intercept(nil)
	h.Requests()
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
	for _, r := range h.Requests() {
		if !r.CDN {
			continue
		}
		from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Range, "bytes="), "-"))
		if err != nil || from < arrived {
			t.Errorf("%d bytes had arrived, asked for %q", arrived, r.Range)
		}
	}
}

// TestOneProcess fetches one model into one cache from many goroutines at once.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	slow(h, 5, 10*time.Millisecond)
	errs := make(chan error)
	const calls = 8
	for range calls {
		go func() {
			_, err := options(h, cache).get(t.Context(), "a/b")
			errs <- err
		}()
	}
	for range calls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := count(h.Requests(), "GET", "/blobs/"); n != 1 {
		t.Errorf("the weights were fetched %d times", n)
	}
}

// TestWithoutLocks has many calls write the same files at once, as on a file system without locks.
func TestWithoutLocks(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	faulty(h, func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch {
		case n > 16: // or bad luck could make one call give up
			return false
		case n%3 == 0:
			return drop(w, weights, 100_000)
		case n%3 == 1 && r.Header.Get("Range") == "":
			return dropRange(w, r, 150_000)
		}
		return false
	})
	errs := make(chan error)
	const calls = 8
	unlocked := func(s *setup) { s.tryLock = func(*os.File) (bool, error) { return false, filelock.ErrNoLocks } }
	for range calls {
		go func() {
			_, err := options(h, cache, unlocked).get(t.Context(), "a/b")
			errs <- err
		}()
	}
	for range calls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
}

// TestWaiting gives up waiting for a lock when the context ends.
func TestWaiting(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	s, err := options(h, cache).settings()
	if err != nil {
		t.Fatal(err)
	}
	st := newStore(s, model{"a/b", "main"})
	unlock, err := st.lock(t.Context(), hubtest.Hash("model.safetensors", weights))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := options(h, cache).get(ctx, "a/b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the context's end, found %v", err)
	}
	unlock()
	if _, err := options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
}
