// Package smallfile reads the configuration files of model folders:
//
//	data, err := smallfile.Read(os.DirFS(dir), "config.json")
//
// A folder is not trusted: a name in it may link to a device without an end, a pipe without a writer, or a file that
// fills the memory.
package smallfile

import (
	"fmt"
	"io"
	"io/fs"
)

// Limit is the largest size of a file in bytes: several hundred times the largest configuration in use, which names 21841
// classes.
const Limit = 64 << 20

// Read returns the contents of a file, as fs.ReadFile does. A file of more than Limit bytes is an error.
func Read(fsys fs.FS, name string) ([]byte, error) {
	// Stat comes before Open, because opening a pipe waits for a writer.
	if info, err := fs.Stat(fsys, name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file, found a folder, a device or a pipe", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, Limit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > Limit {
		return nil, fmt.Errorf("%s: expected at most %d bytes, found more", name, Limit)
	}
	return data, nil
}
