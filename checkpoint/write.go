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
	// DType is the type in which floats are stored: F32 (also the zero value), F16 or BF16. Rounding is
	// to nearest, ties to even; a finite number that would become infinite is an error. An [Entry] with a
	// type of its own keeps it.
	DType DType

	// Metadata is the file's own metadata. Without it, or without the key, "format" is "pt", which
	// transformers asks for.
	Metadata map[string]string

	// ShardSize, if positive, is about how many bytes of tensors a file may hold. What is more goes into
	// several files beside an index; see [Write].
	ShardSize int64

	// Progress, if not nil, is told now and then how many bytes of tensors are written, of how many. An
	// error that it returns ends the writing, with nothing changed.
	Progress func(done, total int64) error
}

// DefaultShardSize is the ShardSize that the Hugging Face libraries save with.
const DefaultShardSize = 5_000_000_000

// Write writes a checkpoint that takes the place of one of the same name whole or not at all. Tensors are
// streamed; no second copy of them is made.
//
// A single file goes under a temporary name in the same folder, is synced, and is renamed to path.
//
// With a ShardSize that the tensors exceed, "model.safetensors" stands for the files
// "model-00001-of-00003.safetensors" and so on, filled in the order of the entries, and an index
// "model.safetensors.index.json", which Open and OpenFolder take, as transformers does. A tensor
// larger than the size has a file to itself. A crash or an error at any point leaves a checkpoint in the folder,
// the old one or the new: shards get names that the old index does not use, the index is replaced when they are
// complete, and what belonged to the old one is removed last. path must end in ".safetensors".
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

// writeFile puts one file into the place of path.
func (s *stream) writeFile(path string, list []item, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return s.encode(w, list, metadata) })
}

// Encode writes a safetensors file to w. Data of wider types comes first, so that every tensor is aligned
// to its element, then the order is that of the names: equal tensors make equal bytes. There is one file,
// whatever the ShardSize.
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

// header returns the length and the JSON, padded so that the data starts at a multiple of eight.
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
