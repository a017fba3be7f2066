package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

const (
	safetensorsSuffix = ".safetensors"
	indexSuffix       = ".index.json" // after the name of a single file
)

// divide fills shards in order and begins a new one when a tensor does not fit. A tensor larger than the limit gets a
// shard to itself, without ending the current one. huggingface_hub divides in the same way.
func divide(list []item, limit int64) [][]item {
	var shards [][]item
	var current []item
	filled := int64(0)
	for _, it := range list {
		size := int64(it.size())
		if size > limit {
			shards = append(shards, []item{it})
			continue
		}
		if filled+size > limit {
			shards = append(shards, current)
			current, filled = nil, 0
		}
		current = append(current, it)
		filled += size
	}
	if len(current) > 0 || len(shards) == 0 {
		shards = append(shards, current)
	}
	return shards
}

// writeShards writes a checkpoint in as many files as it takes, and removes the files of the one it replaces.
//
// One step, a rename or a removal, switches from the old checkpoint to the new one. Before it, no file of the old one is
// touched. After it, only files that the new one does not need.
func (s *stream) writeShards(path string, list []item, opts WriteOptions) (err error) {
	dir, base := filepath.Split(path)
	stem, ok := strings.CutSuffix(base, safetensorsSuffix)
	if !ok {
		return fmt.Errorf("expected a name that ends in %q for shards", safetensorsSuffix)
	}
	shards := divide(list, opts.ShardSize)
	if len(shards) == 1 {
		// Every reader prefers the single file to an index: its rename is the switch.
		if err := s.writeFile(path, list, opts.Metadata); err != nil {
			return err
		}
		if err := remove(path + indexSuffix); err != nil {
			return err
		}
		return removeShards(dir, stem, nil)
	}

	names := make([]string, len(shards))
	for i := range names {
		names[i] = fmt.Sprintf("%s-%05d-of-%05d%s", stem, i+1, len(shards), safetensorsSuffix)
	}
	first := names
	if anyExists(dir, names) {
		// The old checkpoint has as many shards: the new ones get temporary names.
		mark := fmt.Sprintf(".%08x%s", rand.Uint32(), safetensorsSuffix)
		first = make([]string, len(names))
		for i, name := range names {
			first[i] = strings.TrimSuffix(name, safetensorsSuffix) + mark
		}
	}
	written := 0
	defer func() {
		if err != nil {
			for _, name := range first[:written] {
				os.Remove(filepath.Join(dir, name))
			}
		}
	}()
	for i, shard := range shards {
		if err := s.writeFile(filepath.Join(dir, first[i]), shard, opts.Metadata); err != nil {
			return err
		}
		written++
	}
	if err := writeIndex(path+indexSuffix, first, shards); err != nil {
		return err
	}
	written = 0 // from now on they are the checkpoint
	if err := remove(path); err != nil {
		return err
	}
	if renamed(dir, first, names) {
		if err := writeIndex(path+indexSuffix, names, shards); err != nil {
			return err
		}
		first = names
	}
	return removeShards(dir, stem, first)
}

// writeIndex writes the index: the shard of each tensor.
func writeIndex(path string, names []string, shards [][]item) error {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for i, shard := range shards {
		index.Metadata.TotalSize += totalSize(shard)
		for _, it := range shard {
			index.WeightMap[it.Name] = names[i]
		}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(index)
	})
}

func anyExists(dir string, names []string) bool {
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// renamed gives files their final names beside the first ones, so that either index finds all of its files.
// Where a file cannot have two names, it says no, and the first ones stay: an index may name its shards
// as it likes.
func renamed(dir string, first, names []string) bool {
	for i, name := range names {
		if first[i] == name {
			continue
		}
		spare := filepath.Join(dir, "."+first[i]+".tmp")
		err := os.Link(filepath.Join(dir, first[i]), spare)
		if err == nil {
			err = os.Rename(spare, filepath.Join(dir, name))
		}
		if err != nil {
			os.Remove(spare)
			return false
		}
	}
	return true
}

// shardEnding matches what follows the stem in the name of a shard, temporaryShardEnding in that of its temporary file.
var (
	shardEnding          = regexp.MustCompile(`^-\d{5,}-of-\d{5,}(\.[0-9a-f]{8})?\.safetensors$`)
	temporaryShardEnding = regexp.MustCompile(`^-\d{5,}-of-\d{5,}(\.[0-9a-f]{8})?\.safetensors(\.[0-9a-f]{8})?\.tmp$`)
)

// removeShards removes the shards of other checkpoints of the same name from a folder, and the temporary files of
// killed processes that wrote shards.
func removeShards(dir, stem string, keep []string) error {
	needed := map[string]bool{}
	for _, name := range keep {
		needed[name] = true
	}
	if dir == "" {
		dir = "."
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		// stem is no part of the expressions: a name need not be UTF-8.
		ending, named := strings.CutPrefix(e.Name(), stem)
		rest, hidden := strings.CutPrefix(e.Name(), "."+stem)
		shard := named && shardEnding.MatchString(ending) || hidden && temporaryShardEnding.MatchString(rest)
		if shard && !needed[e.Name()] && !e.IsDir() {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file if it exists.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
