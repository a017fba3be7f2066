package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// WriteOptions change how a checkpoint is written.
type WriteOptions struct {
	// DType is the type of floats in the file: F32 (also for the zero value), F16 or BF16. Rounding is to nearest,
	// ties to even. A finite number that would become infinite is an error. An [Entry] with its own type keeps it.
	DType DType

	// Metadata is the metadata of the file. Unless it has the key "format", that is "pt", which transformers
	// requires.
	Metadata map[string]string

	// ShardSize, if positive, is the approximate limit of a file in bytes of tensors. More tensors go into several
	// files with an index; see [Write].
	ShardSize int64

	// Progress, if not nil, is called now and then with the bytes of tensors written and their total. If it returns
	// an error, writing ends and nothing is changed.
	Progress func(done, total int64) error
}

// DefaultShardSize is the ShardSize of the Hugging Face libraries, in bytes.
const DefaultShardSize = 5_000_000_000

// Write writes a checkpoint. It replaces one of the same name whole or not at all. Tensors are streamed; no second copy
// of them is made.
//
// A single file is written under a temporary name in the same folder, synced, and renamed to path.
//
// If the tensors exceed ShardSize, path must end in ".safetensors". "model.safetensors" then stands for the files
// "model-00001-of-00003.safetensors" and so on, filled in the order of the entries, and for the index
// "model.safetensors.index.json". Open, OpenFolder and transformers read that index. A tensor larger than ShardSize has
// a file to itself.
//
// A crash or an error at any point leaves a whole checkpoint in the folder, the old one or the new one. Shards get
// names that the old index does not use, the index is replaced when they are complete, and the old shards are removed
// last.
func Write(path string, entries []Entry, opts WriteOptions) error {
	list, err := items(entries, opts)
	if err == nil {
		s := &stream{total: totalSize(list), progress: opts.Progress}
		if opts.ShardSize > 0 {
			err = s.writeShards(path, list, opts)
		} else {
			err = s.writeFile(path, list, opts.Metadata)
		}
	}
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	return nil
}

// writeFile replaces path by one file.
func (s *stream) writeFile(path string, list []item, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return s.encode(w, list, metadata) })
}

// Encode writes one safetensors file to w, whatever the ShardSize. Tensors of wider types come first, so that every
// tensor is aligned to its element type; within a type, they are sorted by name. Equal tensors make equal bytes.
func Encode(w io.Writer, entries []Entry, opts WriteOptions) error {
	list, err := items(entries, opts)
	if err != nil {
		return err
	}
	s := &stream{total: totalSize(list), progress: opts.Progress}
	return s.encode(w, list, opts.Metadata)
}

func totalSize(list []item) int64 {
	n := int64(0)
	for _, it := range list {
		n += int64(it.size())
	}
	return n
}

func (s *stream) encode(w io.Writer, list []item, metadata map[string]string) error {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b item) int {
		return cmp.Or(-cmp.Compare(a.as.Size(), b.as.Size()), strings.Compare(a.Name, b.Name))
	})
	head, err := header(sorted, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	s.w = w
	for _, it := range sorted {
		if err := s.put(it); err != nil {
			return err
		}
	}
	return nil
}

// header returns the length and the JSON, padded to a multiple of eight bytes.
func header(sorted []item, given map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, prefixSize))
	metadata := map[string]string{"format": "pt"}
	for k, v := range given {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("metadata %q: %q is not valid UTF-8", k, v)
		}
		metadata[k] = v
	}
	b.WriteString(`{"` + metadataKey + `":`)
	if err := quote(b, metadata); err != nil {
		return nil, err
	}
	at := 0
	for _, it := range sorted {
		b.WriteByte(',')
		if err := quote(b, it.Name); err != nil {
			return nil, err
		}
		shape := append([]int{}, it.Shape...) // never null
		b.WriteString(`:{"dtype":"` + it.as.String() + `","shape":`)
		if err := quote(b, shape); err != nil {
			return nil, err
		}
		end := at + it.size()
		fmt.Fprintf(b, `,"data_offsets":[%d,%d]}`, at, end)
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	head := b.Bytes()
	if len(head)-prefixSize > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is longer than the allowed %d", len(head)-prefixSize, maxHeader)
	}
	binary.LittleEndian.PutUint64(head, uint64(len(head)-prefixSize))
	return head, nil
}

// quote appends v as JSON.
func quote(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}
