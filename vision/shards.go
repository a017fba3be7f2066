package vision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/printable"
)

// ShardOptions says how tar shards are read. The zero value is the usual one.
type ShardOptions struct {
	// Decode is passed to DecodeBytes.
	Decode DecodeOptions
}

// Shards are image-caption pairs in tar files: see [OpenShards]. They have no classes. They hold a name and two positions for
// each pair, and read images and captions when they are asked for. No file stays open.
type Shards struct {
	fsys    fs.FS
	options ShardOptions
	shards  []shard
	pairs   []shardPair
	skipped int
	first   []error // of the skipped pairs
}

// shard is a tar file.
type shard struct {
	name string
	size int64 // when it was indexed
}

// shardPair is an image and its caption in a shard.
type shardPair struct {
	name           string // of the image
	shard          int
	image, caption extent
	json           bool // the caption is a field of a JSON object
}

// extent is a part of a file in bytes.
type extent struct{ at, n int64 }

// maxCaption bounds a file with a caption. The JSON files of img2dataset also hold the metadata of photographs.
const maxCaption = 1 << 20

// maxFirst is the number of skipped pairs whose errors are kept.
const maxFirst = 10

// OpenShards indexes tar files of image-caption pairs in the layout of webdataset, once, so that a [Loader] reads the pairs
// in any order and enters an epoch at any pair. Files of one pair have names that are equal up to the first dot of their
// base name: an image with the extension .jpg, .jpeg, .png or .webp, and a caption, as .txt or as the string "caption" in a
// .json object. Of several images or captions, the first kind in this order counts; other files are ignored.
//
// names are shards in fsys. Braces stand for lists and ranges, as in a shell: "{000..009}.tar", "{a,b}-{1..3}.tar". The
// pairs keep the order of the shards and of their files.
//
// Pairs that cannot be used are left out and counted: see [Shards.Skipped]. Those are pairs without image or caption, links,
// sparse files, two files of one name, and what follows the place where a shard is corrupted or cut. An image that
// cannot be decoded, and a caption that is empty or not UTF-8, give errors from Open and Captions.
//
// It is an error when a shard is missing, compressed, or no tar file at all, when no pair is left ([ErrNoImages]), and when
// fsys gives no random access (io.ReaderAt), as os.DirFS and fstest.MapFS do. The error of ctx ends the indexing.
func OpenShards(ctx context.Context, fsys fs.FS, o ShardOptions, names ...string) (*Shards, error) {
	d := &Shards{fsys: fsys, options: o}
	seen := map[string]bool{}
	for _, pattern := range names {
		list, err := expandBraces(pattern)
		if err != nil {
			return nil, fmt.Errorf("vision: shards %s: %w", printable.Name(pattern), err)
		}
		for _, name := range list {
			if seen[name] {
				return nil, fmt.Errorf("vision: shard %s is given twice", printable.Name(name))
			}
			seen[name] = true
			if err := d.index(ctx, name); err != nil {
				return nil, fmt.Errorf("vision: shard %s: %w", printable.Name(name), err)
			}
		}
	}
	switch {
	case len(d.shards) == 0:
		return nil, fmt.Errorf("vision: no shards: %w", ErrNoImages)
	case len(d.pairs) == 0 && d.skipped > 0:
		return nil, fmt.Errorf("vision: %d shards without a usable pair: %w: %d were skipped, the first: %w", len(d.shards), ErrNoImages, d.skipped, d.first[0])
	case len(d.pairs) == 0:
		return nil, fmt.Errorf("vision: %d shards without a pair of an image (.jpg, .jpeg, .png, .webp) and a caption (.txt, .json): %w", len(d.shards), ErrNoImages)
	}
	d.pairs = slices.Clip(d.pairs)
	return d, nil
}

// Len returns the number of pairs.
func (d *Shards) Len() int { return len(d.pairs) }

// Classes returns nil.
func (d *Shards) Classes() []string { return nil }

// Label returns 0.
func (d *Shards) Label(int) int { return 0 }

// Name returns the shard and the image of pair i, as in "000.tar/00042.jpg".
func (d *Shards) Name(i int) string { return d.shards[d.pairs[i].shard].name + "/" + d.pairs[i].name }

// Skipped returns the number of pairs that were left out when the shards were indexed, and an error that names it for each
// of the first ten. What follows the place where a shard is corrupted counts as one.
func (d *Shards) Skipped() (n int, first []error) { return d.skipped, d.first }

// Open reads and decodes the image of pair i.
func (d *Shards) Open(i int) (*Image, error) { return new(workspace).decodeShard(d, i) }

// decodeShard is Shards.Open in the workspace.
func (w *workspace) decodeShard(d *Shards, i int) (*Image, error) {
	p := &d.pairs[i]
	o := d.options.Decode
	o.Name = d.Name(i)
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	if p.image.n > limit {
		return nil, &DecodeError{Name: o.Name, Kind: ErrTooLarge, Err: fmt.Errorf("%d bytes, the limit is %d", p.image.n, limit)}
	}
	file, err := d.read(w.file, p.shard, p.image)
	if err != nil {
		return nil, &DecodeError{Name: o.Name, Err: err}
	}
	w.file = file
	return w.decodeBytes(file, o)
}

// Captions returns the caption of pair i, without white space at its ends.
func (d *Shards) Captions(i int) ([]string, error) {
	p := &d.pairs[i]
	text, err := d.read(nil, p.shard, p.caption)
	if err == nil && !utf8.Valid(text) {
		err = errors.New("the caption is not UTF-8")
	}
	caption := string(text)
	if err == nil && p.json {
		caption, err = captionField(text)
	}
	if caption = strings.TrimSpace(caption); err == nil && caption == "" {
		err = ErrNoCaption
	}
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", printable.Name(d.Name(i)), err)
	}
	return []string{caption}, nil
}

// captionField returns the field "caption" of a JSON object.
func captionField(object []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return "", fmt.Errorf("the .json file: %w", err)
	}
	value, ok := fields["caption"]
	if !ok || string(value) == "null" {
		return "", fmt.Errorf("the .json file has no \"caption\": %w", ErrNoCaption)
	}
	var caption string
	if err := json.Unmarshal(value, &caption); err != nil {
		return "", errors.New(`the "caption" of the .json file is no string`)
	}
	return caption, nil
}

// read reads a part of a shard into buf, where it fits.
func (d *Shards) read(buf []byte, number int, e extent) ([]byte, error) {
	s := d.shards[number]
	f, r, st, err := openRandom(d.fsys, s.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size() != s.size {
		return nil, fmt.Errorf("the shard had %d bytes when it was indexed, and now has %d", s.size, st.Size())
	}
	buf = slices.Grow(buf[:0], int(e.n))[:e.n]
	switch n, err := r.ReadAt(buf, e.at); {
	case n == len(buf):
	case err == io.EOF: // cut since the size was asked for
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, nameless(err)
	}
	return buf, nil
}

// openRandom opens a regular file for reading at any place.
func openRandom(fsys fs.FS, name string) (fs.File, io.ReaderAt, fs.FileInfo, error) {
	f, st, err := openRegular(fsys, name)
	if err != nil {
		return nil, nil, nil, err
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		f.Close()
		return nil, nil, nil, errors.New("the file system gives no random access (io.ReaderAt)")
	}
	return f, r, st, nil
}
