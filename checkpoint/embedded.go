package checkpoint

import (
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Embedded is a folder of files by name, each a string that go:embed filled. Weights opened from it are used where they
// lie in the program's own file. The system keeps the parts in memory that are used.
//
//	//go:embed vit/config.json
//	var config string
//
//	//go:embed vit/preprocessor_config.json
//	var preprocessor string
//
//	//go:embed vit/model.safetensors
//	var weights string
//
//	model, err := vit.Load(checkpoint.Embedded{
//		"config.json":              config,
//		"preprocessor_config.json": preprocessor,
//		"model.safetensors":        weights,
//	}, vit.LoadOptions{})
//
// An embed.FS works as well, but hands out copies: the weights then take their size in memory once more.
type Embedded map[string]string

// ParseString is [Parse] for a string, such as an embedded file. The File and its tensors refer to the string's own
// memory; nothing is copied.
func ParseString(name, data string, opts OpenOptions) (*File, error) {
	f, src := &File{name: name}, &source{name: name, data: bytesOf(data)}
	src.paged = inFile(src.data)
	return f.of(src, opts)
}

// Open implements [fs.FS]. The files lie in one folder: a name has no slash.
func (e Embedded) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return &embeddedFolder{files: e}, nil
	}
	data, ok := e[name]
	if !ok || strings.Contains(name, "/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &embeddedFile{embeddedInfo{name, int64(len(data))}, data, strings.NewReader(data)}, nil
}

// ReadFile implements [fs.ReadFileFS].
func (e Embedded) ReadFile(name string) ([]byte, error) {
	f, err := e.Open(name)
	if err != nil {
		return nil, err
	}
	if f, ok := f.(*embeddedFile); ok {
		return []byte(f.data), nil
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
}

// embeddedFile is an open file of an Embedded.
type embeddedFile struct {
	embeddedInfo
	data string
	*strings.Reader
}

func (f *embeddedFile) Stat() (fs.FileInfo, error) { return f.embeddedInfo, nil }
func (f *embeddedFile) Size() int64                { return f.size }
func (f *embeddedFile) Close() error               { return nil }

// embeddedFolder is the open folder itself.
type embeddedFolder struct {
	files Embedded
	after string // the last name listed
}

func (d *embeddedFolder) Stat() (fs.FileInfo, error) { return embeddedInfo{name: ".", size: -1}, nil }
func (d *embeddedFolder) Close() error               { return nil }
func (d *embeddedFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}

// ReadDir implements [fs.ReadDirFile].
func (d *embeddedFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		if name <= d.after || name == "." || strings.Contains(name, "/") || !fs.ValidPath(name) {
			continue
		}
		if n > 0 && len(list) == n {
			break
		}
		list = append(list, fs.FileInfoToDirEntry(embeddedInfo{name, int64(len(d.files[name]))}))
		d.after = name
	}
	if n > 0 && len(list) == 0 {
		return nil, io.EOF
	}
	return list, nil
}

// embeddedInfo describes a file, or the folder when the size is negative.
type embeddedInfo struct {
	name string
	size int64
}

func (i embeddedInfo) Name() string       { return path.Base(i.name) }
func (i embeddedInfo) Size() int64        { return max(i.size, 0) }
func (i embeddedInfo) ModTime() time.Time { return time.Time{} }
func (i embeddedInfo) IsDir() bool        { return i.size < 0 }
func (i embeddedInfo) Sys() any           { return nil }
func (i embeddedInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
