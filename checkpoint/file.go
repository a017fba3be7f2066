package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A File is an open checkpoint: a set of named tensors, in one file or in the shards of an index. It is
// immutable, so that any number of goroutines may read it.
type File struct {
	name     string
	tensors  []Tensor // sorted by name
	metadata map[string]string
	root     []string
	roots    [][]string
	sources  []*source
}

// OpenOptions change how [Open], [OpenFS], [OpenFolder], [Parse] and [ParseString] work. The zero value maps files and
// finds the weights by itself.
type OpenOptions struct {
	// Unmapped reads files into memory instead of mapping them: for files that may change or shrink while they are
	// in use, such as those on a network drive.
	Unmapped bool

	// Root holds the keys that lead to the weights in a PyTorch file. An example is "model" in a file that holds a model
	// beside its averaged one. With nil, the weights are the value of the file itself, or lie under the first of these
	// keys that is present: state_dict_ema, model_ema, ema, state_dict, model_state_dict, model_state, model, module, net,
	// network, weights and params. The same is tried again inside that. Averaged weights come first, as in timm.
	// [File.Root] returns the keys that were used. A safetensors file has no root, and asking for one is an error.
	Root []string
}

// Open opens a safetensors file, a PyTorch file or an .npz file of NumPy, as its content says. It also opens the index of
// a sharded one (a name ending in ".json"); the shards lie in the same folder or below it. On Unix systems the files are mapped into memory.
// They must not change until the last use of the File, its tensors and their views.
//
// A malformed file gives a [FormatError].
func Open(name string, opts OpenOptions) (*File, error) {
	dir, base := filepath.Split(name)
	if base == "" {
		return nil, fmt.Errorf("checkpoint: %q: expected the name of a file", name)
	}
	if dir == "" {
		dir = "."
	}
	return open(os.DirFS(dir), base, name, opts)
}

// OpenFS is [Open] for a file in a file system; name follows the rules of [fs.ValidPath]. Files are mapped
// when fsys hands out *os.File, as os.DirFS does, and read into memory otherwise.
func OpenFS(fsys fs.FS, name string, opts OpenOptions) (*File, error) {
	return open(fsys, name, name, opts)
}

// The names under which transformers writes a model into a folder.
const (
	SafetensorsName = "model.safetensors"
	IndexName       = "model.safetensors.index.json"
	TorchName       = "pytorch_model.bin"
	TorchIndexName  = "pytorch_model.bin.index.json"
)

// OpenFolder opens the weights in a folder laid out as on Hugging Face. They are the first that exists of
// model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin, and
// pytorch_model.bin.index.json with its shards. If none exists, errors.Is finds fs.ErrNotExist in the error.
func OpenFolder(fsys fs.FS, opts OpenOptions) (*File, error) {
	f, err := openFolder(fsys, opts)
	if errors.Is(err, fs.ErrNotExist) {
		// Another process may have replaced one file by shards, or shards by one file, during the search.
		f, err = openFolder(fsys, opts)
	}
	return f, err
}

func openFolder(fsys fs.FS, opts OpenOptions) (*File, error) {
	for _, name := range []string{SafetensorsName, IndexName, TorchName, TorchIndexName} {
		f, err := OpenFS(fsys, name, opts)
		var path *fs.PathError
		if errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && path.Path == name {
			continue
		}
		return f, err
	}
	return nil, fmt.Errorf("checkpoint: the folder has neither %s nor %s, and no %s or %s: %w",
		SafetensorsName, IndexName, TorchName, TorchIndexName, fs.ErrNotExist)
}

// WeightFiles returns the names of the files in a folder that may hold weights, sorted: regular files, or links to such,
// with an ending that PyTorch, timm, Lightning or NumPy gives to checkpoints. It leaves out the other files of transformers'
// trainer, such as optimizer.pt.
func WeightFiles(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var found []string
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		holds := slices.ContainsFunc(weightEndings, func(end string) bool { return strings.HasSuffix(name, end) })
		beside := slices.ContainsFunc(trainerFiles, func(start string) bool { return strings.HasPrefix(name, start) })
		if !holds || beside {
			continue
		}
		if info, err := fs.Stat(fsys, e.Name()); err == nil && info.Mode().IsRegular() {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

var (
	weightEndings = []string{".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pth.tar", ".pt.tar", ".npz"}
	trainerFiles  = []string{"optimizer.", "scheduler.", "scaler.", "training_args.", "rng_state"}
)

// Parse reads a safetensors, PyTorch or .npz file from memory. The File and its tensors refer to data, which must not
// change. Errors call it name.
func Parse(name string, data []byte, opts OpenOptions) (*File, error) {
	f := &File{name: name}
	return f.of(&source{name: name, data: data}, opts)
}

func open(fsys fs.FS, name, shown string, opts OpenOptions) (*File, error) {
	if strings.HasSuffix(name, ".json") {
		return openIndex(fsys, name, shown, opts)
	}
	src, err := openSource(fsys, name, shown, !opts.Unmapped)
	if err != nil {
		return nil, err
	}
	f := &File{name: shown}
	return f.of(src, opts)
}

// openIndex opens a sharded checkpoint. Another checkpoint may replace it meanwhile, and give its shards other contents
// or remove them. Writers replace the index before they do either, so a changed index means: open the shards again.
func openIndex(fsys fs.FS, name, shown string, opts OpenOptions) (*File, error) {
	for range 8 {
		before, beforeErr := fs.Stat(fsys, name)
		if beforeErr == nil && before.Size() > maxHeader {
			return nil, formatErrorf(shown, "", "index of %d bytes is longer than the allowed %d", before.Size(), maxHeader)
		}
		f, err := openShards(fsys, name, shown, opts)
		after, afterErr := fs.Stat(fsys, name)
		if beforeErr != nil || afterErr != nil || sameFile(before, after) {
			return f, err
		}
		if f != nil {
			f.Close()
		}
	}
	return nil, fmt.Errorf("checkpoint: %s: the index keeps changing while its shards are opened: open it when no program writes there", shown)
}

// sameFile reports whether a name stood for the same content at two times, as far as the file system tells.
func sameFile(before, after fs.FileInfo) bool {
	known := os.SameFile(before, before) // of the operating system
	return before.Size() == after.Size() && before.ModTime().Equal(after.ModTime()) && (!known || os.SameFile(before, after))
}

// openShards opens the shards of an index. A tensor comes from the shard that the index names. Other tensors in a shard
// are not part of the checkpoint.
func openShards(fsys fs.FS, name, shown string, opts OpenOptions) (*File, error) {
	src, err := openSource(fsys, name, shown, false)
	if err != nil {
		return nil, err
	}
	shardOf, err := parseIndex(src.data)
	if err != nil {
		return nil, formatErrorf(shown, "", "%w", err)
	}
	f := &File{name: shown}
	fail := func(err error) (*File, error) {
		f.Close()
		return nil, err
	}
	for i := 0; i < len(shardOf); {
		shard := shardOf[i].shard
		full := path.Join(path.Dir(name), shard)
		// The index is not trusted: it may not lead out of its folder.
		if !fs.ValidPath(shard) || !filepath.IsLocal(filepath.FromSlash(shard)) || strings.ContainsAny(shard, `\:`) {
			return fail(formatErrorf(shown, shardOf[i].tensor, "expected a shard inside the folder, found %q", shard))
		}
		s, err := openSource(fsys, full, filepath.Join(filepath.Dir(shown), filepath.FromSlash(shard)), !opts.Unmapped)
		if err != nil {
			return fail(fmt.Errorf("%w (a shard of %s)", err, shown))
		}
		part, err := (&File{name: s.name}).of(s, opts)
		if err != nil {
			return fail(err)
		}
		f.sources = append(f.sources, part.sources...)
		if f.metadata == nil {
			f.metadata, f.root, f.roots = part.metadata, part.root, part.roots
		}
		for ; i < len(shardOf) && shardOf[i].shard == shard; i++ {
			t, ok := part.Tensor(shardOf[i].tensor)
			if !ok {
				return fail(formatErrorf(shown, shardOf[i].tensor, "expected in shard %q, not found there", shard))
			}
			f.tensors = append(f.tensors, t)
		}
	}
	if err := sortByName(shown, f.tensors); err != nil {
		return fail(err)
	}
	return f, nil
}

type placement struct{ shard, tensor string }

// parseIndex returns the shard of each tensor, sorted by shard.
func parseIndex(data []byte) ([]placement, error) {
	if len(data) > maxHeader {
		return nil, fmt.Errorf("index of %d bytes is longer than the allowed %d", len(data), maxHeader)
	}
	s := scanner{b: data}
	allowed := allowanceFor(len(data))
	var where []placement
	last := "" // the shard, which many tensors share
	found := false
	err := s.object(func(key string) error {
		if key != "weight_map" {
			return s.skip()
		}
		if found {
			return errors.New(`key "weight_map" is given twice`)
		}
		found = true
		return s.object(func(tensor string) error {
			shard, err := s.str()
			if err != nil {
				return err
			}
			if shard != last {
				last = shard
				if err := allowed.spend(16 + len(shard)); err != nil {
					return err
				}
			}
			if err := allowed.spend(16 + len(tensor)); err != nil {
				return err
			}
			if where, err = grown(allowed, where, 1); err != nil {
				return err
			}
			where = append(where, placement{last, tensor})
			return nil
		})
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && !found {
		err = errors.New(`expected the key "weight_map"`)
	}
	slices.SortFunc(where, func(a, b placement) int {
		if c := strings.Compare(a.shard, b.shard); c != 0 {
			return c
		}
		return strings.Compare(a.tensor, b.tensor)
	})
	for i := 1; err == nil && i < len(where); i++ {
		if where[i] == where[i-1] {
			err = fmt.Errorf("tensor %q: name is given twice", where[i].tensor[:min(len(where[i].tensor), maxName)])
		}
	}
	return where, err
}

// Name returns the name the file was opened by.
func (f *File) Name() string { return f.name }

// Len returns the number of tensors.
func (f *File) Len() int { return len(f.tensors) }

// Metadata returns the value for a key of the file's own metadata, such as "format".
func (f *File) Metadata(key string) (value string, ok bool) {
	value, ok = f.metadata[key]
	return value, ok
}

// Root returns the keys that lead to the weights in a PyTorch file: those of [OpenOptions].Root, or those that were
// found. It is nil when the value of the file is itself the weights, and for a safetensors file.
func (f *File) Root() []string { return slices.Clone(f.root) }

// Roots returns the roots that [OpenOptions].Root may name, [File.Root] included: the sets of weights in a PyTorch file,
// such as those that were trained and their average, in the order of the file. It is nil when Root is.
func (f *File) Roots() [][]string {
	roots := slices.Clone(f.roots)
	for i, r := range roots {
		roots[i] = slices.Clone(r)
	}
	return roots
}

// Names yields the tensors' names, sorted.
func (f *File) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, t := range f.tensors {
			if !yield(t.Name) {
				return
			}
		}
	}
}

// Tensors yields the tensors, sorted by name.
func (f *File) Tensors() iter.Seq[Tensor] { return slices.Values(f.tensors) }

// Tensor returns the tensor with the given name.
func (f *File) Tensor(name string) (t Tensor, ok bool) {
	i, ok := f.index(name)
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

func (f *File) index(name string) (i int, ok bool) {
	return slices.BinarySearchFunc(f.tensors, name, func(t Tensor, name string) int { return strings.Compare(t.Name, name) })
}

// Close unmaps the files at once. It is not needed: a mapping ends when nothing refers to the File and its tensors any
// more, unless views of it were handed out. After Close, tensors panic when they are read, and views must not be
// touched.
func (f *File) Close() error {
	var errs []error
	for _, s := range f.sources {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
