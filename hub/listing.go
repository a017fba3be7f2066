package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxListing = 32 << 20 // bytes of the hub's answer about a model; a thousand files take 300 KB
	maxFile    = 1 << 40  // bytes of one file
)

// A file is an entry of the hub's list of a model's files.
type file struct {
	size int64  // in bytes; -1 if unknown
	hash string // SHA-256 of a large file, Git's SHA-1 of a small one; "" if unknown
}

// A listing is a model at one commit.
type listing struct {
	commit string
	files  map[string]file // by name; names are not checked
}

func (l *listing) names() []string {
	names := make([]string, 0, len(l.files))
	for n := range l.files {
		names = append(names, n)
	}
	return names
}

// list asks the hub for the commit of a revision and the files in it.
func (c *client) list(ctx context.Context, m model) (*listing, error) {
	words := append([]string{"api", "models"}, strings.Split(m.repo, "/")...)
	at := c.address(append(words, "revision", m.revision)...)
	at.RawQuery = "blobs=true"
	a, err := c.send(ctx, http.MethodGet, at, nil, false)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, c.statusError(a)
	}
	data, err := io.ReadAll(io.LimitReader(a.Body, maxListing+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxListing {
		return nil, fmt.Errorf("expected a list of files of at most %d bytes, the hub sends more than that", maxListing)
	}
	if a.page(data) {
		return nil, a.errPage("the hub's list of files")
	}
	l, err := readListing(data)
	if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) {
		return nil, fmt.Errorf("%s answers with no list of files (%w): check HF_ENDPOINT and the proxy", a.Request.URL.Host, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the hub's list of files: %w", err)
	}
	if isHash(m.revision, 40) && l.commit != m.revision {
		return nil, fmt.Errorf("expected the hub's list of files of this commit, found that of commit %s", l.commit)
	}
	return l, nil
}

func readListing(data []byte) (*listing, error) {
	var said struct {
		Sha      string
		Siblings []struct {
			Rfilename string
			Size      *int64
			BlobID    string
			LFS       *struct {
				Sha256 string
				Size   *int64
			}
		}
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, err
	}
	if !isHash(said.Sha, 40) {
		return nil, fmt.Errorf("sha: expected a commit of 40 hexadecimal digits, found %.60q", said.Sha)
	}
	l := &listing{said.Sha, make(map[string]file, len(said.Siblings))}
	for _, s := range said.Siblings {
		f := file{size: -1}
		size := s.Size
		if s.LFS != nil {
			if isHash(s.LFS.Sha256, 64) {
				f.hash = s.LFS.Sha256
			}
			if s.LFS.Size != nil {
				size = s.LFS.Size
			}
		} else if isHash(s.BlobID, 40) {
			f.hash = s.BlobID
		}
		if size != nil {
			if *size < 0 || *size > maxFile {
				return nil, fmt.Errorf("%.200q: expected 0 to %d bytes, found %d", s.Rfilename, int64(maxFile), *size)
			}
			f.size = *size
		}
		l.files[s.Rfilename] = f
	}
	return l, nil
}

// A blob is the content of a file, as the hub describes it just before the download.
type blob struct {
	etag      string // hash of the content: SHA-256, or Git's SHA-1
	size      int64
	validator string // the hub's ETag, for If-Range; "" where the content is at another host
}

// fileAddress returns the address of a file of a commit.
func (c *client) fileAddress(m model, commit, name string) *url.URL {
	words := append(strings.Split(m.repo, "/"), "resolve", commit)
	return c.address(append(words, strings.Split(name, "/")...)...)
}

// describe asks the hub for the hash and the size of a file, and compares them with the list of files.
func (c *client) describe(ctx context.Context, m model, commit, name string, listed file) (blob, error) {
	a, err := c.send(ctx, http.MethodHead, c.fileAddress(m, commit, name), nil, true)
	if err != nil {
		return blob{}, err
	}
	a.Body.Close()
	redirect := a.StatusCode/100 == 3
	if !redirect && a.StatusCode != http.StatusOK {
		return blob{}, c.statusError(a)
	}
	switch at := a.Header.Get("X-Repo-Commit"); at {
	case commit:
	case "":
		if a.page(nil) {
			return blob{}, a.errPage("the hub's description of the file")
		}
		return blob{}, fmt.Errorf("%s does not answer like a hub (no X-Repo-Commit): check HF_ENDPOINT and the proxy", c.base.Host)
	default:
		return blob{}, fmt.Errorf("expected commit %s, the hub answers with %.60q", commit, at)
	}
	b := blob{etag: normalETag(a.Header), size: listed.size}
	if listed.hash != "" && (len(b.etag) == len(listed.hash) && b.etag != listed.hash) {
		return blob{}, fmt.Errorf("%w: the hub lists hash %s and serves %s", ErrCorrupt, listed.hash, b.etag)
	}
	if b.etag == "" {
		b.etag = listed.hash
	}
	if b.etag == "" {
		return blob{}, fmt.Errorf("%s gives no hash, so that the download could not be checked", c.base.Host)
	}
	size := a.Header.Get("X-Linked-Size")
	if size == "" && !redirect && !a.away {
		size = a.Header.Get("Content-Length")
		if v := a.Header.Get("ETag"); strings.HasPrefix(v, `"`) {
			b.validator = v
		}
	}
	if size != "" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 || n > maxFile {
			return blob{}, fmt.Errorf("expected the size of the file, the hub says %.40q bytes", size)
		}
		if listed.size >= 0 && n != listed.size {
			return blob{}, fmt.Errorf("%w: the hub lists %d bytes and serves %d", ErrCorrupt, listed.size, n)
		}
		b.size = n
	}
	if b.size < 0 {
		return blob{}, fmt.Errorf("%s does not give the size of the file", c.base.Host)
	}
	return b, nil
}

// normalETag returns the hash in the hub's headers, or "". The tag of a large file comes before the tag of the page that
// redirects to it.
func normalETag(h http.Header) string {
	tag := h.Get("X-Linked-Etag")
	if tag == "" {
		tag = h.Get("ETag")
	}
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	if isHash(tag, 40) || isHash(tag, 64) {
		return tag
	}
	return ""
}
