// Package hubtest is a hub for tests:
//
//	h := hubtest.New()
//	defer h.Close()
//	h.Add("owner/name", map[string][]byte{"config.json": []byte("{}")})
//	dir, err := hub.Get(ctx, "owner/name", hub.GetOptions{Endpoint: h.URL, Cache: t.TempDir()})
//
// A server on this machine speaks the part of the Hugging Face protocol that package hub and Python's huggingface_hub
// use. It redirects requests for large files to a second server.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Hub serves models until it is closed. Large files (.safetensors, .bin, .pt and .pth) have their SHA-256 as hash and
// come from a host of their own. The others have Git's SHA-1.
type Hub struct {
	URL string // for hub.GetOptions.Endpoint or HF_ENDPOINT
	CDN string // the address of the host for large files

	hub, cdn *httptest.Server

	mu        sync.Mutex
	models    map[string]*model
	blobs     map[string][]byte // by hash
	requests  []Request
	intercept func(http.ResponseWriter, *http.Request) bool
}

type model struct {
	refs    map[string]string          // commits by branch or tag
	commits map[string]map[string]file // by commit
	moved   string                     // the new name, if any
	gated   string                     // the token that access needs, if any
}

type file struct {
	data      []byte
	hash, oid string // hash of the content; Git's hash of the file, or of the pointer to a large one
}

// A Request is a request that arrived.
type Request struct {
	CDN    bool // it came to the host of large files
	Method string
	Path   string
	Range  string
	Token  string // the Authorization header
}

// Use makes h the hub of a test's process, with an empty cache and without the user's settings.
func (h *Hub) Use(t testing.TB) {
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	for _, name := range []string{"HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_TOKEN_PATH"} {
		t.Setenv(name, "")
	}
}

// New starts a hub. The caller closes it.
func New() *Hub {
	h := &Hub{models: map[string]*model{}, blobs: map[string][]byte{}}
	h.hub = httptest.NewServer(h.log(false, h.serveHub))
	h.cdn = httptest.NewServer(h.log(true, h.serveCDN))
	h.URL, h.CDN = h.hub.URL, h.cdn.URL
	return h
}

// Close ends the servers and their open connections.
func (h *Hub) Close() {
	for _, s := range []*httptest.Server{h.hub, h.cdn} {
		s.CloseClientConnections()
		s.Close()
	}
}

// Add makes files the content of a model's branch main, and returns the commit.
func (h *Hub) Add(name string, files map[string][]byte) (commit string) {
	return h.AddAs(name, "main", files)
}

// AddAs is Add for any branch or tag.
func (h *Hub) AddAs(name, revision string, files map[string][]byte) (commit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum, kept := sha1.New(), map[string]file{}
	for _, n := range slices.Sorted(maps.Keys(files)) {
		f := file{data: files[n], hash: Hash(n, files[n])}
		f.oid = f.hash
		if IsLarge(n) {
			f.oid = gitHash([]byte("pointer to " + f.hash))
		}
		fmt.Fprintf(sum, "%q %s ", n, f.hash)
		h.blobs[f.hash], kept[n] = f.data, f
	}
	commit = hex.EncodeToString(sum.Sum(nil))
	m := h.model(name)
	m.refs[revision], m.commits[commit] = commit, kept
	return commit
}

func (h *Hub) model(name string) *model {
	if h.models[name] == nil {
		h.models[name] = &model{refs: map[string]string{}, commits: map[string]map[string]file{}}
	}
	return h.models[name]
}

// Move redirects requests for a model to another name, as after a rename.
func (h *Hub) Move(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.model(from).moved = to
}

// Gate serves a model only to requests with the token.
func (h *Hub) Gate(name, token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.model(name).gated = token
}

// Intercept calls f for each request; where f returns true, it has answered instead of the hub. The host of large files
// calls it too, with paths that begin with /blobs/.
func (h *Hub) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.intercept = f
}

// Requests returns the requests that arrived since the last call.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.requests
	h.requests = nil
	return r
}

// IsLarge reports whether a file of that name comes from the host of large files.
func IsLarge(name string) bool {
	return slices.Contains([]string{".safetensors", ".bin", ".pt", ".pth"}, path.Ext(name))
}

// Hash returns the hash that the hub announces for a file.
func Hash(name string, data []byte) string {
	if IsLarge(name) {
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:])
	}
	return gitHash(data)
}

func gitHash(data []byte) string {
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", len(data))
	sum.Write(data)
	return hex.EncodeToString(sum.Sum(nil))
}

func (h *Hub) log(cdn bool, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, Request{cdn, r.Method, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Authorization")})
		f := h.intercept
		h.mu.Unlock()
		if f == nil || !f(w, r) {
			next(w, r)
		}
	})
}

func (h *Hub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	data, found := h.blobs[path.Base(r.URL.Path)]
	h.mu.Unlock()
	if !found || r.URL.Query().Get("signature") == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"of-the-store"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// refuse answers with an error in the hub's format.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	words := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range words {
		words[i], _ = url.PathUnescape(words[i])
	}
	api := len(words) > 2 && words[0] == "api" && words[1] == "models"
	if api {
		words = words[2:]
	}
	if len(words) < 4 {
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
		return
	}
	name, kind, revision, rest := words[0]+"/"+words[1], words[2], words[3], strings.Join(words[4:], "/")
	m := h.models[name]
	if m == nil {
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
		return
	}
	if m.moved != "" {
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), name, m.moved, 1))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	commit := revision
	if c, found := m.refs[revision]; found {
		commit = c
	}
	files, found := m.commits[commit]
	if !found {
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	if kind == "resolve" && m.gated != "" && r.Header.Get("Authorization") != "Bearer "+m.gated {
		status := http.StatusForbidden
		if r.Header.Get("Authorization") == "" {
			status = http.StatusUnauthorized
		}
		refuse(w, status, "GatedRepo", "Access to model "+name+" is restricted.")
		return
	}
	switch {
	case api && kind == "revision":
		sendJSON(w, info(name, commit, files, r.URL.Query().Get("blobs") != ""))
	case api && kind == "tree":
		sendJSON(w, tree(files))
	case !api && kind == "resolve":
		h.resolve(w, r, commit, rest, files)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// resolve sends a small file, or redirects to a large one.
func (h *Hub) resolve(w http.ResponseWriter, r *http.Request, commit, name string, files map[string]file) {
	w.Header().Set("X-Repo-Commit", commit)
	f, found := files[name]
	if !found {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if IsLarge(name) {
		w.Header().Set("X-Linked-Etag", strconv.Quote(f.hash))
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.data)))
		w.Header().Set("ETag", `"of-the-page"`)
		w.Header().Set("Location", h.CDN+"/blobs/"+f.hash+"?signature=secret")
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(f.hash))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

type object = map[string]any

func info(name, commit string, files map[string]file, blobs bool) object {
	var siblings []object
	for _, n := range slices.Sorted(maps.Keys(files)) {
		s, f := object{"rfilename": n}, files[n]
		if blobs {
			s["size"], s["blobId"] = len(f.data), f.oid
			if IsLarge(n) {
				s["lfs"] = object{"sha256": f.hash, "size": len(f.data), "pointerSize": 130}
			}
		}
		siblings = append(siblings, s)
	}
	return object{"id": name, "modelId": name, "sha": commit, "private": false, "tags": []string{}, "downloads": 0, "likes": 0, "siblings": siblings}
}

func tree(files map[string]file) []object {
	var entries []object
	for _, n := range slices.Sorted(maps.Keys(files)) {
		f := files[n]
		e := object{"type": "file", "path": n, "size": len(f.data), "oid": f.oid}
		if IsLarge(n) {
			e["lfs"] = object{"oid": f.hash, "size": len(f.data), "pointerSize": 130}
		}
		entries = append(entries, e)
	}
	return entries
}
