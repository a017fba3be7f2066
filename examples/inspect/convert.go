package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// convert writes the tensors of in to the file of -to, in the type of -dtype if given. It returns the written
// checkpoint.
func convert(ctx context.Context, c *console.Console, in *input, s settings) (*input, error) {
	var entries []checkpoint.Entry
	for t := range in.file.Tensors() {
		e := t.Entry()
		if s.dtype != checkpoint.Invalid && t.DType.IsFloat() {
			e.DType = s.dtype
		}
		entries = append(entries, e)
	}
	return write(ctx, c, in, s, entries)
}

// write writes entries and the metadata of in to the file of -to. It returns the written checkpoint.
func write(ctx context.Context, c *console.Console, in *input, s settings, entries []checkpoint.Entry) (*input, error) {
	f := in.file
	names := []string{filepath.Join(in.dir, f.Name())} // the file or the index
	for _, p := range in.parts() {
		names = append(names, string(p.Name))
	}
	if err := checkOutput(s.To, names); err != nil {
		return nil, err
	}
	metadata := map[string]string{}
	for key := range f.MetadataKeys() {
		metadata[key], _ = f.Metadata(key)
	}
	total := int64(0)
	for _, e := range entries {
		size := int64(e.DType.Size())
		for _, d := range e.Shape {
			size *= int64(d)
		}
		total += size
	}
	show := c.Phase("writing", console.Bytes, total)
	defer show.End()
	err := checkpoint.Write(s.To, entries, checkpoint.WriteOptions{
		Metadata:  metadata,
		ShardSize: s.shard,
		Progress: func(done, _ int64) error {
			show.At(done)
			return context.Cause(ctx)
		},
	})
	if err != nil {
		return nil, err
	}
	out, err := checkpoint.Open(written(s.To), checkpoint.OpenOptions{})
	if err != nil {
		return nil, err
	}
	return &input{path: written(s.To), file: out}, nil
}

// written returns the name of a written checkpoint: path, or its index if the checkpoint has several files.
func written(path string) string {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return path + ".index.json"
	}
	return path
}

// shardEnding matches what follows the stem in the name of a shard.
var shardEnding = regexp.MustCompile(`^-\d{5,}-of-\d{5,}(\.[0-9a-f]{8})?\.safetensors$`)

// checkOutput returns an error if writing to the file to could replace one of the input files in names. Writing also
// removes the shards and the index of an older checkpoint with the same name.
func checkOutput(to string, names []string) error {
	dir, base := filepath.Split(to)
	if dir == "" {
		dir = "."
	}
	folder, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	for _, in := range names {
		home, err := os.Stat(filepath.Dir(in))
		if err != nil || !os.SameFile(folder, home) {
			continue
		}
		name := filepath.Base(in)
		ending, ours := strings.CutPrefix(name, strings.TrimSuffix(base, ".safetensors"))
		if name == base || name == base+".index.json" || ours && shardEnding.MatchString(ending) {
			return fmt.Errorf("-to: %s would replace the input file %s: choose another name", to, in)
		}
	}
	return nil
}

// parseSize parses a number of bytes, such as 5GB, 500MB, 2GiB or 1000000. 0 means no limit.
func parseSize(text string) (int64, error) {
	units := []struct {
		name string
		size float64
	}{
		{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
	}
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(n >= 0) || n*u.size > 1<<60 {
			break
		}
		if n == 0 {
			return math.MaxInt64, nil
		}
		return max(int64(n*u.size), 1), nil
	}
	return 0, errors.New("expected a size such as 5GB, 500MB or 0 for one file")
}
