package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A part is a partial download of a blob, in a file beside the blob's place: blobs/HASH.ID.incomplete. The ID belongs to
// one owner. A process that continues the part of another takes it by renaming.
//
// No process truncates a partial download, and each writes every byte to its place. So where there are no locks, two processes may write
// one file without spoiling it. The first to finish gives the blob its name; the other finds its own name gone.
type part struct {
	name  string
	f     *os.File
	n     int64 // bytes written
	size  int64
	write func(f *os.File, p []byte, at int64) (int, error)
}

// errTaken says that another process continued the part.
var errTaken = errors.New("another process has taken the partial download")

const (
	idDigits = 16 // of a part; Python's have 8 and are not continued here
	suffix   = ".incomplete"
)

// A leftover is a part that another process or call left.
type leftover struct {
	name string
	size int64
}

// parts returns the partial downloads of a blob of that size, longest first.
func (s *store) parts(etag string, size int64) []leftover {
	folder := filepath.Dir(s.blob(etag))
	entries, _ := os.ReadDir(folder)
	var found []leftover
	for _, e := range entries {
		id, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), suffix), etag+".")
		if !ours || !isHash(id, idDigits) || !strings.HasSuffix(e.Name(), suffix) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && info.Size() <= size {
			found = append(found, leftover{filepath.Join(folder, e.Name()), info.Size()})
		}
	}
	slices.SortFunc(found, func(a, b leftover) int { return int(min(max(b.size-a.size, -1), 1)) })
	return found
}

// openPart continues the longest partial download of a blob, if resume is set and one exists, or begins a new one. If
// this user may rename the file of another user but not write to it, the file is discarded.
func (s *store) openPart(it *item, resume bool) (*part, error) {
	p := &part{
		name:  fmt.Sprintf("%s.%0*x%s", s.blob(it.etag), idDigits, rand.Uint64(), suffix),
		size:  it.size,
		write: s.write,
	}
	for _, old := range s.parts(it.etag, it.size) {
		if !resume || os.Rename(old.name, p.name) != nil {
			continue
		}
		f, err := os.OpenFile(p.name, os.O_RDWR, 0)
		if err != nil {
			return p, p.restart()
		}
		info, err := f.Stat()
		if err != nil || info.Size() > it.size {
			f.Close()
			return p, p.restart()
		}
		p.f, p.n = f, info.Size()
		return p, nil
	}
	return p, p.create()
}

func (p *part) create() (err error) {
	p.n = 0
	p.f, err = os.OpenFile(p.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	return err
}

func (p *part) close() {
	if p.f != nil {
		p.f.Close()
		p.f = nil
	}
}

// leave closes the part and keeps it for the next attempt, unless it is empty.
func (p *part) leave() {
	if p.f != nil && p.n == 0 {
		p.discard()
	}
	p.close()
}

// discard removes the file of the part.
func (p *part) discard() error {
	p.close()
	p.n = 0
	return os.Remove(p.name)
}

func (p *part) restart() error {
	if err := p.discard(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.create()
}

// startOver discards the bytes so far because of an error that may not come again.
func (p *part) startOver(why error) error {
	if err := p.restart(); err != nil {
		return diskError(err)
	}
	return &transient{err: why}
}

func (p *part) add(data []byte) error {
	n, err := p.write(p.f, data, p.n)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	p.n += int64(n)
	return err
}

// verify reads the file and compares its hash.
func (p *part) verify(ctx context.Context, etag string) error {
	var h hash.Hash
	if len(etag) == hex.EncodedLen(sha256.Size) {
		h = sha256.New()
	} else {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", p.size)
	}
	buf := make([]byte, min(chunk, p.size+1))
	r := io.NewSectionReader(p.f, 0, p.size+1)
	var n int64
	for ctx.Err() == nil {
		k, err := r.Read(buf)
		h.Write(buf[:k])
		n += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != p.size || got != etag {
		return fmt.Errorf("%w: expected hash %s, found %s in %d bytes", ErrCorrupt, etag, got, n)
	}
	return nil
}

// finish gives the part the blob's name, once it has reached the disk, and removes other partial downloads of the blob.
func (s *store) finish(p *part, etag string) error {
	err := p.f.Sync()
	if err == nil {
		p.close()
		err = os.Rename(p.name, s.blob(etag))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errTaken
	}
	if err != nil {
		p.discard()
		return diskError(err)
	}
	for _, old := range s.parts(etag, p.size) {
		os.Remove(old.name)
	}
	return nil
}
