// Package smallfile reads the configuration files of model folders. A folder comes from a stranger, and a name in
// it may be a link to anything: a device that never ends, a pipe that nobody writes to, or a file that fills the memory.
package smallfile

import (
	"fmt"
	"io"
	"io/fs"
)

// Limit is the size in bytes above which a file is refused: several hundred times the largest configuration in
// use, which names 21841 classes.
const Limit = 64 << 20

// Read returns the contents of a file, as fs.ReadFile does, or an error when there are more than Limit bytes.
func Read(fsys fs.FS, name string) ([]byte, error) {
	// Before anything is opened: to open a pipe is to wait for whoever writes to it.
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
		return nil, fmt.Errorf("%s: more than %d bytes", name, Limit)
	}
	return data, nil
}
