package checkpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A meddler is a folder in which something happens just after the first look at a file.
type meddler struct {
	fs.FS
	name   string
	happen func()
}

func (m *meddler) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(m.FS, name)
	if name == m.name && m.happen != nil {
		happen := m.happen
		m.happen = nil
		happen()
	}
	return info, err
}

// TestReplacedByOtherSize replaces a file by a smaller and a larger one between Stat and Open: the open file must be
// mapped in its own size.
func TestReplacedByOtherSize(t *testing.T) {
	for _, tensors := range []int{1, 6} {
		for _, opts := range []OpenOptions{{}, {Unmapped: true}} {
			dir := t.TempDir()
			path := filepath.Join(dir, SafetensorsName)
			if err := Write(path, sixPack(1)[:3], WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			fsys := &meddler{os.DirFS(dir), SafetensorsName, func() {
				if err := Write(path, sixPack(2)[:tensors], WriteOptions{}); err != nil {
					t.Fatal(err)
				}
			}}
			f, err := OpenFS(fsys, SafetensorsName, opts)
			if err != nil || f.Len() != tensors {
				t.Errorf("expected the %d tensors that replaced others, found %v, %v", tensors, f, err)
			}
		}
	}
}

// TestShardsReplaced replaces a sharded checkpoint while it is opened: Open returns the old or the new one, even if their
// shards have the same names.
func TestShardsReplaced(t *testing.T) {
	for _, shards := range []int{2, 3, 1} {
		for _, at := range append(shardNames(3), SafetensorsName) {
			dir := t.TempDir()
			path := filepath.Join(dir, SafetensorsName)
			if err := Write(path, sixPack(1), WriteOptions{ShardSize: shardSizes[3]}); err != nil {
				t.Fatal(err)
			}
			fsys := &meddler{os.DirFS(dir), at, func() {
				if err := Write(path, sixPack(2), WriteOptions{ShardSize: shardSizes[shards]}); err != nil {
					t.Fatal(err)
				}
			}}
			f, err := OpenFolder(fsys, OpenOptions{})
			if err != nil {
				t.Errorf("%d shards written at %s: %v", shards, at, err)
				continue
			}
			value := floatsOf(t, f, "layer.0.weight")[0]
			for x := range f.Tensors() {
				if v := floatsOf(t, f, x.Name)[0]; v != value {
					t.Errorf("%d shards written at %s: one tensor holds %v, another %v", shards, at, value, v)
				}
			}
		}
	}
}
