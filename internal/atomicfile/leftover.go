package atomicfile

import (
	"os"
	"path/filepath"
	"regexp"
)

// A process that is killed while it writes cannot remove its temporary file, which may be as large as a model. The next
// process that writes to the name removes it. It can tell: a temporary file is locked while it is written, and the
// system drops the locks of a killed process.

// temporary matches the names of temporary files. A name may hold any byte, also a line break.
var temporary = regexp.MustCompile(`(?s)^\.(.*)\.[0-9a-f]{8}\.tmp$`)

// Target returns the name that a temporary file of Write is meant for, and false for other files. Both are names
// without a folder.
func Target(name string) (target string, ok bool) {
	m := temporary.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// removeLeftovers removes the temporary files of a name that no process writes any more.
func removeLeftovers(dir, base string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if target, ok := Target(e.Name()); !ok || target != base || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if locked(f) && named(f, path) {
			os.Remove(path)
		}
		f.Close()
	}
}

// named reports whether the path still names the open file.
func named(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}
