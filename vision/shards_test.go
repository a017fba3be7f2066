package vision

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
)

// tarFile is an entry of a shard in a test.
type tarFile struct {
	name, body string
	kind       byte
}

// shardOf returns a tar file.
func shardOf(t testing.TB, files ...tarFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.body)), Mode: 0o644, Typeflag: f.kind}
		if f.kind == tar.TypeSymlink || f.kind == tar.TypeLink {
			h.Linkname = "other.jpg"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngOf returns a gray image of one value as a file.
func pngOf(t testing.TB, value byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := WritePNG(&b, &Image{Pix: slices.Repeat([]byte{value}, 12), Width: 4, Height: 3, Channels: 1}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// numberedShard returns a shard of n images of the values first, first+1, … and captions of the same numbers.
func numberedShard(t testing.TB, first, n int) []byte {
	var files []tarFile
	for i := first; i < first+n; i++ {
		files = append(files, tarFile{name: fmt.Sprintf("%05d.png", i), body: pngOf(t, byte(i))}, tarFile{name: fmt.Sprintf("%05d.txt", i), body: fmt.Sprintf(" %d\n", i)})
	}
	return shardOf(t, files...)
}

// pairsOf returns the captions of all pairs, and fails where an image is not the one of its caption.
func pairsOf(t *testing.T, d *Shards) (all []string) {
	t.Helper()
	for i := range d.Len() {
		captions, err := d.Captions(i)
		if err != nil {
			t.Errorf("%s: %v", d.Name(i), err)
			continue
		}
		m, err := d.Open(i)
		if err != nil {
			t.Errorf("%s: %v", d.Name(i), err)
			continue
		}
		if fmt.Sprint(m.Pix[0]) != captions[0] {
			t.Errorf("%s: the image of %d has the caption %q", d.Name(i), m.Pix[0], captions[0])
		}
		all = append(all, captions[0])
	}
	return all
}

func TestOpenShards(t *testing.T) {
	fsys := fstest.MapFS{"s/000.tar": {Data: numberedShard(t, 0, 3)}, "s/001.tar": {Data: numberedShard(t, 3, 2)}, "s/002.tar": {Data: numberedShard(t, 5, 1)}}
	d, err := OpenShards(t.Context(), fsys, ShardOptions{}, "s/{000..001}.tar", "s/002.tar")
	if err != nil {
		t.Fatal(err)
	}
	if got := pairsOf(t, d); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5"}) {
		t.Errorf("pairs %q", got)
	}
	if n, first := d.Skipped(); n != 0 || first != nil || d.Name(3) != "s/001.tar/00003.png" {
		t.Errorf("%d skipped: %v; pair 3 is %s", n, first, d.Name(3))
	}
	// From files of the system too.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.tar"), numberedShard(t, 0, 3), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err = OpenShards(t.Context(), os.DirFS(dir), ShardOptions{}, "a.tar")
	if err != nil {
		t.Fatal(err)
	}
	pairsOf(t, d)
	if err := os.WriteFile(filepath.Join(dir, "a.tar"), numberedShard(t, 0, 2), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(0); err == nil || !strings.Contains(err.Error(), "when it was indexed") {
		t.Errorf("a changed shard: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := OpenShards(ctx, fsys, ShardOptions{}, "s/000.tar"); !errors.Is(err, stop) {
		t.Errorf("canceled: %v", err)
	}
}

// TestShardNames groups files by their names up to the first dot, and prefers kinds in a fixed order.
func TestShardNames(t *testing.T) {
	png, bad := pngOf(t, 7), "no image"
	d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: shardOf(t,
		tarFile{name: "d.1/", kind: tar.TypeDir},
		tarFile{name: "d.1/x.txt", body: "7"}, tarFile{name: "d.1/x.PNG", body: png}, // a dot in the folder
		tarFile{name: "x.jpg", body: png}, tarFile{name: "x.seg.png", body: bad}, tarFile{name: "x.json", body: `{"caption":"7","url":"…"}`}, tarFile{name: "x.cls", body: "3"},
		tarFile{name: "y.webp", body: bad}, tarFile{name: "y.jpeg", body: bad}, tarFile{name: "y.png", body: png}, tarFile{name: "y.json", body: bad}, tarFile{name: "y.txt", body: "7"},
		tarFile{name: "README", body: "no dot"}, tarFile{name: ".hidden.jpg", body: bad},
		tarFile{name: strings.Repeat("n", 300) + ".png", body: png}, tarFile{name: "z.png", body: png}, tarFile{name: strings.Repeat("n", 300) + ".txt", body: "7"}, tarFile{name: "z.txt", body: "7"},
	)}}, ShardOptions{}, "a.tar")
	if err != nil {
		t.Fatal(err)
	}
	if got := pairsOf(t, d); len(got) != 5 {
		t.Errorf("%d pairs, expected 5", len(got))
	}
	if n, first := d.Skipped(); n != 0 {
		t.Errorf("%d skipped: %v", n, first)
	}
}

// TestShardsSkip counts pairs that cannot be used, and names the first.
func TestShardsSkip(t *testing.T) {
	png := pngOf(t, 7)
	good := []tarFile{{name: "good.png", body: png}, {name: "good.txt", body: "7"}}
	sparse := shardOf(t, append([]tarFile{{name: "s.png", body: png, kind: tar.TypeReg}, {name: "s.txt", body: "7"}}, good...)...)
	sparse[156] = tar.TypeGNUSparse // the header says GNU's magic below
	copy(sparse[257:], "ustar  \x00")
	fixChecksum(sparse[:512])
	for name, c := range map[string]struct {
		shard []byte
		count int
		want  string // in the first error
	}{
		"no caption":      {shardOf(t, append([]tarFile{{name: "a.png", body: png}}, good...)...), 1, "a.tar/a: an image: no caption"},
		"no image":        {shardOf(t, append(good, tarFile{name: "a.txt", body: "cat"})...), 1, "a.tar/a: a caption without an image"},
		"link":            {shardOf(t, append([]tarFile{{name: "a.jpg", kind: tar.TypeSymlink}, {name: "a.txt", body: "7"}}, good...)...), 1, "a.tar/a: a.jpg: a link"},
		"hard link":       {shardOf(t, append([]tarFile{{name: "a.jpg", kind: tar.TypeLink}, {name: "a.txt", body: "7"}}, good...)...), 1, "a.tar/a: a.jpg: a link"},
		"named pipe":      {shardOf(t, append([]tarFile{{name: "a.jpg", kind: tar.TypeFifo}, {name: "a.txt", body: "7"}}, good...)...), 1, "a.tar/a: a.jpg: not a regular file"},
		"twice":           {shardOf(t, append([]tarFile{{name: "a.png", body: png}, {name: "a.txt", body: "7"}, {name: "a.txt", body: "8"}}, good...)...), 1, "a.tar/a: a.txt is in the shard twice"},
		"long caption":    {shardOf(t, append([]tarFile{{name: "a.png", body: png}, {name: "a.txt", body: strings.Repeat("7", maxCaption+1)}}, good...)...), 1, "a caption of 1048577 bytes, the limit is 1048576"},
		"huge name":       {shardOf(t, append([]tarFile{{name: strings.Repeat("n", 100_000) + ".png", body: png}}, good...)...), 1, "a name of 100004 bytes: the limit is 4096 bytes"},
		"many":            {shardOf(t, append(slices.Repeat([]tarFile{{name: "a.png", body: png}}, 40), good...)...), 1, "a.tar/a: a.png is in the shard twice"},
		"no end mark":     {bytes.TrimRight(shardOf(t, good...), "\x00"), 1, "no end mark"},
		"second archive":  {slices.Concat(shardOf(t, good...), shardOf(t, good...)), 1, "after the end mark"},
		"garbage":         {slices.Concat(shardOf(t, good...)[:2048], bytes.Repeat([]byte("garbage "), 200)), 1, "corrupted or cut near byte"},
		"sparse":          {sparse, 1, "s.png: a sparse file"},
		"a lie of a size": {lyingShard(t, good), 1, "the shard is cut: a.png would end"},
	} {
		d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: c.shard}}, ShardOptions{}, "a.tar")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n, first := d.Skipped()
		if name == "a lie of a size" {
			n-- // the pair, and the rest of the shard
			first = first[1:]
		}
		if n != c.count || len(first) != n || !strings.Contains(first[0].Error(), c.want) {
			t.Errorf("%s: %d skipped: %v, expected %d with %q", name, n, first, c.count, c.want)
		}
		if got := pairsOf(t, d); !slices.Equal(got, []string{"7"}) {
			t.Errorf("%s: pairs %q", name, got)
		}
	}
	// The first ten of many.
	files := slices.Clone(good)
	for i := range 25 {
		files = append(files, tarFile{name: fmt.Sprintf("a%d.png", i), body: png})
	}
	d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: shardOf(t, files...)}}, ShardOptions{}, "a.tar")
	if err != nil {
		t.Fatal(err)
	}
	if n, first := d.Skipped(); n != 25 || len(first) != 10 || !strings.Contains(first[9].Error(), "a9:") {
		t.Errorf("%d skipped, first %v", n, first)
	}
}

// lyingShard ends with an image whose header gives it 2^60 bytes.
func lyingShard(t testing.TB, good []tarFile) []byte {
	b := shardOf(t, append(good, tarFile{name: "a.png", body: "x"})...)
	h := b[len(b)-4*512:]
	copy(h[124:136], "\x80\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00") // base 256
	fixChecksum(h[:512])
	return b
}

// fixChecksum writes the checksum of a changed header.
func fixChecksum(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func TestShardsRefused(t *testing.T) {
	png := pngOf(t, 7)
	for name, c := range map[string]struct{ shard, pattern, want string }{
		"missing":    {"", "b.tar", "vision: shard b.tar: open: file does not exist"},
		"gzip":       {"\x1f\x8b\x08 and so on", "a.tar", "vision: shard a.tar: compressed with gzip; shards are read in any order, so unpack it to an uncompressed tar file"},
		"no tar":     {strings.Repeat("plain text\n", 100), "a.tar", "vision: shard a.tar: not a tar file, or corrupted from its start: archive/tar: invalid tar header"},
		"empty":      {"", "a.tar", "1 shards without a usable pair: no images: 1 were skipped, the first: vision: a.tar/: the shard has no end mark after 0 bytes: it may be cut"},
		"no pairs":   {string(shardOf(t, tarFile{name: "a.cls", body: "1"})), "a.tar", "vision: 1 shards without a pair of an image (.jpg, .jpeg, .png, .webp) and a caption (.txt, .json): no images"},
		"all broken": {string(shardOf(t, tarFile{name: "a.png", body: png})), "a.tar", "vision: 1 shards without a usable pair: no images: 1 were skipped, the first: vision: a.tar/a: an image: no caption"},
		"twice":      {string(numberedShard(t, 0, 1)), "{a,a}.tar", "vision: shard a.tar is given twice"},
		"too many":   {"", "{1..2000000}.tar", "vision: shards {1..2000000}.tar: {1..2000000} stands for more than 1048576 names"},
	} {
		_, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: []byte(c.shard)}}, ShardOptions{}, c.pattern)
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: found %v, expected %s", name, err, c.want)
		}
	}
	if _, err := OpenShards(t.Context(), fstest.MapFS{}, ShardOptions{}); !errors.Is(err, ErrNoImages) {
		t.Errorf("no shards: %v", err)
	}
}

// TestShardsBrokenPairs gives errors for pairs whose files are there but cannot be used; a loader skips them.
func TestShardsBrokenPairs(t *testing.T) {
	png := pngOf(t, 7)
	files := []tarFile{{name: "good.png", body: png}, {name: "good.txt", body: "7"}}
	want := map[string]string{
		"utf8": "the caption is not UTF-8", "empty": "no caption", "absent": "the .json file has no \"caption\": no caption", "null": "the .json file has no \"caption\": no caption",
		"list": `the "caption" of the .json file is no string`, "broken": "the .json file: unexpected end of JSON input",
	}
	for name, body := range map[string]string{"utf8.txt": "\xff", "empty.txt": " \n", "absent.json": "{}", "null.json": `{"caption":null}`, "list.json": `{"caption":["7"]}`, "broken.json": `{"caption":`} {
		stem, _, _ := strings.Cut(name, ".")
		files = append(files, tarFile{name: stem + ".png", body: png}, tarFile{name: name, body: body})
	}
	files = append(files, tarFile{name: "image.png", body: png[:len(png)/2]}, tarFile{name: "image.txt", body: "7"})
	d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: shardOf(t, files...)}}, ShardOptions{}, "a.tar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Len() {
		stem := strings.TrimSuffix(strings.TrimPrefix(d.Name(i), "a.tar/"), ".png")
		_, err := d.Captions(i)
		if w := want[stem]; w == "" && err != nil || w != "" && (err == nil || !strings.HasSuffix(err.Error(), w) || !strings.Contains(err.Error(), d.Name(i))) {
			t.Errorf("%s: found %v, expected %q", d.Name(i), err, w)
		}
	}
	l := &Loader{Data: d, Preprocess: Preprocess{Mode: Stretch, Height: 2, Width: 2, Gray: true}, OnError: data.SkipErrors}
	n := 0
	for b, err := range l.Epoch(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		n += b.Len()
	}
	if skipped := l.Skipped(); n != 1 || len(skipped) != 7 {
		t.Errorf("%d pairs and %d skipped: %v", n, len(skipped), skipped)
	}
	if d, err = OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: numberedShard(t, 0, 1)}}, ShardOptions{Decode: DecodeOptions{MaxBytes: 10}}, "a.tar"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an image above MaxBytes: %v", err)
	}
}

// TestShardsTruncated cuts a shard at every sixteenth, and at random: the pairs before the cut are read, and the cut is
// reported.
func TestShardsTruncated(t *testing.T) {
	whole := numberedShard(t, 0, 8)
	cuts := []int{}
	for i := range 16 {
		cuts = append(cuts, len(whole)*i/16)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		cuts = append(cuts, rng.IntN(len(whole)-2*blockSize))
	}
	for _, cut := range cuts {
		d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: whole[:cut]}}, ShardOptions{}, "a.tar")
		if err != nil {
			if cut > 4*blockSize {
				t.Errorf("cut at %d: %v", cut, err)
			}
			continue
		}
		if n, _ := d.Skipped(); n == 0 {
			t.Errorf("cut at %d: %d pairs, and nothing is said", cut, d.Len())
		}
		if got, want := len(pairsOf(t, d)), cut/(len(whole)/8); got > want+1 || got < want-1 {
			t.Errorf("cut at %d: %d pairs, expected about %d", cut, got, want)
		}
	}
}

// TestShardsResume enters an epoch at each batch and gets the pairs that follow there.
func TestShardsResume(t *testing.T) {
	d, err := OpenShards(t.Context(), fstest.MapFS{"0.tar": {Data: numberedShard(t, 0, 9)}, "1.tar": {Data: numberedShard(t, 9, 8)}}, ShardOptions{}, "{0..1}.tar")
	if err != nil {
		t.Fatal(err)
	}
	read := func(epoch, first, goroutines int) (captions []string) {
		l := &Loader{Data: d, Preprocess: Preprocess{Mode: Stretch, Height: 2, Width: 2, Gray: true}, BatchSize: 3, Shuffle: true, Seed: 1, Goroutines: goroutines}
		for b, err := range l.EpochFrom(t.Context(), epoch, first) {
			if err != nil {
				t.Fatal(err)
			}
			captions = append(captions, b.Captions...)
		}
		return captions
	}
	all := read(2, 0, 1)
	if sorted := slices.Sorted(slices.Values(all)); len(slices.Compact(sorted)) != 17 || slices.Equal(all, read(3, 0, 1)) {
		t.Errorf("an epoch of %q", all)
	}
	for first := range 6 {
		if got := read(2, first, 4); !slices.Equal(got, all[3*first:]) {
			t.Errorf("from batch %d: %q, expected %q", first, got, all[3*first:])
		}
	}
}

// FuzzOpenShards indexes any bytes: every part lies in the shard, and its pairs are read or refused.
func FuzzOpenShards(f *testing.F) {
	png := pngOf(f, 7)
	f.Add(numberedShard(f, 0, 2))
	f.Add(shardOf(f, tarFile{name: "a.jpg", kind: tar.TypeSymlink}, tarFile{name: strings.Repeat("n", 200) + ".png", body: png}, tarFile{name: "b.json", body: `{"caption":"x"}`}))
	f.Add(lyingShard(f, []tarFile{{name: "good.png", body: png}, {name: "good.txt", body: "7"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: b}}, ShardOptions{Decode: DecodeOptions{MaxPixels: 1 << 16}}, "a.tar")
		if err != nil {
			return
		}
		for i, p := range d.pairs {
			for _, e := range []extent{p.image, p.caption} {
				if e.at < 0 || e.n < 0 || e.at+e.n > int64(len(b)) {
					t.Fatalf("pair %d lies at %+v of %d bytes", i, e, len(b))
				}
			}
			if c, err := d.Captions(i); err == nil && (len(c) != 1 || c[0] == "") {
				t.Fatalf("captions %q", c)
			}
			d.Open(i)
		}
	})
}

// TestShardsMemory reads shards whose headers promise much: none takes much memory.
func TestShardsMemory(t *testing.T) {
	good := shardOf(t, tarFile{name: "good.png", body: pngOf(t, 7)}, tarFile{name: "good.txt", body: "7"})
	header := func(kind byte, name, size string) []byte {
		h := make([]byte, blockSize)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], size)
		copy(h[136:], "00000000000\x00")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		fixChecksum(h)
		return h
	}
	pax := func(records string) []byte {
		h := header(tar.TypeXHeader, "pax", fmt.Sprintf("%011o\x00", len(records)))
		return append(append(h, records...), make([]byte, blockSize-len(records)%blockSize)...)
	}
	const huge = "\x80\x00\x00\x00\x0f\xff\xff\xff\xff\xff\xff\xff" // 2^60-1 in base 256
	body := make([]byte, 4*blockSize)
	for name, tail := range map[string][]byte{
		"long name":       append(header(tar.TypeGNULongName, "././@LongLink", huge), body...),
		"long link":       append(header(tar.TypeGNULongLink, "././@LongLink", huge), body...),
		"long pax":        append(header(tar.TypeXHeader, "pax", huge), body...),
		"global pax":      append(header(tar.TypeXGlobalHeader, "pax", huge), body...),
		"image":           append(header(tar.TypeReg, "a.png", huge), body...),
		"caption":         append(header(tar.TypeReg, "good.txt", huge), body...),
		"pax size":        slices.Concat(pax("30 size=1152921504606846975000\n"), header(tar.TypeReg, "a.png", "00000000001\x00"), body),
		"size below zero": append(header(tar.TypeReg, "a.png", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), body...),
		"sparse pax":      slices.Concat(pax("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n45 GNU.sparse.realsize=1152921504606846975\n"), header(tar.TypeReg, "a.png", "00000002000\x00"), []byte("99999999999\n"), body),
	} {
		shard := slices.Concat(good[:len(good)-2*blockSize], tail)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := OpenShards(t.Context(), fstest.MapFS{"a.tar": {Data: shard}}, ShardOptions{}, "a.tar")
		if err == nil {
			for i := range d.Len() {
				d.Open(i)
				d.Captions(i)
			}
			if n, _ := d.Skipped(); n == 0 {
				t.Errorf("%s: nothing is said", name)
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes for a shard of %d", name, n, len(shard))
		}
	}
}
