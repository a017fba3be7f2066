package vision

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/printable"
)

// Extensions of the files of a pair, in the order in which they are preferred.
var (
	shardImages   = []string{"jpg", "png", "jpeg", "webp"} // open_clip's order
	shardCaptions = []string{"txt", "json"}
)

// maxEntryName bounds the name of a file in a shard. Paths of systems are not longer.
const maxEntryName = 4096

// blockSize is the unit of tar files.
const blockSize = 512

// shardSample is a pair whose files are being collected.
type shardSample struct {
	key     string
	image   shardFile
	caption shardFile
	err     error // the first reason to leave the pair out
}

// shardFile is a file of a pair.
type shardFile struct {
	name string
	kind int // place in shardImages or shardCaptions, counted from 1; 0 is no file
	extent
}

// shardIndex collects the pairs of one shard.
type shardIndex struct {
	samples []shardSample
	number  map[string]int // of a sample, by its key
	broken  []error        // files without a sample
}

// index adds the pairs of a shard.
func (d *Shards) index(ctx context.Context, name string) error {
	f, r, st, err := openRandom(d.fsys, name)
	if err != nil {
		return err
	}
	defer f.Close()
	x := &shardIndex{number: map[string]int{}}
	end, err := x.read(ctx, &tarWindow{r: r, size: st.Size()})
	if err != nil {
		return err
	}
	skip := func(what string, err error) {
		if d.skipped++; len(d.first) < maxFirst {
			d.first = append(d.first, fmt.Errorf("vision: %s/%s: %w", printable.Name(name), printable.Name(what), err))
		}
	}
	for i := range x.samples {
		s := &x.samples[i]
		switch {
		case s.err != nil:
		case s.image.kind == 0:
			s.err = errors.New("a caption without an image")
		case s.caption.kind == 0:
			s.err = fmt.Errorf("an image: %w", ErrNoCaption)
		case s.caption.n > maxCaption:
			s.err = fmt.Errorf("a caption of %d bytes, the limit is %d", s.caption.n, maxCaption)
		}
		if s.err != nil {
			skip(s.key, s.err)
			continue
		}
		d.pairs = append(d.pairs, shardPair{
			name: s.image.name, shard: len(d.shards),
			image: s.image.extent, caption: s.caption.extent, json: shardCaptions[s.caption.kind-1] == "json",
		})
	}
	for _, err := range x.broken {
		skip("", err)
	}
	if end != nil {
		skip("", end)
	}
	d.shards = append(d.shards, shard{name, st.Size()})
	return nil
}

// read lists the files of a shard. end is not nil where the shard ends early or is corrupted: the files before are listed.
func (x *shardIndex) read(ctx context.Context, w *tarWindow) (end, err error) {
	start := make([]byte, 10) // a name of a file may begin like the first bytes of a format
	n, err := w.r.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return nil, nameless(err)
	}
	if what := compression(start[:n]); what != "" {
		return nil, fmt.Errorf("compressed with %s; shards are read in any order, so unpack it to an uncompressed tar file", what)
	}
	r := tar.NewReader(w)
	next := int64(0) // where the files so far end, or -1 if that is not known
	for count := 0; ; count++ {
		if count%256 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		h, err := r.Next()
		switch {
		case err == io.EOF:
			if next < 0 {
				return nil, nil
			}
			return w.checkEnd(next), nil
		case w.err != nil:
			return nil, nameless(w.err)
		case err != nil && count == 0:
			return nil, fmt.Errorf("not a tar file, or corrupted from its start: %w", err)
		case err != nil:
			return fmt.Errorf("the shard is corrupted or cut near byte %d of %d, and the rest is left out: %w", w.at, w.size, err), nil
		}
		// A sparse file is shorter in the shard than its size says; nothing after it relies on it.
		sparse := isSparse(h)
		if !sparse && h.Size > w.size-w.at {
			x.add(h, w.at, errors.New("the shard ends within the file"))
			return fmt.Errorf("the shard is cut: %s would end %d bytes after its end", describeEntry(h.Name), h.Size-(w.size-w.at)), nil
		}
		var bad error
		switch {
		case sparse:
			bad = errors.New("a sparse file")
		case h.Typeflag == tar.TypeLink || h.Typeflag == tar.TypeSymlink:
			bad = errors.New("a link")
		case h.Typeflag != tar.TypeReg:
			bad = errors.New("not a regular file")
		}
		x.add(h, w.at, bad)
		if next = -1; !sparse {
			next = w.at + (h.Size+blockSize-1)/blockSize*blockSize
		}
	}
}

// compression returns the format that a file of ten first bytes is compressed with, or "".
func compression(start []byte) string {
	for magic, what := range map[string]string{"\x1f\x8b\x08": "gzip", "\x28\xb5\x2f\xfd": "Zstandard", "\xfd7zXZ\x00": "xz"} {
		if bytes.HasPrefix(start, []byte(magic)) {
			return what
		}
	}
	// "BZh", the level, and the mark of a block or of the end.
	if len(start) == 10 && bytes.HasPrefix(start, []byte("BZh")) && (string(start[4:]) == "1AY&SY" || string(start[4:]) == "\x17\x72\x45\x38\x50\x90") {
		return "bzip2"
	}
	return ""
}

// isSparse reports whether a file is stored without its zeros, in one of GNU tar's ways.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// add adds a file, which begins at a place of the shard. bad says why its pair cannot be used, or is nil.
func (x *shardIndex) add(h *tar.Header, at int64, bad error) {
	if h.Typeflag == tar.TypeDir {
		return
	}
	dir, base := path.Split(h.Name)
	stem, extension, dotted := strings.Cut(base, ".")
	extension = strings.ToLower(extension)
	image, caption := 1+slices.Index(shardImages, extension), 1+slices.Index(shardCaptions, extension)
	if !dotted || stem == "" || image+caption == 0 {
		return
	}
	if len(h.Name) > maxEntryName {
		x.broken = append(x.broken, fmt.Errorf("%s: the limit is %d bytes", describeEntry(h.Name), maxEntryName))
		return
	}
	i, ok := x.number[dir+stem]
	if !ok {
		i = len(x.samples)
		key := strings.Clone(h.Name[:len(dir)+len(stem)])
		x.number[key] = i
		x.samples = append(x.samples, shardSample{key: key})
	}
	s := &x.samples[i]
	file, kind := &s.image, image
	if caption > 0 {
		file, kind = &s.caption, caption
	}
	switch {
	case bad != nil && s.err == nil:
		s.err = fmt.Errorf("%s: %w", printable.Name(base), bad)
	case file.kind == kind && s.err == nil:
		s.err = fmt.Errorf("%s is in the shard twice", printable.Name(base))
	case file.kind == 0 || kind < file.kind:
		*file = shardFile{strings.Clone(h.Name), kind, extent{at, h.Size}}
	}
}

// describeEntry returns the name of a file for a message.
func describeEntry(name string) string {
	if len(name) > maxEntryName {
		return fmt.Sprintf("a name of %d bytes", len(name))
	}
	return printable.Name(name)
}

// tarWindow reads a shard for tar.Reader, which skips the content of files by Seek. It keeps a few kilobytes, in which the
// headers of a pair usually lie together.
type tarWindow struct {
	r        io.ReaderAt
	size, at int64
	window   []byte
	from     int64 // of window
	err      error // of r, other than its end
}

func (w *tarWindow) Read(b []byte) (int, error) {
	if w.at >= w.size {
		return 0, io.EOF
	}
	if w.at < w.from || w.at >= w.from+int64(len(w.window)) {
		if w.window == nil {
			w.window = make([]byte, 8*blockSize)
		}
		w.window = w.window[:min(int64(cap(w.window)), w.size-w.at)]
		n, err := w.r.ReadAt(w.window, w.at)
		w.window, w.from = w.window[:n], w.at
		if n == 0 {
			if err != io.EOF {
				w.err = err
			}
			return 0, err
		}
	}
	n := copy(b, w.window[w.at-w.from:])
	w.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker for offsets from the current place and from the start.
func (w *tarWindow) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekCurrent {
		offset += w.at
	}
	if whence == io.SeekEnd || offset < 0 {
		return 0, errors.New("a seek out of the file")
	}
	w.at = offset
	return offset, nil
}

// checkEnd returns an error for a shard that lacks the blocks of zeros at its end, because it was cut between two files, and
// for one with more after them: a second archive, which no reader of tar files would see.
func (w *tarWindow) checkEnd(next int64) error {
	const most = 64 << 10
	rest := make([]byte, max(0, min(w.size-next, most)))
	n, _ := w.r.ReadAt(rest, next)
	switch rest = rest[:n]; {
	case len(rest) < 2*blockSize:
		return fmt.Errorf("the shard has no end mark after %d bytes: it may be cut", w.size)
	case slices.ContainsFunc(rest, func(b byte) bool { return b != 0 }):
		return fmt.Errorf("after the end mark at byte %d the shard goes on; the rest is left out", next)
	}
	return nil
}
