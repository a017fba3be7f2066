package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Before version 1.6, torch.save wrote five pickles one after the other. They are a magic number, a version, the
// machine's format of numbers, the value itself, and the list of the keys of its storages. The data of the storages
// follows in the order of the list, not aligned, each with its number of elements in 8 bytes in front.
const torchVersion = 1001

// torchMagic is the integer 0x1950a86a20f9469cfc6c, the first in the file.
var torchMagic = long("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")

// parseTorchLegacy returns the weights in a file of pickles.
func parseTorchLegacy(src *source, root []string) (*torchContents, error) {
	fail := func(format string, args ...any) (*torchContents, error) {
		return nil, formatErrorf(src.name, "", format, args...)
	}
	allowed := allowanceFor(len(src.data))
	storages := torchStorageSet{allowed: allowed}
	at := 0
	next := func() (any, error) {
		m := &pickleMachine{b: src.data[at:], allowed: allowed, storage: storages.named}
		v, err := m.unpickle()
		if err != nil {
			err = fmt.Errorf("pickle at offset %d: %w", at, err)
		}
		at += m.pos
		return v, err
	}
	magic, err := next()
	if err != nil {
		return fail("%w", err)
	}
	if n, ok := magic.(long); !ok || !bytes.Equal(n, torchMagic) {
		return fail("expected the number that torch.save writes first, found %s: not a PyTorch file", kindOf(magic))
	}
	version, err := next()
	if err != nil {
		return fail("%w", err)
	}
	if n, ok := version.(int64); !ok {
		return fail("expected version %d, found %s", torchVersion, kindOf(version))
	} else if n != torchVersion {
		return fail("expected version %d, found %d", torchVersion, n)
	}
	system, err := next()
	if err != nil {
		return fail("%w", err)
	}
	d, ok := system.(*dict)
	if !ok {
		return fail("expected a dictionary that describes the system, found %s", kindOf(system))
	}
	if little, _ := d.get("little_endian"); little != any(true) {
		return fail("expected little-endian numbers, found a file that does not say so")
	}
	value, err := next()
	if err != nil {
		return fail("%w", err)
	}
	keys, err := next()
	if err != nil {
		return fail("%w", err)
	}
	placeErr := storages.placeLegacy(src, at, keys)
	c, err := torchTensors(src.name, value, root, allowed)
	if err != nil {
		return nil, err // which names the tensor
	}
	if placeErr != nil {
		return fail("%w", placeErr)
	}
	return c, nil
}

// placeLegacy finds the data of all storages, which starts at the offset at and has the order of keys.
func (s *torchStorageSet) placeLegacy(src *source, at int, keys any) error {
	list, ok := keys.(*sequence)
	if !ok {
		return fmt.Errorf("expected a list of the keys of storages, found %s", kindOf(keys))
	}
	placed := 0
	for _, key := range list.items {
		k, ok := key.(string)
		if !ok {
			return fmt.Errorf("expected strings as the keys of storages, found %s", kindOf(key))
		}
		st := s.byKey[k]
		if st == nil || st.src != nil {
			return fmt.Errorf("storage %.64q is listed twice, or belongs to no tensor", k)
		}
		if len(src.data)-at < 8 {
			st.err = fmt.Errorf("expected its storage at offset %d, found the end of the file", at)
			return fmt.Errorf("storage %.64q: %w", k, st.err)
		}
		count := binary.LittleEndian.Uint64(src.data[at:])
		at += 8
		if count != uint64(st.count) {
			st.err = fmt.Errorf("expected %d elements at offset %d, found %d", st.count, at-8, count)
			return fmt.Errorf("storage %.64q: %w", k, st.err)
		}
		if st.bytes() > int64(len(src.data)-at) {
			st.err = fmt.Errorf("expected %d bytes at offset %d, found %d", st.bytes(), at, len(src.data)-at)
			return fmt.Errorf("storage %.64q: %w", k, st.err)
		}
		st.src, st.begin, st.err = src, at, nil
		at += int(st.bytes())
		st.end = at
		placed++
	}
	if placed != len(s.order) {
		return fmt.Errorf("expected data of %d storages, found %d", len(s.order), placed)
	}
	if at != len(src.data) {
		return fmt.Errorf("%d bytes follow the last storage", len(src.data)-at)
	}
	return nil
}
