package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// A store is the folder of one model in the cache.
type store struct {
	*settings
	root  string // models--owner--name
	locks string // .locks/models--owner--name
}

func newStore(s *settings, m model) *store {
	folder := "models--" + strings.ReplaceAll(m.repo, "/", "--")
	return &store{s, filepath.Join(s.Cache, folder), filepath.Join(s.Cache, ".locks", folder)}
}

func (s *store) blob(etag string) string       { return filepath.Join(s.root, "blobs", etag) }
func (s *store) snapshot(commit string) string { return filepath.Join(s.root, "snapshots", commit) }
func (s *store) pointer(commit, name string) string {
	return filepath.Join(s.snapshot(commit), filepath.FromSlash(name))
}

// holds reports whether a path leads to a file of that size, perhaps through a symbolic link. A negative size stands for
// any.
func holds(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// prepare makes the folders of a model. It marks the cache for backup programs, which may skip it.
func (s *store) prepare() error {
	if err := os.MkdirAll(filepath.Join(s.root, "blobs"), 0o777); err != nil {
		return err
	}
	tag := filepath.Join(s.Cache, "CACHEDIR.TAG")
	if f, err := os.OpenFile(tag, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err == nil {
		io.WriteString(f, "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache: it can be fetched again.\n")
		f.Close()
	}
	return nil
}

// place gives a blob its name in the snapshot of a commit: by a relative symbolic link, else by a hard link, else by a
// copy.
func (s *store) place(commit, name, etag string) error {
	at, target := s.pointer(commit, name), s.blob(etag)
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	if !s.copies {
		relative, err := filepath.Rel(filepath.Dir(at), target)
		if err != nil {
			return err
		}
		err = s.symlink(relative, at)
		if errors.Is(err, fs.ErrExist) && !samePlace(at, target) {
			os.Remove(at)
			err = s.symlink(relative, at)
		}
		if err == nil || errors.Is(err, fs.ErrExist) && samePlace(at, target) {
			return nil
		}
	}
	os.Remove(at)
	if err := s.link(target, at); err == nil || errors.Is(err, fs.ErrExist) && samePlace(at, target) {
		return nil
	}
	return atomicfile.Write(at, func(w io.Writer) error {
		f, err := os.Open(target)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
}

// samePlace reports whether two names lead to one file.
func samePlace(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// commit returns the last known commit of a revision, or "".
func (s *store) commit(revision string) string {
	if isHash(revision, 40) {
		return revision
	}
	at := filepath.Join(s.root, "refs", filepath.FromSlash(revision))
	if !holds(at, -1) { // opening a pipe would wait for a writer
		return ""
	}
	f, err := os.Open(at)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 100))
	if commit := strings.TrimSpace(string(data)); err == nil && isHash(commit, 40) {
		return commit
	}
	return ""
}

// remember writes the commit of a revision to the cache.
func (s *store) remember(revision, commit string) error {
	if revision == commit || s.commit(revision) == commit {
		return nil
	}
	at := filepath.Join(s.root, "refs", filepath.FromSlash(revision))
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteFile(at, []byte(commit))
}

// absent returns the path of the marker for a file that a commit does not have.
func (s *store) absent(commit, name string) string {
	return filepath.Join(s.root, ".no_exist", commit, filepath.FromSlash(name))
}

// rememberAbsent marks the usual files that a commit does not have. This saves requests, Python's too. Nothing depends
// on it.
func (s *store) rememberAbsent(l *listing) {
	for _, n := range slices.Concat(usualNames, transformersWeights, openCLIPWeights, []string{pooling}) {
		if _, found := l.files[n]; found {
			continue
		}
		at := s.absent(l.commit, n)
		if os.MkdirAll(filepath.Dir(at), 0o777) != nil {
			return
		}
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return
		}
		f.Close()
	}
}

// known reports whether the cache alone shows that it holds every file to be fetched of a commit: each usual file is
// present in its size, or is marked as absent.
func (s *store) known(commit string, patterns []string) bool {
	sizes := s.sizes(commit)
	present := func(name string) bool {
		size, known := sizes[name]
		return known && holds(s.pointer(commit, name), size)
	}
	if len(patterns) > 0 {
		for _, p := range patterns {
			if strings.ContainsAny(p, `*?[\`) || checkPath(p) != nil || !present(p) {
				return false
			}
		}
		return true
	}
	for _, n := range append([]string{pooling}, usualNames...) {
		if !present(n) && !holds(s.absent(commit, n), -1) {
			return false
		}
	}
	for _, n := range weightNames(present) {
		if present(n) {
			return s.whole(commit, patterns) == nil
		}
		if !holds(s.absent(commit, n), -1) {
			return false
		}
	}
	return false
}

// whole returns nil when the snapshot of a commit holds a model: weights in one form, with every shard, and no file of
// another size than the hub gave. An interrupted call of Get leaves no such snapshot, because it places weights last.
func (s *store) whole(commit string, patterns []string) error {
	dir := s.snapshot(commit)
	var names []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if len(names) > 100_000 {
			return errors.New("too many files")
		}
		if name, err := filepath.Rel(dir, at); err == nil && !d.IsDir() && holds(at, -1) {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	c, err := choose(names, patterns)
	if err != nil {
		return err
	}
	sizes := s.sizes(commit)
	for _, n := range slices.Concat(c.small, c.indexes, c.weights) {
		if err := s.checkSize(commit, n, sizes); err != nil {
			return err
		}
	}
	there := make(map[string]bool, len(names))
	for _, n := range names {
		there[n] = true
	}
	for _, index := range c.indexes {
		parts, err := shards(os.DirFS(dir), index)
		if err != nil {
			return err
		}
		for _, n := range parts {
			n = path.Join(path.Dir(index), n)
			if !there[n] {
				return fmt.Errorf("%w: %s names %s", ErrNoFile, index, n)
			}
			if err := s.checkSize(commit, n, sizes); err != nil {
				return err
			}
		}
	}
	return nil
}
