package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/goroutines"
)

// numbered is a data set in memory whose images differ, with two classes.
func numbered(n int) *Memory {
	d := &Memory{ClassNames: []string{"even", "odd"}}
	for i := range n {
		m := testImage(16+i%3, 20+i%5, 3)
		m.Pix[0] = uint8(i)
		d.Images = append(d.Images, m)
		d.Labels = append(d.Labels, i%2)
	}
	return d
}

func clone(b *Batch) *Batch {
	c := *b
	c.Pixels = slices.Clone(b.Pixels)
	c.Labels = slices.Clone(b.Labels)
	c.Indices = slices.Clone(b.Indices)
	return &c
}

func collect(t *testing.T, l *Loader, epoch, first int) []*Batch {
	t.Helper()
	var out []*Batch
	for b, err := range l.EpochFrom(context.Background(), epoch, first) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, clone(b))
	}
	return out
}

// same reports whether two runs gave the same batches.
func same(a, b []*Batch) bool {
	return slices.EqualFunc(a, b, func(a, b *Batch) bool {
		return a.Number == b.Number && a.Height == b.Height && a.Width == b.Width && len(a.Skipped) == len(b.Skipped) &&
			slices.Equal(a.Pixels, b.Pixels) && slices.Equal(a.Labels, b.Labels) && slices.Equal(a.Indices, b.Indices)
	})
}

func loader(d Dataset) *Loader {
	return &Loader{Data: d, Preprocess: Half(12), Augment: &Augment{Crop: true, Flip: 0.5}, BatchSize: 4, Shuffle: true, Seed: 11}
}

func TestLoaderReproducible(t *testing.T) {
	d := numbered(30)
	want := collect(t, loader(d), 3, 0)
	if len(want) != 8 {
		t.Fatalf("%d batches", len(want))
	}
	var order []int
	for k, b := range want {
		n := 4
		if k == 7 {
			n = 2
		}
		if b.Number != k || len(b.Labels) != n || len(b.Pixels) != n*3*12*12 || b.Width != 12 || b.Height != 12 {
			t.Fatalf("batch %d: number %d, %d labels, %d values", k, b.Number, len(b.Labels), len(b.Pixels))
		}
		for i, index := range b.Indices {
			if b.Labels[i] != index%2 {
				t.Errorf("image %d has label %d", index, b.Labels[i])
			}
		}
		order = append(order, b.Indices...)
	}
	if !slices.Equal(order, loader(d).Order(3)) {
		t.Error("the order is not that of Order")
	}
	sorted := slices.Sorted(slices.Values(order))
	for i, v := range sorted {
		if i != v {
			t.Fatalf("image %d is missing or twice", i)
		}
	}
	for _, n := range []int{1, 2, 7} {
		for _, ahead := range []int{1, 5} {
			l := loader(d)
			l.Goroutines, l.Ahead = n, ahead
			if !same(want, collect(t, l, 3, 0)) {
				t.Errorf("%d goroutines, %d ahead: other batches", n, ahead)
			}
		}
	}
	for first := range 9 {
		if !same(want[first:], collect(t, loader(d), 3, first)) {
			t.Errorf("resumed at batch %d: other batches", first)
		}
	}
	if cmp.Equal(want[0].Indices, collect(t, loader(d), 4, 0)[0].Indices) {
		t.Error("the next epoch has the same order")
	}
	l := loader(d)
	l.Seed = 12
	if cmp.Equal(want[0].Indices, collect(t, l, 3, 0)[0].Indices) {
		t.Error("another seed has the same order")
	}
	l = loader(d)
	l.DropLast, l.Shuffle, l.Augment = true, false, nil
	plain := collect(t, l, 0, 0)
	if len(plain) != 7 || !slices.Equal(plain[1].Indices, []int{4, 5, 6, 7}) {
		t.Errorf("%d full batches, the second %v", len(plain), plain[1].Indices)
	}
	p := Half(12)
	one, _, _, err := p.Pixels(nil, nil, d.Images[5])
	if err != nil || !cmp.Equal(one, plain[1].Pixels[432:864]) {
		t.Errorf("image 5 differs from its preprocessing alone: %v", err)
	}
}

func brokenFolder(t *testing.T) *Folder {
	fsys := fstest.MapFS{}
	for i := range 9 {
		fsys[fmt.Sprintf("%c/%d.png", 'a'+i%2, i)] = pngFile(t, testImage(9, 9, 3))
	}
	fsys["b/3.png"] = &fstest.MapFile{Data: []byte("broken")}
	fsys["a/8.png"] = &fstest.MapFile{Data: fsys["a/8.png"].Data[:60]}
	d, err := OpenFolder(fsys, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLoaderStopsOnError(t *testing.T) {
	l := &Loader{Data: brokenFolder(t), Preprocess: Half(8), BatchSize: 3}
	batches := 0
	var got error
	for b, err := range l.Epoch(context.Background(), 0) {
		if err != nil {
			got = err
			continue
		}
		batches += 1
		_ = b
	}
	var s *data.ItemError
	if !errors.As(got, &s) || s.Name != "a/8.png" || !errors.Is(got, ErrCorrupt) || strings.Count(got.Error(), "a/8.png") != 1 {
		t.Errorf("error %v, expected one that names a/8.png", got)
	}
	if batches != 1 {
		t.Errorf("%d batches before the error, expected 1", batches)
	}
}

func TestLoaderSkips(t *testing.T) {
	l := &Loader{Data: brokenFolder(t), Preprocess: Half(8), BatchSize: 3, OnError: data.SkipErrors}
	var indices []int
	var skipped []string
	for range 2 {
		indices, skipped = nil, nil
		for b, err := range l.Epoch(context.Background(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Pixels) != len(b.Labels)*3*64 {
				t.Errorf("%d values for %d images", len(b.Pixels), len(b.Labels))
			}
			indices = append(indices, b.Indices...)
			for _, s := range b.Skipped {
				skipped = append(skipped, s.Name)
			}
		}
	}
	// a/0 a/2 a/4 | a/6 a/8 b/1 | b/3 b/5 b/7
	if !slices.Equal(indices, []int{0, 1, 2, 3, 5, 7, 8}) || !slices.Equal(skipped, []string{"a/8.png", "b/3.png"}) {
		t.Errorf("kept %v, skipped %v", indices, skipped)
	}
	if all := l.Skipped(); len(all) != 2 || all[0].Index != 4 || all[1].Index != 6 {
		t.Errorf("Skipped returned %v", all)
	}
	l.BatchSize = 1
	n := 0
	for b, err := range l.Epoch(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if len(b.Labels) != 1 {
			t.Error("an empty batch was yielded")
		}
		if (b.Number == 5 || b.Number == 7) != (len(b.Skipped) == 1) {
			t.Errorf("batch %d reports %v", b.Number, b.Skipped)
		}
	}
	if n != 7 {
		t.Errorf("%d batches of one", n)
	}
}

func TestLoaderAllSkipped(t *testing.T) {
	l := &Loader{Data: labels{0, 1, 2}, Preprocess: Half(8), BatchSize: 2, OnError: data.SkipErrors}
	n := 0
	for _, err := range l.Epoch(context.Background(), 0) {
		n++
		if !errors.Is(err, ErrNoImages) || !strings.Contains(err.Error(), "labels only") {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d results, expected one error", n)
	}
}

func TestLoaderRefuses(t *testing.T) {
	for name, l := range map[string]*Loader{
		"no data":       {Preprocess: Half(8)},
		"no size":       {Data: numbered(3)},
		"varying size":  {Data: numbered(3), Preprocess: Preprocess{Mode: ShortSide, Width: 8}},
		"bad augment":   {Data: numbered(3), Preprocess: Half(8), Augment: &Augment{Flip: -1}},
		"negative size": {Data: numbered(3), Preprocess: Half(8), BatchSize: -1},
	} {
		n := 0
		for b, err := range l.Epoch(context.Background(), 0) {
			n++
			if err == nil || b != nil {
				t.Errorf("%s: no error", name)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d results", name, n)
		}
	}
	for _, first := range []int{-1, 2} {
		l := &Loader{Data: numbered(3), Preprocess: Half(8)}
		for _, err := range l.EpochFrom(context.Background(), 0, first) {
			if err == nil {
				t.Errorf("from batch %d of 1: no error", first)
			}
		}
	}
	empty := &Loader{Data: labels{}, Preprocess: Half(8)}
	for range empty.Epoch(context.Background(), 0) {
		t.Error("an empty data set yields something")
	}
}

// slow counts how many images are open, and waits for permission.
type slow struct {
	labels
	opened atomic.Int64
	gate   chan struct{}
}

func (d *slow) Open(int) (*Image, error) {
	d.opened.Add(1)
	if d.gate != nil {
		<-d.gate
	}
	return testImage(9, 9, 3), nil
}

func TestLoaderCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	l := &Loader{Data: &slow{labels: make(labels, 100)}, Preprocess: Half(8), BatchSize: 2}
	n := 0
	var last error
	for b, err := range l.Epoch(ctx, 0) {
		if err != nil {
			last = err
			continue
		}
		if n++; n == 3 {
			cancel()
		}
		_ = b
	}
	if !errors.Is(last, context.Canceled) || n > 10 {
		t.Errorf("%d batches, then %v", n, last)
	}
	goroutines.Expect(t, before)

	// Canceled while an image is being read: the loader ends as soon as that returns.
	d := &slow{labels: make(labels, 100), gate: make(chan struct{})}
	ctx, cancel = context.WithCancel(context.Background())
	go func() {
		for d.opened.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		close(d.gate)
	}()
	l.Data = d
	for _, err := range l.Epoch(ctx, 0) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v", last)
	}
	goroutines.Expect(t, before)

	for range l.Epoch(context.Background(), 0) {
		break
	}
	goroutines.Expect(t, before)
}

func TestLoaderIsBounded(t *testing.T) {
	d := &slow{labels: make(labels, 1000)}
	l := &Loader{Data: d, Preprocess: Half(8), BatchSize: 4, Ahead: 2, Goroutines: 2}
	for range l.Epoch(context.Background(), 0) {
		time.Sleep(20 * time.Millisecond)
		// The caller's batch, two ahead, and what the goroutines hold.
		if n := d.opened.Load(); n > 4*3+2 {
			t.Errorf("%d images opened while the caller has the first batch", n)
		}
		break
	}
}

type panicking struct{ labels }

func (panicking) Open(i int) (*Image, error) { panic("bad data set") }

func TestLoaderPanic(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		defer func() {
			if p := recover(); p != "bad data set" {
				t.Errorf("recovered %v", p)
			}
		}()
		l := &Loader{Data: panicking{make(labels, 5)}, Preprocess: Half(8)}
		for range l.Epoch(context.Background(), 0) {
			t.Error("a batch")
		}
	}()
	goroutines.Expect(t, before)
}

// Batches are filled again and again, in the next epoch too; one that a caller broke off with stays the caller's.
func TestLoaderRecycles(t *testing.T) {
	l := &Loader{Data: numbered(64), Preprocess: Half(12), BatchSize: 4, Ahead: 1}
	seen := map[*float32]bool{}
	for epoch := range 3 {
		for b, err := range l.Epoch(context.Background(), epoch) {
			if err != nil {
				t.Fatal(err)
			}
			seen[&b.Pixels[0]] = true
		}
	}
	if len(seen) > 2 {
		t.Errorf("%d buffers for 48 batches, expected 2", len(seen))
	}
	var kept *Batch
	for b := range l.Epoch(context.Background(), 0) {
		kept = b
		break
	}
	want := slices.Clone(kept.Pixels)
	for range l.Epoch(context.Background(), 1) {
	}
	if !slices.Equal(kept.Pixels, want) {
		t.Error("a batch that was kept after its epoch was written over")
	}
}

// Photographs are decoded, resized and normalized in memory that is used again.
func TestLoaderAllocatesLittle(t *testing.T) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, testImage(480, 640, 3), nil); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	const n = 16
	for i := range n {
		fsys[fmt.Sprintf("%d.jpg", i)] = &fstest.MapFile{Data: file.Bytes()}
	}
	d, err := OpenFolder(fsys, FolderOptions{Unlabeled: true})
	if err != nil {
		t.Fatal(err)
	}
	l := &Loader{Data: d, Preprocess: ImageNet(224), BatchSize: 4, Goroutines: 1}
	epoch := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, err := range l.Epoch(context.Background(), 0) {
			if err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / n
	}
	epoch()
	if each := epoch(); each > 400<<10 {
		t.Errorf("%d kB an image, whose pixels take 900 decoded and 600 as numbers", each>>10)
	} else {
		t.Logf("%d kB an image", each>>10)
	}
}

func TestLoaderFileRemoved(t *testing.T) {
	fsys := fstest.MapFS{"a/1.png": pngFile(t, testImage(9, 9, 3)), "b/1.png": pngFile(t, testImage(9, 9, 3))}
	d, err := OpenFolder(fsys, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	delete(fsys, "b/1.png")
	l := &Loader{Data: d, Preprocess: Half(8)}
	for _, err := range l.Epoch(context.Background(), 0) {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "b/1.png") {
			t.Errorf("got %v", err)
		}
	}
}

func BenchmarkLoader(b *testing.B) {
	d := &Memory{ClassNames: []string{"a"}}
	for range 64 {
		d.Images = append(d.Images, testImage(375, 500, 3))
	}
	l := &Loader{Data: d, Preprocess: ImageNet(224), Augment: &Augment{Crop: true, Flip: 0.5}, Shuffle: true}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range l.Epoch(context.Background(), 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "images/s")
}

// TestLoaderOfOneBatch takes all images at once, however the caller says so, and repeats one as often as there is room.
func TestLoaderOfOneBatch(t *testing.T) {
	data := &Memory{Images: []*Image{NewImage(2, 2, 3), NewImage(2, 2, 3), NewImage(2, 2, 3)}, ClassNames: []string{"a"}}
	for _, l := range []*Loader{
		{BatchSize: 3}, {BatchSize: 4}, {BatchSize: math.MaxInt}, {BatchSize: math.MaxInt - 1, Repeats: math.MaxInt}, {BatchSize: 3, DropLast: true, Repeats: 4},
	} {
		l.Data, l.Preprocess = data, Preprocess{Mode: Stretch, Width: 2, Height: 2}
		count := 0
		for b, err := range l.Epoch(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			count += len(b.Labels)
		}
		if count != 3 || l.Batches() != 1 {
			t.Errorf("batches of %d, %d repeats: found %d images in %d batches", l.BatchSize, l.Repeats, count, l.Batches())
		}
	}
	none := &Loader{Data: &Memory{}, Repeats: 2}
	if order := none.Order(0); len(order) != 0 {
		t.Errorf("found the order %v of no images", order)
	}
}

// TestBatchShape prepares wide images, the last batch of which is not full.
func TestBatchShape(t *testing.T) {
	l := &Loader{Data: numbered(5), Preprocess: Preprocess{Height: 4, Width: 6}, BatchSize: 3}
	var shapes [][]int
	for _, b := range collect(t, l, 0, 0) {
		if s := b.Shape(); len(b.Pixels) != s[0]*s[1]*s[2]*s[3] || b.Len() != s[0] {
			t.Errorf("%d values and %d images of shape %v", len(b.Pixels), b.Len(), s)
		}
		shapes = append(shapes, b.Shape())
	}
	if d := cmp.Diff([][]int{{3, 3, 4, 6}, {2, 3, 4, 6}}, shapes); d != "" {
		t.Error(d)
	}
}
