package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// chunk is the most bytes that are read before they are written and reported.
const chunk = 256 << 10

// errChanged says that the hash of a file is no longer the described one.
var errChanged = errors.New("the file changed on the hub")

// download fetches one blob into the cache. It begins again in two cases: the hub changes the content, or another
// process, on a system without locks, took over the partial download. The second happens once for each such process.
func (g *getter) download(ctx context.Context, commit string, it *item) error {
	for changes, taken := 0, 0; ; {
		err := g.downloadOnce(ctx, commit, it, taken == 0)
		switch {
		case errors.Is(err, errTaken) && taken < 50:
			taken++
			continue
		case errors.Is(err, errChanged) && it.listed.hash == "" && changes < 3:
			changes++
		default:
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

// downloadOnce fetches a blob under its lock. With resume it continues where an earlier attempt, of any process, stopped.
// It reads the content back from the disk before the file gets the blob's name.
func (g *getter) downloadOnce(ctx context.Context, commit string, it *item, resume bool) error {
	unlock, err := g.lock(ctx, it.etag)
	if err != nil {
		return err
	}
	defer unlock()
	if holds(g.store.blob(it.etag), it.size) {
		g.meter.at(it, it.size)
		return nil
	}
	p, err := g.openPart(it, resume)
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
				return g.finish(p, it.etag)
			}
			if damaged++; errors.Is(err, ErrCorrupt) && damaged == 1 { // bytes of an earlier attempt, or a bad connection
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

// receive asks for the bytes that a part lacks and adds them, until the part is complete or the connection ends.
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
		return fmt.Errorf("%w during the download: its hash was %s and is %s", errChanged, it.etag, tag)
	}
	switch a.StatusCode {
	case http.StatusPartialContent:
		if start, total := contentRange(a.Header.Get("Content-Range")); start != p.n || total >= 0 && total != it.size {
			return p.startOver(fmt.Errorf("expected the bytes from %d of %d, the server sends %.60q", p.n, it.size, a.Header.Get("Content-Range")))
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
	if a.about.Get("X-Repo-Commit") == "" && a.page(nil) { // not the hub, and not where it redirects to
		return a.errPage("the file")
	}
	if code := a.Header.Get("Content-Encoding"); code != "" && code != "identity" {
		return fmt.Errorf("%w: expected the file itself, the server sends it with the encoding %.20q", ErrCorrupt, code)
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

// contentRange returns the first byte and the total size in "bytes 5-9/10". The size is -1 for "*".
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

// diskError wraps the error of a full disk in ErrNoSpace.
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
