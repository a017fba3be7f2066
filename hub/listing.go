package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxListing = 32 << 20 // bytes of the hub's answer about a model; one of a thousand files takes 300 KB
	maxFile    = 1 << 40  // bytes of one file
)

// A file is one of a model, as the hub lists it.
type file struct {
	size int64  // in bytes; -1 where it is not said
	hash string // SHA-256 of a large file, Git's SHA-1 of a small one; "" where it is not said
}

// A listing is a model at one commit.
type listing struct {
	commit string
	files  map[string]file // names are as the hub says: not checked
}

func (l *listing) names() []string {
	names := make([]string, 0, len(l.files))
	for n := range l.files {
		names = append(names, n)
	}
	return names
}

// list asks the hub which commit a revision is, and for the files in it.
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
		return nil, fmt.Errorf("the hub lists its files in more than %d bytes", maxListing)
	}
	l, err := readListing(data)
	if err != nil {
		return nil, fmt.Errorf("the hub's list of files: %w", err)
	}
	if isHash(m.revision, 40) && l.commit != m.revision {
		return nil, fmt.Errorf("the hub's list of files is that of commit %s", l.commit)
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
				return nil, fmt.Errorf("%.200q: a size of %d bytes", s.Rfilename, *size)
			}
			f.size = *size
		}
		l.files[s.Rfilename] = f
	}
	return l, nil
}

// A blob is the content of a file, as the hub describes it just before it is fetched.
type blob struct {
	etag      string // hash of the content: SHA-256, or SHA-1 as Git takes it
	size      int64
	validator string // the ETag as the hub writes it, for If-Range; "" where the content is at another host
}

// fileAddress returns the address of a file of a commit.
func (c *client) fileAddress(m model, commit, name string) *url.URL {
	words := append(strings.Split(m.repo, "/"), "resolve", commit)
	return c.address(append(words, strings.Split(name, "/")...)...)
}

// describe asks the hub for the hash and the size of a file, and compares them with what was listed.
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
		return blob{}, fmt.Errorf("%s does not answer as a hub does (no X-Repo-Commit): check HF_ENDPOINT and the proxy", c.base.Host)
	default:
		return blob{}, fmt.Errorf("asked for commit %s, the hub answers with %.60q", commit, at)
	}
	b := blob{etag: normalETag(a.Header), size: listed.size}
	if listed.hash != "" && (len(b.etag) == len(listed.hash) && b.etag != listed.hash) {
		return blob{}, fmt.Errorf("%w: the hub lists hash %s and serves %s", ErrCorrupt, listed.hash, b.etag)
	}
	if b.etag == "" {
		b.etag = listed.hash
	}
	if b.etag == "" {
		return blob{}, fmt.Errorf("%s gives no hash of it, so that what arrives could not be checked", c.base.Host)
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
			return blob{}, fmt.Errorf("the hub says it has %.40q bytes", size)
		}
		if listed.size >= 0 && n != listed.size {
			return blob{}, fmt.Errorf("%w: the hub lists %d bytes and serves %d", ErrCorrupt, listed.size, n)
		}
		b.size = n
	}
	if b.size < 0 {
		return blob{}, fmt.Errorf("%s does not say how large it is", c.base.Host)
	}
	return b, nil
}

// normalETag returns the hash that the hub's headers hold, or "" where there is none. What a large file is called
// comes before what the page that leads to it is called.
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
