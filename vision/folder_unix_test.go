//go:build unix

package vision

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fovea-ml/fovea/internal/printable"
)

// place writes files of a data folder: "name" is an image, "name -> target" a link, and "name|" a named pipe.
func place(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, name := range names {
		name, target, link := strings.Cut(name, " -> ")
		name, pipe := strings.CutSuffix(name, "|")
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o777)
		if err == nil {
			switch {
			case link && strings.HasPrefix(target, "/"):
				err = os.Symlink(dir+target, p)
			case link:
				err = os.Symlink(target, p)
			case pipe:
				err = syscall.Mkfifo(p, 0o666)
			default:
				err = SavePNG(p, testImage(2, 3+i, 3))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func listed(d *Folder) (names []string) {
	for i := range d.Len() {
		names = append(names, fmt.Sprintf("%s=%d", d.Name(i), d.Label(i)))
	}
	return names
}

func TestFolderLinks(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  []string
		says  string
	}{
		{"to a folder inside a class", []string{"a/1.png", "b/2.png", "b/more -> ../store", "store/3.png", "store/4.png"},
			nil, "b/more and store are one folder, in two classes"},
		{"to a hidden folder", []string{"a/1.png", "b/2.png", "b/more -> ../.store", ".store/3.png", ".store/x/4.png"},
			[]string{"a/1.png=0", "b/2.png=1", "b/more/3.png=1", "b/more/x/4.png=1"}, ""},
		{"to files", []string{"a/1.png -> ../.store/1.png", "b/2.png -> /.store/2.png", ".store/1.png", ".store/2.png"},
			[]string{"a/1.png=0", "b/2.png=1"}, ""},
		{"class folders", []string{"a -> .all/x", "b -> /.all/y", ".all/x/1.png", ".all/y/2.png"},
			[]string{"a/1.png=0", "b/2.png=1"}, ""},
		{"to the class itself", []string{"a/1.png", "a/loop -> .", "a/deep/2.png", "a/deep/loop -> ../../a", "b/3.png"},
			[]string{"a/1.png=0", "a/deep/2.png=0", "b/3.png=1"}, ""},
		{"to the class itself, absolute", []string{"a/1.png", "a/loop -> /a", "b/3.png"},
			[]string{"a/1.png=0", "b/3.png=1"}, ""},
		{"to the folder of classes", []string{"a/1.png", "a/loop -> ..", "b/3.png"}, nil, "one folder, in two classes"},
		{"two names of a class", []string{"a/1.png", "b -> a", "c/2.png"}, nil, "a and b are one folder, in two classes"},
		{"a file twice in a class", []string{"a/1.png", "a/2.png -> 1.png", "a/x/1.png -> ../1.png", "b/3.png"},
			[]string{"a/1.png=0", "b/3.png=1"}, ""},
		{"a file in two classes", []string{"a/1.png", "b/2.png", "b/3.png -> ../a/1.png"}, nil, "a/1.png and b/3.png are one file, in two classes"},
		{"to nothing", []string{"a/1.png", "a/2.png -> none.png", "b/3.png", "b/x -> none", "c -> none"},
			[]string{"a/1.png=0", "a/2.png=0", "b/3.png=1"}, ""},
		{"to itself", []string{"a/1.png", "b/x -> x", "b/2.png"}, nil, "b/x"},
		{"pipes", []string{"a/1.png", "a/2.png|", "a/3.png -> 2.png", "b/1.png", "c.png|"},
			[]string{"a/1.png=0", "b/1.png=1"}, ""},
	} {
		dir := place(t, c.files...)
		parent := os.DirFS(filepath.Dir(dir))
		sub, err := fs.Sub(parent, filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		for how, open := range map[string]func() (*Folder, error){
			"OpenDir": func() (*Folder, error) { return OpenDir(dir, FolderOptions{}) },
			"DirFS":   func() (*Folder, error) { return OpenFolder(os.DirFS(dir), FolderOptions{}) },
			"Sub":     func() (*Folder, error) { return OpenFolder(sub, FolderOptions{}) },
		} {
			if how == "Sub" && slices.ContainsFunc(c.files, func(f string) bool { return strings.Contains(f, "-> /") }) {
				continue // absolute links leave such a file system
			}
			d, err := open()
			switch {
			case c.says != "":
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s, %s: error %v, expected %q", c.name, how, err, c.says)
				}
			case err != nil:
				t.Errorf("%s, %s: %v", c.name, how, err)
			default:
				if got := listed(d); !slices.Equal(got, c.want) {
					t.Errorf("%s, %s: listed %v, want %v", c.name, how, got, c.want)
				}
				for i := range d.Len() {
					if _, err := d.Open(i); err != nil && d.Name(i) != "a/2.png" {
						t.Error(err)
					}
				}
			}
		}
		d, err := OpenDir(dir, FolderOptions{Unlabeled: true})
		if err != nil && c.name != "to itself" {
			t.Errorf("%s, unlabeled: %v", c.name, err)
		} else if err == nil && c.name == "two names of a class" && d.Len() != 2 {
			t.Errorf("%s, unlabeled: %v", c.name, listed(d))
		}
	}
}

// A named pipe, a socket or a device in place of a file is an error at once: opening a pipe would wait for a writer.
func TestOpenNeverBlocks(t *testing.T) {
	dir := place(t, "pipe.png|", "link.png -> pipe.png")
	socket, err := net.Listen("unix", filepath.Join(dir, "socket.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	sub, err := fs.Sub(os.DirFS(filepath.Dir(dir)), filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{"pipe.png": "named pipe", "link.png": "named pipe", "socket.png": "socket"} {
		for _, fsys := range []fs.FS{os.DirFS(dir), sub, directory(dir)} {
			check := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), kind) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s of %s in %T: %v", what, name, fsys, err)
				}
			}
			_, err := DecodeFile(fsys, name, DecodeOptions{})
			check("DecodeFile", err)
			_, err = OpenCSV(fsys, name, CSVOptions{})
			check("OpenCSV", err)
			_, err = OpenIDX(fsys, name, name, nil)
			check("OpenIDX", err)
		}
	}
	if _, err := DecodeFile(os.DirFS("/dev"), "null", DecodeOptions{}); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), "device") {
		t.Errorf("a device: %v", err)
	}
}

// Class folders and files keep names that are not UTF-8 or hold control characters; errors print them quoted.
func TestFolderNames(t *testing.T) {
	names := []string{"bad\xff", "csi\u009b31m", "esc\x1b[31m", "new\nline", "rtl\u202egnp"}
	files := []string{"plain/\xfe.png"}
	for _, n := range names {
		files = append(files, n+"/1.png")
	}
	dir := place(t, files...)
	d, err := OpenDir(dir, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := append(slices.Clone(names[:4]), "plain", names[4]); !slices.Equal(d.Classes(), want) {
		t.Errorf("classes %q, want %q", d.Classes(), want)
	}
	for i := range d.Len() {
		if _, err := d.Open(i); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d.Name(i)), []byte("text"), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := d.Open(i)
		if err == nil || printable.Name(err.Error()) != err.Error() {
			t.Errorf("error %q", err)
		}
	}
	for _, name := range []string{"../x.png", "/etc/passwd", "a//b", "a/", "", "a/../b", "a\x00b"} {
		if _, err := directory(dir).Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
