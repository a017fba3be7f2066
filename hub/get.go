package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Get returns the folder of a model on a hub, for os.DirFS. It first fetches the files that are not in the cache. name
// is "owner/name" or "owner/name@revision". A revision is a branch, a tag or a commit; the default is the branch main.
// The folder belongs to the cache: nothing in it may be changed.
//
// Get asks the hub for the revision's current commit, except for a commit that Get has fetched before. If the hub
// cannot be reached or refuses, Get uses a snapshot of the revision that is complete in the cache. A revision that the
// hub does not have is always an error.
//
// Errors are of the kinds of [ErrNoModel] and the following, or come from the disk or the network. A call that fails or
// is canceled leaves no incomplete file under its name. The next call continues where it stopped.
func Get(ctx context.Context, name string, opts GetOptions) (dir string, err error) {
	return get(ctx, name, opts, usual)
}

func get(ctx context.Context, name string, opts GetOptions, t tuning) (dir string, err error) {
	m, err := parse(name)
	if err != nil {
		return "", err
	}
	s, err := newSettings(opts, t)
	if err != nil {
		return "", err
	}
	g := &getter{model: m, store: newStore(s, m), client: newClient(s), meter: meter{report: s.OnProgress}}
	defer g.client.close()
	dir, err = g.get(ctx)
	return dir, about(m, "", err)
}

// Open returns the folder that a user means by model, as after -model on a command line. It is the folder of that name
// if it exists, and otherwise the result of [Get] for that name. Open never asks the hub for a path or a single word,
// but for a word with a revision ("gpt2@main") it does.
func Open(ctx context.Context, model string, opts GetOptions) (dir string, err error) {
	if model == "" {
		return "", errors.New("hub: no model given: expected a folder, or owner/name of a model on the hub")
	}
	switch info, err := os.Stat(model); {
	case err == nil && info.IsDir():
		return model, nil
	case err == nil:
		return "", fmt.Errorf("hub: %s is a file: expected the folder with config.json and weights, or owner/name of a model on the hub", model)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("hub: %w", err)
	}
	const advice = "expected a folder with config.json and weights, or owner/name of a model on the hub"
	if filepath.IsAbs(model) || filepath.VolumeName(model) != "" || strings.ContainsRune(model, '\\') || strings.ContainsRune(".~/", rune(model[0])) || strings.HasSuffix(model, "/") {
		return "", fmt.Errorf("hub: there is no folder %s: %s", model, advice)
	}
	if !strings.ContainsAny(model, "/@") {
		return "", fmt.Errorf("hub: there is no folder %s: %s (%[1]s@main is the hub's model of that name)", model, advice)
	}
	if _, err := parse(model); err != nil {
		return "", fmt.Errorf("hub: there is no folder %s, and it is not a valid name of a model on the hub: %w", model, errors.Unwrap(err))
	}
	if dir, err = Get(ctx, model, opts); err != nil {
		return "", fmt.Errorf("hub: there is no folder %s: %w", model, err)
	}
	return dir, nil
}

// A getter is one call of Get.
type getter struct {
	model
	*store
	client *client
	meter  meter
	wrote  bool
}

func (g *getter) get(ctx context.Context) (string, error) {
	if isHash(g.revision, 40) && g.known(g.revision, g.Files) {
		return g.snapshot(g.revision), nil
	}
	if g.Offline {
		return g.cached(ErrOffline)
	}
	l, err := g.listing(ctx)
	if err != nil {
		return g.fallBack(ctx, err)
	}
	if err := g.fetchAll(ctx, l); err != nil {
		return "", err
	}
	g.rememberAbsent(l)
	if err := g.remember(g.revision, l.commit); err != nil && g.wrote {
		return "", err // without new files, a read-only cache is fine
	}
	return g.snapshot(l.commit), nil
}

// listing asks for the files of the revision. It does not retry when the cache holds a complete snapshot.
func (g *getter) listing(ctx context.Context) (l *listing, err error) {
	ask := func() (err error) {
		l, err = g.client.list(ctx, g.model)
		return err
	}
	if commit := g.commit(g.revision); commit != "" && g.whole(commit, g.Files) == nil {
		return l, ask()
	}
	return l, g.client.retry(ctx, ask)
}

// fallBack returns the snapshot in the cache when the hub failed with err, unless err rules that out.
func (g *getter) fallBack(ctx context.Context, err error) (string, error) {
	if ctx.Err() == nil && !errors.Is(err, ErrNoRevision) {
		if dir, none := g.cached(err); none == nil {
			return dir, nil
		}
	}
	return "", err
}

// cached returns the snapshot of the revision in the cache, or an error that wraps why, the reason for not asking the
// hub.
func (g *getter) cached(why error) (string, error) {
	commit := g.commit(g.revision)
	if commit == "" {
		return "", fmt.Errorf("%w: %s has no such model and revision; without HF_HUB_OFFLINE it can be fetched", why, g.Cache)
	}
	err := g.whole(commit, g.Files)
	if err == nil && len(g.Files) == 0 {
		err = g.unfinished(commit)
	}
	if err != nil {
		return "", fmt.Errorf("%w: the snapshot in %s is incomplete (%v); without HF_HUB_OFFLINE the rest can be fetched", why, g.snapshot(commit), err)
	}
	return g.snapshot(commit), nil
}

// An item is a file to be fetched.
type item struct {
	name   string
	listed file
	blob
}

// fetchAll fetches the files that the snapshot of a commit lacks. It fetches all blobs before it gives them names,
// weights last, so that a snapshot with weights has the rest.
func (g *getter) fetchAll(ctx context.Context, l *listing) error {
	c, err := choose(l.names(), g.Files)
	if err != nil {
		return err
	}
	indexes, err := g.fetch(ctx, l, c.indexes, c.limit)
	if err != nil {
		return err
	}
	for _, index := range c.indexes {
		dir, name := g.snapshot(l.commit), index
		for _, it := range indexes {
			if it.name == index {
				dir, name = filepath.Join(g.root, "blobs"), it.etag // the index has no name yet
			}
		}
		parts, err := shards(os.DirFS(dir), name)
		if err != nil {
			return about(g.model, index, err)
		}
		for _, n := range parts {
			n = path.Join(path.Dir(index), n)
			if _, found := l.files[n]; !found {
				return about(g.model, index, fmt.Errorf("%w: the index names %q, which the model does not have", ErrNoFile, n))
			}
			c.weights = append(c.weights, n)
		}
	}
	rest, err := g.fetch(ctx, l, slices.Concat(c.small, c.weights), c.limit)
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for _, n := range slices.Concat(c.indexes, c.small, c.weights) {
		if size := l.files[n].size; size >= 0 {
			sizes[n] = size
		}
	}
	for _, it := range append(indexes, rest...) {
		if err := g.place(l.commit, it.name, it.etag); err != nil {
			return about(g.model, it.name, diskError(err))
		}
		sizes[it.name] = it.size
	}
	g.rememberSizes(l.commit, sizes)
	return nil
}

// fetch fetches the blobs of the files that the snapshot lacks, and returns these files.
func (g *getter) fetch(ctx context.Context, l *listing, names []string, limit func(name string) int64) ([]*item, error) {
	var items []*item
	for _, n := range names {
		if f := l.files[n]; !holds(g.pointer(l.commit, n), f.size) {
			items = append(items, &item{name: n, listed: f, blob: blob{etag: f.hash, size: f.size}})
		}
	}
	if len(items) == 0 {
		return nil, nil
	}
	g.wrote = true
	if err := g.prepare(); err != nil {
		return nil, err
	}
	describe := func(ctx context.Context, it *item) error {
		var err error
		if it.etag == "" || it.size < 0 || !holds(g.store.blob(it.etag), it.size) {
			err = g.client.retry(ctx, func() (err error) {
				it.blob, err = g.client.describe(ctx, g.model, l.commit, it.name, it.listed)
				return err
			})
		}
		if max := limit(it.name); err == nil && it.size > max {
			err = fmt.Errorf("expected at most %d bytes for such a file, found %d (GetOptions.Files fetches it anyway)", max, it.size)
		}
		return about(g.model, it.name, err)
	}
	if err := each(ctx, g.Parallel, items, describe); err != nil {
		return nil, err
	}
	if err := g.room(items); err != nil {
		return nil, err
	}
	return items, each(ctx, g.Parallel, items, func(ctx context.Context, it *item) error {
		return about(g.model, it.name, g.download(ctx, l.commit, it))
	})
}

// room adds up the bytes to be fetched, and returns an error when the disk has no room for them.
func (g *getter) room(items []*item) error {
	var need int64
	counted := map[string]bool{} // two names may have the same content
	for _, it := range items {
		if counted[it.etag] || holds(g.store.blob(it.etag), it.size) {
			continue
		}
		counted[it.etag] = true
		need += it.size
		if begun := g.parts(it.etag, it.size); len(begun) > 0 {
			need -= begun[0].size
		}
		g.meter.add(it)
	}
	if free, err := g.free(g.root); err == nil && need > free {
		return fmt.Errorf("%w: expected %.1f MB for the download, %s has %.1f MB free", ErrNoSpace, float64(need)/1e6, g.Cache, float64(free)/1e6)
	}
	return nil
}

// each calls f for every item, n at a time. The first error stops the others.
func each(ctx context.Context, n int, items []*item, f func(context.Context, *item) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	turns := make(chan struct{}, n)
	for _, it := range items {
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			if err := f(ctx, it); err != nil {
				cancel(err)
			}
			<-turns
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// A meter adds up the bytes that have arrived, and reports them.
type meter struct {
	sync.Mutex
	report      func(Progress)
	have        map[string]int64 // by hash
	done, total int64
}

func (m *meter) add(it *item) {
	m.Lock()
	defer m.Unlock()
	if m.have == nil {
		m.have = map[string]int64{}
	}
	if _, found := m.have[it.etag]; !found {
		m.have[it.etag] = 0
		m.total += it.size
	}
}

// at records that n bytes of a file are present, which may be fewer than before.
func (m *meter) at(it *item, n int64) {
	m.Lock()
	defer m.Unlock()
	if _, found := m.have[it.etag]; !found {
		return
	}
	m.done += n - m.have[it.etag]
	m.have[it.etag] = n
	if m.report != nil {
		m.report(Progress{File: it.name, Bytes: n, Size: it.size, Done: m.done, Total: m.total})
	}
}
