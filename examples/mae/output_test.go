package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// TestForeignFiles runs in folders that hold files of others. Nothing of them may change.
func TestForeignFiles(t *testing.T) {
	ours := []byte(`{"version": 1, "settings": {"epochs": 1}}`)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		ok    bool
	}{
		{"a folder resume", map[string][]byte{"resume/cv.txt": []byte("cv")}, false},
		{"a file resume", map[string][]byte{"resume": []byte("cv")}, false},
		{"a file beside the state of a run", map[string][]byte{"resume/run.json": ours, "resume/cv.txt": []byte("cv")}, false},
		{"other settings", map[string][]byte{"resume/run.json": []byte(`{"command": "run"}`)}, false},
		{"state without settings", map[string][]byte{"resume/pretrain.safetensors": []byte("x")}, false},
		{"a folder in the folder resume", map[string][]byte{"resume/run.json": ours, "resume/finetune.safetensors/x": {}}, false},
		{"a model", map[string][]byte{"pretrained/model.safetensors": []byte("x")}, false},
		{"a chart", map[string][]byte{"curves.png": []byte("x")}, false},
		{"another run.json", map[string][]byte{"run.json": []byte(`[]`)}, false},
		{"unrelated files", map[string][]byte{"notes.txt": []byte("x"), "results/a": []byte("y")}, true},
		{"an unfinished run", map[string][]byte{"resume/run.json": ours, "resume/pretrain.safetensors": []byte("x"), "resume/.run.json.01234567.tmp": []byte("x")}, true},
		{"earlier results", map[string][]byte{"run.json": ours, "pretrained/model.safetensors": []byte("x"), "curves.png": []byte("x")}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			for name, data := range c.files {
				write(t, filepath.Join(out, filepath.FromSlash(name)), data)
			}
			_, err := tinyRun(out).do(context.Background())
			if (err == nil) != c.ok {
				t.Fatalf("found error %v, expected none: %v", err, c.ok)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "-out: no run of this program wrote "+out) {
				t.Errorf("found %v", err)
			}
			if list, _ := os.ReadDir(out); !c.ok && slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == ".mae.lock" }) {
				t.Error("the lock file is left")
			}
			if c.ok && !strings.HasPrefix(c.name, "unrelated") {
				return
			}
			for name, data := range c.files {
				if got := read(t, out, filepath.FromSlash(name)); !bytes.Equal(got, data) {
					t.Errorf("%s holds %q, expected %q", name, got, data)
				}
			}
		})
	}
}

// TestTwice runs twice in one folder, one after the other and at once.
func TestTwice(t *testing.T) {
	out := t.TempDir()
	if _, err := tinyRun(out).do(context.Background()); err != nil {
		t.Fatal(err)
	}
	first := tinyRun(out)
	var second, resumed error
	first.afterStep = func(phase string, step int) {
		if phase == "pre-training" && step == 3 {
			_, second = tinyRun(out).do(context.Background())
			r := tinyRun(out)
			r.settings.Resume = true
			_, resumed = r.do(context.Background())
		}
	}
	if _, err := first.do(context.Background()); err != nil {
		t.Errorf("the first run: %v", err)
	}
	for name, err := range map[string]error{"a new run": second, "a resumed run": resumed} {
		if err == nil || !strings.Contains(err.Error(), "-out: another run writes to "+out) {
			t.Errorf("%s during the first: %v", name, err)
		}
	}
	r := tinyRun(out)
	r.settings.Resume = true
	if _, err := r.do(context.Background()); err == nil || !strings.Contains(err.Error(), "holds no unfinished run") {
		t.Errorf("resuming a finished run: %v", err)
	}
}

// TestLinkedFolders expects an error where -out and -data hold each other, however they are named.
func TestLinkedFolders(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, name := range []string{"data/cats", "data/dogs", "other/cats", "results"} {
		if err := os.MkdirAll(at(name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "data", "deep": "data/cats", "other/results": "results"} {
		if err := os.Symlink(at(target), at(link)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct {
		data, out string
		ok        bool
	}{
		{"data", "data/out", false},
		{"data", "link/out", false},
		{"data", "link/new/out", false},
		{"data", "deep", false},
		{"data", "deep/new", false},
		{"link", "data/out", false},
		{"link/cats", "deep/out", false},
		{"link/cats", "data", false},
		{"other", "results", false},
		{"other", "results/new", false},
		{"data", "out", true},
		{"data", "results/new", true},
		{"link", "data2", true},
	} {
		s := settings{Data: at(c.data), Out: at(c.out), Epochs: 1, Labels: 1}
		if err := s.check(); (err == nil) != c.ok {
			t.Errorf("-data %s -out %s: %v", c.data, c.out, err)
		}
	}
}

// TestChangedPixels resumes a run after one pixel of one image has changed.
func TestChangedPixels(t *testing.T) {
	for _, part := range []string{"train", "test"} {
		out := t.TempDir()
		stopped := tinyRun(out)
		ctx, cancel := context.WithCancelCause(context.Background())
		stopped.afterStep = func(string, int) { cancel(console.ErrInterrupted) }
		if _, err := stopped.do(ctx); !errors.Is(err, console.ErrInterrupted) {
			t.Fatal(err)
		}
		r := tinyRun(out)
		r.settings.Resume = true
		d := r.images.train
		if part == "test" {
			d = r.images.test
		}
		m, err := d.Open(7)
		if err != nil {
			t.Fatal(err)
		}
		m.Pix[5]++
		_, err = r.do(context.Background())
		m.Pix[5]--
		want := map[string]string{"train": "identity: data", "test": "identity: test"}[part]
		if err == nil || !strings.Contains(console.OneLine(err), want) {
			t.Errorf("a changed pixel of the %s images: %v", part, err)
		}
	}
}
