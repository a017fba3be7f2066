package hub

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/internal/smallfile"
)

// The names of blobs are hashes and say no size. So the cache keeps the sizes that the hub gave, in .sizes/COMMIT. They show
// without a request that a file was cut: by a disk that lost its end, or by a program that wrote to it.

// sizes returns the sizes of files of a commit in bytes, by name, as far as the cache knows them.
func (s *store) sizes(commit string) map[string]int64 {
	var sizes map[string]int64
	data, err := smallfile.Read(os.DirFS(s.root), ".sizes/"+commit)
	if err != nil || json.Unmarshal(data, &sizes) != nil {
		return nil
	}
	return sizes
}

// rememberSizes adds sizes of files of a commit. Nothing is lost where the cache cannot be written to: then a call for
// this commit asks the hub.
func (s *store) rememberSizes(commit string, sizes map[string]int64) {
	all := s.sizes(commit)
	if all == nil {
		all = map[string]int64{}
	}
	before := maps.Clone(all)
	maps.Copy(all, sizes)
	if maps.Equal(all, before) {
		return
	}
	at := filepath.Join(s.root, ".sizes", commit)
	if os.MkdirAll(filepath.Dir(at), 0o777) != nil {
		return
	}
	atomicfile.Write(at, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) })
}

// checkSize returns an error when a file of a snapshot has another size than the hub gave. Sizes that the cache does not
// know count as right.
func (s *store) checkSize(commit, name string, sizes map[string]int64) error {
	want, known := sizes[name]
	if !known {
		return nil
	}
	info, err := os.Stat(s.pointer(commit, name))
	if err != nil {
		return err
	}
	if info.Size() != want {
		return fmt.Errorf("%s: expected %d bytes, found %d", name, want, info.Size())
	}
	return nil
}

// unfinished returns an error when the snapshot of a commit lacks a configuration that the model may have. Weights alone
// come from programs that fetch single files.
func (s *store) unfinished(commit string) error {
	if holds(s.pointer(commit, configName), -1) || holds(s.absent(commit, configName), -1) {
		return nil
	}
	return fmt.Errorf("%s: %w", configName, fs.ErrNotExist)
}
