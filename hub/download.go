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
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// chunk is how much is read at most before it is written and reported.
const chunk = 256 << 10

// errChanged is of a file whose hash is no longer the one that was described.
var errChanged = errors.New("it changed on the hub")

// download brings one blob into the cache.
func (g *getter) download(ctx context.Context, commit string, it *item) error {
	for changes := 0; ; changes++ {
		err := g.downloadOnce(ctx, commit, it)
		if !errors.Is(err, errChanged) || it.listed.hash != "" || changes == 2 {
			return err
		}
		err = g.client.retry(ctx, func() (err error) {
			it.blob, err = g.client.describe(ctx, g.model, commit, it.name, it.listed)
			return err
		})
		if err != nil {
			return err
		}
		g.meter.add(it)
	}
}

// downloadOnce fetches a blob under its lock, going on where an earlier attempt, of any process, stopped. What has
// arrived is read again, from the disk, before it gets the blob's name.
func (g *getter) downloadOnce(ctx context.Context, commit string, it *item) error {
	unlock, err := g.lock(ctx, it.etag)
	if err != nil {
		return err
	}
	defer unlock()
	if holds(g.store.blob(it.etag), it.size) {
		g.meter.at(it, it.size)
		return nil
	}
	p, err := g.openPart(it)
	if err != nil {
		return diskError(err)
	}
	defer p.leave()
	best, failures, damaged := p.n, 0, 0
	for {
		g.meter.at(it, p.n)
		if p.n < it.size {
			err = g.receive(ctx, commit, it, p)
		}
		if err == nil {
			if err = p.verify(ctx, it.etag); err == nil {
				return p.finish(g.store.blob(it.etag))
			}
			if damaged++; errors.Is(err, ErrCorrupt) && damaged == 1 { // what an earlier attempt has left, or a bad line
				best = 0
				if err = p.restart(); err != nil {
					return diskError(err)
				}
				continue
			}
		}
		if errors.Is(err, errChanged) || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrCorrupt) {
			p.discard()
		}
		if p.n > best {
			best, failures = p.n, 0
		}
		failures++
		if err = g.client.again(ctx, failures, err); err != nil {
			return err
		}
	}
}

// receive asks for the bytes that a part lacks and adds them to it, until it is full or the connection ends.
func (g *getter) receive(ctx context.Context, commit string, it *item, p *part) error {
	header := http.Header{}
	if p.n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.n))
		if it.validator != "" {
			header.Set("If-Range", it.validator)
		}
	}
	a, err := g.client.send(ctx, http.MethodGet, g.client.fileAddress(g.model, commit, it.name), header, false)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if tag := normalETag(a.about); a.StatusCode/100 == 2 && len(tag) == len(it.etag) && tag != it.etag {
		return fmt.Errorf("%w while it was fetched: its hash was %s and is %s", errChanged, it.etag, tag)
	}
	switch a.StatusCode {
	case http.StatusPartialContent:
		if start, total := contentRange(a.Header.Get("Content-Range")); start != p.n || total >= 0 && total != it.size {
			return p.startOver(fmt.Errorf("asked for the bytes from %d of %d, the server sends %.60q", p.n, it.size, a.Header.Get("Content-Range")))
		}
	case http.StatusOK:
		if p.n > 0 { // a server without ranges
			if err := p.restart(); err != nil {
				return diskError(err)
			}
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return p.startOver(fmt.Errorf("the server has no bytes from %d of %d", p.n, it.size))
	default:
		return g.client.statusError(a)
	}
	if code := a.Header.Get("Content-Encoding"); code != "" && code != "identity" {
		return fmt.Errorf("%w: the server packs it as %.20q, which was not asked for", ErrCorrupt, code)
	}
	if n := a.ContentLength; n >= 0 && p.n+n != it.size {
		return fmt.Errorf("%w: expected %d bytes, the server has %d", ErrCorrupt, it.size, p.n+n)
	}
	buf := make([]byte, min(chunk, it.size-p.n+1))
	for {
		n, err := a.Body.Read(buf)
		if int64(n) > it.size-p.n {
			return fmt.Errorf("%w: expected %d bytes, the server sends more", ErrCorrupt, it.size)
		}
		if n > 0 {
			if err := p.add(buf[:n]); err != nil {
				return diskError(err)
			}
			g.meter.at(it, p.n)
		}
		switch {
		case p.n == it.size:
			return nil
		case err == io.EOF:
			return &transient{err: fmt.Errorf("the connection ended after %d of %d bytes", p.n, it.size)}
		case err != nil:
			return err
		}
	}
}

// contentRange reads the first byte and the size of the whole out of "bytes 5-9/10"; the size is -1 for "*".
func contentRange(s string) (start, total int64) {
	s, found := strings.CutPrefix(s, "bytes ")
	span, size, slash := strings.Cut(s, "/")
	from, _, dash := strings.Cut(span, "-")
	start, err := strconv.ParseInt(from, 10, 64)
	if !found || !slash || !dash || err != nil {
		return -1, -1
	}
	if size == "*" {
		return start, -1
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil || total < 0 {
		return -1, -1
	}
	return start, total
}

// A part is the beginning of a blob, in a file beside its place. Nothing is ever cut from it and every byte is
// written where it belongs, so that not even two processes on a file system without locks spoil each other's work:
// to start over is to start another file.
type part struct {
	name  string
	f     *os.File
	n     int64 // bytes there
	size  int64
	write func(f *os.File, p []byte, at int64) (int, error)
}

func (g *getter) openPart(it *item) (*part, error) {
	p := &part{name: g.partial(it.etag), size: it.size, write: g.settings.write}
	info, err := os.Lstat(p.name)
	if errors.Is(err, fs.ErrNotExist) {
		return p, p.create()
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > it.size {
		return p, p.restart()
	}
	p.n = info.Size()
	p.f, err = os.OpenFile(p.name, os.O_RDWR, 0)
	return p, err
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

// leave keeps what is there for the next attempt, if it is anything.
func (p *part) leave() {
	if p.f != nil && p.n == 0 {
		p.discard()
	}
	p.close()
}

// discard removes what is there.
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

// startOver drops what is there because of an error after which another attempt may go better.
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

// verify reads what is in the file and compares its hash.
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

// finish gives the file the blob's name, once it has reached the disk.
func (p *part) finish(name string) error {
	err := p.f.Sync()
	if err == nil {
		p.close()
		err = os.Rename(p.name, name)
	}
	if err != nil {
		p.discard()
	}
	return diskError(err)
}

// diskError names a full disk as what it is.
func diskError(err error) error {
	full := errors.Is(err, syscall.ENOSPC)
	if runtime.GOOS == "windows" { // ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL
		full = errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112))
	}
	if full {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
