package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The safetensors format: eight bytes hold the little-endian length n of a JSON header, n bytes hold the header, and
// the rest is the data. The header maps each tensor's name to {"dtype", "shape", "data_offsets": [begin, end)}, with
// offsets from the start of the data. The key __metadata__ maps strings to strings. The tensors tile the data: no hole,
// no overlap, nothing left over. https://huggingface.co/docs/safetensors
const (
	prefixSize  = 8
	maxHeader   = 100_000_000 // the limit of the reference implementation
	maxRank     = 64          // the limit of PyTorch
	metadataKey = "__metadata__"
)

// parseSafetensors returns the tensors of src, sorted by name, and its metadata.
func parseSafetensors(src *source) ([]Tensor, map[string]string, error) {
	data, file := src.data, src.name
	if len(data) < prefixSize {
		return nil, nil, formatErrorf(file, "", "expected at least %d bytes, found %d", prefixSize, len(data))
	}
	if !bytes.HasPrefix(data[prefixSize:], []byte("{")) {
		return nil, nil, formatErrorf(file, "", "header does not start with %q: not a safetensors file", "{")
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-prefixSize) {
		return nil, nil, formatErrorf(file, "", "header of %d bytes goes past the end of the file of %d bytes", n, len(data))
	}
	if n > maxHeader {
		return nil, nil, formatErrorf(file, "", "header of %d bytes is longer than the allowed %d", n, maxHeader)
	}
	header := data[prefixSize : prefixSize+int(n)]
	base := prefixSize + int(n)
	s := scanner{b: header}
	allowed := allowanceFor(len(data))
	var tensors []Tensor
	var metadata map[string]string
	described := false
	err := s.object(func(key string) error {
		if key == metadataKey {
			if described {
				return formatErrorf(file, "", "key %q is given twice", metadataKey)
			}
			described = true
			if s.null() { // as the reference implementation reads it
				return nil
			}
			var err error
			metadata, err = parseMetadata(&s, allowed)
			return err
		}
		t, err := parseEntry(&s, key, src, base)
		if err != nil {
			return err
		}
		if err := allowed.spend(32 + len(key) + 16*len(t.Shape)); err != nil { // with the shape as it was scanned
			return err
		}
		if tensors, err = grown(allowed, tensors, 1); err != nil {
			return err
		}
		tensors = append(tensors, t)
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		if _, ok := err.(*FormatError); ok {
			return nil, nil, err
		}
		return nil, nil, formatErrorf(file, "", "header: %w", err)
	}
	if err := checkTiling(file, tensors, base, len(data)); err != nil {
		return nil, nil, err
	}
	if err := sortByName(file, tensors); err != nil {
		return nil, nil, err
	}
	return tensors, metadata, nil
}

func parseMetadata(s *scanner, allowed *allowance) (map[string]string, error) {
	m := map[string]string{}
	err := s.object(func(key string) error {
		v, err := s.str()
		if err != nil {
			return fmt.Errorf("metadata %q: %w", key, err)
		}
		if err := allowed.spend(128 + len(key) + len(v)); err != nil {
			return err
		}
		if _, ok := m[key]; ok {
			return fmt.Errorf("metadata %q is given twice", key)
		}
		m[key] = v
		return nil
	})
	return m, err
}

// parseEntry reads one tensor's description and checks it against itself and the length of the data.
func parseEntry(s *scanner, name string, src *source, base int) (Tensor, error) {
	bad := func(format string, args ...any) (Tensor, error) {
		return Tensor{}, formatErrorf(src.name, name, format, args...)
	}
	t := Tensor{Name: name, src: src}
	var shape, offsets []int64
	err := s.object(func(key string) (err error) {
		switch {
		case key == "dtype" && t.DType == Invalid:
			var d string
			if d, err = s.str(); err != nil {
				return err
			}
			if t.DType = dtypeNamed(d); t.DType == Invalid {
				return fmt.Errorf("unknown type %q", d)
			}
		case key == "shape" && shape == nil:
			shape, err = s.sizes(maxRank)
		case key == "data_offsets" && offsets == nil:
			offsets, err = s.sizes(2)
		default:
			return fmt.Errorf("key %q is unknown or given twice", key)
		}
		return err
	})
	if err != nil {
		return bad("%w", err)
	}
	if t.DType == Invalid || shape == nil || len(offsets) != 2 {
		return bad("expected dtype, shape and two data_offsets")
	}
	t.Shape = make([]int, len(shape))
	count := int64(t.DType.Size())
	empty := false
	for i, d := range shape {
		if d > math.MaxInt {
			return bad("shape %v overflows", shape)
		}
		t.Shape[i] = int(d)
		if d == 0 {
			empty = true
			continue
		}
		// An overflow is an error even when another size is zero: callers multiply in their own order.
		if count > math.MaxInt/d {
			return bad("shape %v overflows", shape)
		}
		count *= d
	}
	if empty {
		count = 0
	}
	begin, end := offsets[0], offsets[1]
	if begin > end || end > int64(len(src.data)-base) {
		return bad("expected offsets within the %d bytes of data, found [%d, %d)", len(src.data)-base, begin, end)
	}
	if end-begin != count {
		return bad("expected %d bytes for %s %v, found %d", count, t.DType, shape, end-begin)
	}
	t.begin, t.end = base+int(begin), base+int(end)
	return t, nil
}

// checkTiling returns an error unless the tensors fill [base, end) without hole or overlap. It sorts them by place.
func checkTiling(file string, tensors []Tensor, base, end int) error {
	slices.SortStableFunc(tensors, func(a, b Tensor) int {
		if a.begin != b.begin {
			return a.begin - b.begin
		}
		return a.end - b.end
	})
	at := base
	for _, t := range tensors {
		if t.begin != at {
			return formatErrorf(file, t.Name, "expected data at offset %d, where the previous tensor ends, found %d",
				at-base, t.begin-base)
		}
		at = t.end
	}
	if at != end {
		return formatErrorf(file, "", "expected %d bytes of data, found %d", at-base, end-base)
	}
	return nil
}

func sortByName(file string, tensors []Tensor) error {
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(tensors); i++ {
		if tensors[i].Name == tensors[i-1].Name {
			return formatErrorf(file, tensors[i].Name, "name is given twice")
		}
	}
	return nil
}
