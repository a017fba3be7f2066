package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func content(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// expect asks for the content of path and that nothing else is in its folder.
func expect(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("expected content %q, found %q, %v", want, got, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("expected one file in the folder, found %v, %v", entries, err)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	for _, s := range []string{"first", strings.Repeat("longer ", 100_000), ""} {
		if err := Write(path, content(s)); err != nil {
			t.Fatal(err)
		}
		expect(t, path, s)
		if err := WriteFile(path, []byte(s+"again")); err != nil {
			t.Fatal(err)
		}
		expect(t, path, s+"again")
	}
}

func TestInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	if err := Write(path, content("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		content(strings.Repeat("new", 100_000))(w)
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("expected %v, found %v", full, err)
	}
	expect(t, path, "old")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		Write(path, func(io.Writer) error { panic("writer") })
	}()
	expect(t, path, "old")
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("needs Unix permissions")
	}
	dir := t.TempDir()
	path, plain := filepath.Join(dir, "a"), filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	want, _ := os.Stat(plain)
	for range 2 {
		if err := Write(path, content("x")); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.Stat(path); got.Mode() != want.Mode() {
			t.Errorf("expected mode %v, found %v", want.Mode(), got.Mode())
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		want, _ = os.Stat(path)
	}
}

func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "blob"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("cache"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("blob", link); err != nil {
		t.Skipf("needs symbolic links: %v", err)
	}
	if err := Write(link, content("new")); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(target)
	now, _ := os.ReadFile(link)
	if string(old) != "cache" || string(now) != "new" {
		t.Errorf("found %q behind the link and %q under it", old, now)
	}
}

func TestBadPlace(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, dir + "/", "", filepath.Join(dir, "none", "x")} {
		if err := Write(path, content("x")); err == nil {
			t.Errorf("%q: expected an error", path)
		}
	}
	long := filepath.Join(dir, strings.Repeat("é", 120))
	if err := Write(long, content("x")); err != nil {
		t.Errorf("a name of 240 bytes: %v", err)
	}
}

// TestLeftovers expects that temporary files of killed processes are removed, and files in use are not.
func TestLeftovers(t *testing.T) {
	if !locks {
		t.Skip("needs locks of files")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "weights")
	for _, name := range []string{".weights.0123abcd.tmp", ".weights.deadbeef.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	err := Write(path, func(w io.Writer) error {
		content("outer ")(w)
		return Write(path, content("inner")) // the outer file is being written
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, path, "outer ")

	for _, name := range []string{".other.0123abcd.tmp", ".weights.0123abcd.tmp.gz", ".weights.x.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(path, content("x")); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 4 {
		t.Errorf("expected files of other names to stay, found %v", list)
	}
}

// TestAtOnce writes one name from many goroutines: each succeeds, and one of them is found.
func TestAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 25 {
				if err := Write(path, content(strings.Repeat(fmt.Sprint(i), 1000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 1000 {
		t.Fatalf("found %d bytes, %v", len(got), err)
	}
	expect(t, path, strings.Repeat(string(got[:1]), 1000))
}

func ExampleWrite() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "state")
	Write(path, content("step 1"))
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, "step ")
		return errors.New("interrupted")
	})
	kept, _ := os.ReadFile(path)
	fmt.Printf("%v: %s\n", err, kept)
	// Output: interrupted: step 1
}

// TestNameNotUTF8 writes to a name that is not UTF-8, twice.
func TestNameNotUTF8(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a\xff(")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Skip(err) // the system has no such names
	}
	for range 2 {
		if err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err }); err != nil {
			t.Error(err)
		}
	}
}

// TestTarget tells temporary files from others by their names.
func TestTarget(t *testing.T) {
	for _, c := range []struct {
		name, target string
		ok           bool
	}{
		{".run.json.0123abcd.tmp", "run.json", true},
		{".a.00000000.tmp.0123abcd.tmp", "a.00000000.tmp", true},
		{".a\xff\n(.0123abcd.tmp", "a\xff\n(", true},
		{"run.json.0123abcd.tmp", "", false},
		{".run.json.0123ABCD.tmp", "", false},
		{".run.json.123abcd.tmp", "", false},
		{".run.json.0123abcd.tmp2", "", false},
		{"run.json", "", false},
	} {
		if target, ok := Target(c.name); target != c.target || ok != c.ok {
			t.Errorf("%q: %q, %v; expected %q, %v", c.name, target, ok, c.target, c.ok)
		}
	}
}
