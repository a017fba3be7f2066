package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/text"
)

// open opens the tokenizer that -model names: a folder, one of its files, or a model on the hub.
func open(ctx context.Context, name string, out *console.Console) (*text.Tokenizer, error) {
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		return openFile(name)
	}
	dir, err := fetch.Model(ctx, name, out)
	if err != nil {
		return nil, err
	}
	return text.OpenDir(dir, text.OpenOptions{})
}

// openFile opens a single file as if it were alone in its folder. The parts of a vocabulary in two files stand for the
// folder.
func openFile(path string) (*text.Tokenizer, error) {
	dir, base := filepath.Split(path)
	name := base
	switch {
	case base == "vocab.json" || base == "merges.txt":
		return text.OpenDir(filepath.Clean(dir), text.OpenOptions{})
	case strings.HasSuffix(base, ".json"):
		name = "tokenizer.json"
	case strings.HasSuffix(base, ".txt.gz"):
		name = "bpe_simple_vocab_16e6.txt.gz"
	case strings.HasSuffix(base, ".txt"):
		name = "vocab.txt"
	case strings.HasSuffix(base, ".model"):
		name = "tokenizer.model"
	default:
		return nil, fmt.Errorf("%s: expected a folder, a .json, .txt, .txt.gz or .model file", path)
	}
	t, err := text.Open(alone{path, name}, text.OpenOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// alone is a folder with one file, whatever its name on disk is.
type alone struct{ path, name string }

// Open implements fs.FS.
func (a alone) Open(name string) (fs.File, error) {
	if name != a.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(a.path)
}

// Stat implements fs.StatFS, because opening a pipe would wait for its writer.
func (a alone) Stat(name string) (fs.FileInfo, error) {
	if name != a.name {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return os.Stat(a.path)
}
