package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/goroutines"
)

// sentences is a batch of token sequences of different lengths.
type sentences struct {
	rows    [][]int
	tokens  []int // padded with -1
	length  int
	offset  int // drawn for the whole batch
	resets  int
	started int // slots of the last Reset
}

// sequences is a loader over n sequences: item i holds i%5+1 times the number i, then a random number.
func sequences(n int) *Loader[sentences] {
	return &Loader[sentences]{
		Len: n, BatchSize: 4, Shuffle: true, Seed: 7,
		Reset: func(b *sentences, n int) {
			b.rows = slices.Grow(b.rows[:0], n)[:n]
			b.resets++
			b.started = n
		},
		Prepare: func(b *sentences, slot, item int, r *Rand) error {
			row := b.rows[slot][:0]
			for range item%5 + 1 {
				row = append(row, item)
			}
			b.rows[slot] = append(row, r.IntN(1000))
			return nil
		},
		Finish: func(b *Batch[sentences], slots []int, r *Rand) {
			s := &b.Value
			s.length, s.tokens, s.offset = 0, s.tokens[:0], r.IntN(1000)
			for _, slot := range slots {
				s.length = max(s.length, len(s.rows[slot]))
			}
			for _, slot := range slots {
				s.tokens = append(s.tokens, s.rows[slot]...)
				for range s.length - len(s.rows[slot]) {
					s.tokens = append(s.tokens, -1)
				}
			}
		},
	}
}

// seen is a copy of a batch, kept after its iteration.
type seen struct {
	Number         int
	Items          []int
	Skipped        []string
	Tokens         []int
	Length, Offset int
}

func collect(t *testing.T, l *Loader[sentences], epoch, first int) (out []seen) {
	t.Helper()
	for b, err := range l.EpochFrom(t.Context(), epoch, first) {
		if err != nil {
			t.Fatal(err)
		}
		s := seen{b.Number, slices.Clone(b.Items), nil, slices.Clone(b.Value.tokens), b.Value.length, b.Value.offset}
		for _, e := range b.Skipped {
			s.Skipped = append(s.Skipped, e.Name)
		}
		out = append(out, s)
	}
	return out
}

func TestLoaderReproducible(t *testing.T) {
	want := collect(t, sequences(30), 3, 0)
	if len(want) != 8 || len(want[7].Items) != 2 {
		t.Fatalf("%d batches", len(want))
	}
	var order []int
	for _, b := range want {
		order = append(order, b.Items...)
		for i, item := range b.Items {
			row := b.Tokens[i*b.Length:][:b.Length]
			for k, v := range row {
				switch {
				case k <= item%5 && v != item, k > item%5+1 && v != -1, k == item%5+1 && v < 0:
					t.Errorf("batch %d: item %d has the tokens %v", b.Number, item, row)
				}
			}
		}
	}
	if !slices.Equal(order, sequences(30).Order(3)) {
		t.Errorf("items %v, expected those of Order", order)
	}
	for _, n := range []int{1, 2, 7} {
		for _, ahead := range []int{1, 5} {
			l := sequences(30)
			l.Goroutines, l.Ahead = n, ahead
			if d := cmp.Diff(want, collect(t, l, 3, 0)); d != "" {
				t.Errorf("%d goroutines, %d ahead: %s", n, ahead, d)
			}
		}
	}
	for first := range 9 {
		if got := collect(t, sequences(30), 3, first); !cmp.Equal(append([]seen(nil), want[first:]...), got) {
			t.Errorf("entered at batch %d: other batches", first)
		}
	}
	other := sequences(30)
	other.Seed = 8
	if slices.Equal(other.Order(3), order) || slices.Equal(sequences(30).Order(4), order) {
		t.Error("another seed or epoch has the same order")
	}
}

func TestLoaderOrder(t *testing.T) {
	for _, c := range []struct {
		l    *Loader[int]
		want []int
	}{
		{&Loader[int]{Len: 4}, []int{0, 1, 2, 3}},
		{&Loader[int]{Len: 5, Repeats: 2}, []int{0, 0, 1, 1, 2}},
		{&Loader[int]{Len: 3, Repeats: math.MaxInt}, []int{0, 0, 0}},
		{&Loader[int]{Repeats: 2}, []int{}},
	} {
		if got := c.l.Order(0); !cmp.Equal(got, c.want) {
			t.Errorf("%d items, %d repeats: order %v, expected %v", c.l.Len, c.l.Repeats, got, c.want)
		}
	}
	for _, c := range []struct {
		n, size int
		drop    bool
		want    int
	}{{10, 4, false, 3}, {10, 4, true, 2}, {8, 4, false, 2}, {33, 0, false, 2}, {3, math.MaxInt, false, 1}, {0, 4, false, 0}} {
		if got := (&Loader[int]{Len: c.n, BatchSize: c.size, DropLast: c.drop}).Batches(); got != c.want {
			t.Errorf("%d items in batches of %d: %d batches, expected %d", c.n, c.size, got, c.want)
		}
	}
}

// Each time that an item appears again, its random decisions are others.
func TestLoaderRepeats(t *testing.T) {
	l := sequences(6)
	l.Repeats, l.Shuffle, l.BatchSize = 3, false, 6
	b := collect(t, l, 0, 0)[0]
	if !slices.Equal(b.Items, []int{0, 0, 0, 1, 1, 1}) {
		t.Fatalf("items %v", b.Items)
	}
	if x, y, z := b.Tokens[1], b.Tokens[b.Length+1], b.Tokens[2*b.Length+1]; x == y || y == z || x == z {
		t.Errorf("the random numbers of one item are %d, %d and %d", x, y, z)
	}
}

// failing makes the named items fail.
func failing(l *Loader[sentences], items ...int) *Loader[sentences] {
	prepare := l.Prepare
	l.Prepare = func(b *sentences, slot, item int, r *Rand) error {
		if slices.Contains(items, item) {
			return fmt.Errorf("no item %d", item)
		}
		return prepare(b, slot, item, r)
	}
	l.Name = func(item int) string { return fmt.Sprintf("sentence%d", item) }
	return l
}

func TestLoaderSkips(t *testing.T) {
	l := failing(sequences(10), 1, 4, 5, 6, 7, 9)
	l.Shuffle, l.OnError, l.Ahead = false, SkipErrors, 1
	for range 2 { // the second time in memory that was used before
		got := collect(t, l, 0, 0)
		if len(got) != 2 || !slices.Equal(got[0].Items, []int{0, 2, 3}) || got[1].Number != 2 || !slices.Equal(got[1].Items, []int{8}) {
			t.Fatalf("batches %v", got)
		}
		if got[0].Tokens[0] != 0 || got[0].Tokens[got[0].Length] != 2 || got[1].Tokens[0] != 8 {
			t.Errorf("tokens %v and %v", got[0].Tokens, got[1].Tokens)
		}
		if want := []string{"sentence1"}; !slices.Equal(got[0].Skipped, want) {
			t.Errorf("batch 0 skipped %v, expected %v", got[0].Skipped, want)
		}
		if want := []string{"sentence4", "sentence5", "sentence6", "sentence7", "sentence9"}; !slices.Equal(got[1].Skipped, want) {
			t.Errorf("batch 2 skipped %v, expected %v", got[1].Skipped, want)
		}
	}
	var indices []int
	for _, e := range l.Skipped() {
		indices = append(indices, e.Index)
	}
	if !slices.Equal(indices, []int{1, 4, 5, 6, 7, 9}) {
		t.Errorf("Skipped returned %v", indices)
	}
}

func TestLoaderErrors(t *testing.T) {
	stops := failing(sequences(10), 5)
	stops.Shuffle = false
	all := failing(sequences(3), 0, 1, 2)
	all.OnError = SkipErrors
	broken := func(change func(l *Loader[sentences])) *Loader[sentences] {
		l := sequences(3)
		change(l)
		return l
	}
	for _, c := range []struct {
		name    string
		l       *Loader[sentences]
		first   int
		batches int
		want    string
	}{
		{"stops", stops, 0, 1, "data: sentence5: no item 5"},
		{"all skipped", all, 0, 0, "data: every item was skipped, the first of 3 with: data: sentence"},
		{"no Prepare", broken(func(l *Loader[sentences]) { l.Prepare = nil }), 0, 0, "Prepare"},
		{"negative length", broken(func(l *Loader[sentences]) { l.Len = -1 }), 0, 0, "-1 items"},
		{"negative batch size", broken(func(l *Loader[sentences]) { l.BatchSize = -1 }), 0, 0, "batches of -1"},
		{"negative repeats", broken(func(l *Loader[sentences]) { l.Repeats = -1 }), 0, 0, "-1 repeats"},
		{"first too large", sequences(3), 2, 0, "from batch 2 of 1"},
		{"first negative", sequences(3), -1, 0, "from batch -1 of 1"},
	} {
		batches := 0
		var last error
		for _, err := range c.l.EpochFrom(t.Context(), 0, c.first) {
			if last != nil {
				t.Errorf("%s: a result after the error", c.name)
			}
			if last = err; err == nil {
				batches++
			}
		}
		if batches != c.batches || last == nil || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%s: %d batches and error %v, expected %d and %q", c.name, batches, last, c.batches, c.want)
		}
		if got := errors.Is(last, ErrAllSkipped); got != (c.l == all) {
			t.Errorf("%s: matches ErrAllSkipped: %v", c.name, got)
		}
	}
	for range sequences(0).Epoch(t.Context(), 0) {
		t.Error("no items give a result")
	}
}

func TestItemErrorNamesOnce(t *testing.T) {
	cause := errors.New("open a.txt: no such file")
	for name, want := range map[string]string{"a.txt": "open a.txt: no such file", "b.txt": "data: b.txt: open a.txt: no such file"} {
		e := &ItemError{Name: name, Err: cause}
		if e.Error() != want || !errors.Is(e, cause) {
			t.Errorf("found %q, expected %q", e, want)
		}
	}
	l := sequences(1)
	if e := l.itemError(0, cause); e.Name != "item 0" {
		t.Errorf("without Name the item is %q", e.Name)
	}
}

func TestLoaderCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range sequences(200).Epoch(ctx, 0) {
		if last = err; err == nil {
			if n++; n == 3 {
				cancel()
			}
		}
	}
	if !errors.Is(last, context.Canceled) || n > 10 {
		t.Errorf("%d batches, then %v", n, last)
	}
	goroutines.Expect(t, before)
	for range sequences(200).Epoch(t.Context(), 0) {
		break
	}
	goroutines.Expect(t, before)
}

// A panic in any callback reaches the goroutine that iterates, and ends the others.
func TestLoaderPanics(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, change := range map[string]func(l *Loader[sentences]){
		"Reset":   func(l *Loader[sentences]) { l.Reset = func(*sentences, int) { panic("bad") } },
		"Prepare": func(l *Loader[sentences]) { l.Prepare = func(*sentences, int, int, *Rand) error { panic("bad") } },
		"Finish":  func(l *Loader[sentences]) { l.Finish = func(*Batch[sentences], []int, *Rand) { panic("bad") } },
	} {
		l := sequences(50)
		change(l)
		func() {
			defer func() {
				if p := recover(); p != "bad" {
					t.Errorf("%s: recovered %v", name, p)
				}
			}()
			for range l.Epoch(t.Context(), 0) {
				t.Errorf("%s: a batch", name)
			}
		}()
		goroutines.Expect(t, before)
	}
}

func TestLoaderIsBounded(t *testing.T) {
	l := sequences(1000)
	var prepared atomic.Int64
	prepare := l.Prepare
	l.Prepare = func(b *sentences, slot, item int, r *Rand) error {
		prepared.Add(1)
		return prepare(b, slot, item, r)
	}
	l.Ahead, l.Goroutines = 2, 2
	for range l.Epoch(t.Context(), 0) {
		for range 100 {
			if prepared.Load() == 4*3 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond)
		if n := prepared.Load(); n != 4*3 {
			t.Errorf("%d items prepared while the caller has the first batch of 4, expected 12", n)
		}
		break
	}
}

// Batches are filled again, in later epochs and by other loaders of the same State too. A batch with which a caller
// broke off stays the caller's.
func TestLoaderRecycles(t *testing.T) {
	var state State[sentences]
	loader := func() *Loader[sentences] {
		l := sequences(64)
		l.Ahead, l.State = 1, &state
		return l
	}
	buffers := map[*Batch[sentences]]int{}
	for epoch := range 3 {
		for b, err := range loader().Epoch(t.Context(), epoch) {
			if err != nil {
				t.Fatal(err)
			}
			if buffers[b]++; b.Value.started != 4 {
				t.Errorf("Reset for %d items", b.Value.started)
			}
		}
	}
	resets := 0
	for b := range buffers {
		resets += b.Value.resets
	}
	if len(buffers) != 2 || resets != 48 {
		t.Errorf("%d buffers and %d resets for 48 batches, expected 2 buffers", len(buffers), resets)
	}
	var kept *Batch[sentences]
	for b := range loader().Epoch(t.Context(), 0) {
		kept = b
		break
	}
	want := slices.Clone(kept.Value.tokens)
	collect(t, loader(), 1, 0)
	if !slices.Equal(kept.Value.tokens, want) {
		t.Error("a batch that was kept after its epoch was written over")
	}
}

// pairs is a batch of features and the words about them. It needs neither Reset nor Finish: an array holds the slots.
type pairs [3]struct {
	features []float32
	text     string
}

func TestLoaderOfPairs(t *testing.T) {
	l := &Loader[pairs]{
		Len: 7, BatchSize: 3, Shuffle: true, DropLast: true,
		Prepare: func(b *pairs, slot, item int, r *Rand) error {
			b[slot].features = append(b[slot].features[:0], float32(item), float32(item*item))
			b[slot].text = fmt.Sprint("number ", item)
			return nil
		},
	}
	n := 0
	for b, err := range l.Epoch(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for slot, item := range b.Items {
			n++
			if p := b.Value[slot]; p.features[1] != float32(item*item) || p.text != fmt.Sprint("number ", item) {
				t.Errorf("item %d is %v", item, p)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d pairs, expected 6", n)
	}
}

func TestDescribe(t *testing.T) {
	l := sequences(30)
	want := map[string]string{
		"length": "30", "batch size": "4", "shuffle": "true", "seed": "7", "repeats": "1", "drop last": "false", "error policy": "stop",
	}
	if d := cmp.Diff(want, l.Describe()); d != "" {
		t.Error(d)
	}
	l.Goroutines, l.Ahead = 3, 5 // batches do not depend on them
	if d := cmp.Diff(want, l.Describe()); d != "" {
		t.Error(d)
	}
	for name, change := range map[string]func(l *Loader[sentences]){
		"length":       func(l *Loader[sentences]) { l.Len++ },
		"batch size":   func(l *Loader[sentences]) { l.BatchSize = 0 },
		"shuffle":      func(l *Loader[sentences]) { l.Shuffle = false },
		"seed":         func(l *Loader[sentences]) { l.Seed = 1<<64 - 1 },
		"repeats":      func(l *Loader[sentences]) { l.Repeats = 2 },
		"drop last":    func(l *Loader[sentences]) { l.DropLast = true },
		"error policy": func(l *Loader[sentences]) { l.OnError = SkipErrors },
	} {
		l := sequences(30)
		change(l)
		for key, value := range l.Describe() {
			if (value != want[key]) != (key == name) {
				t.Errorf("after a change of the %s, the %s is %s", name, key, value)
			}
		}
	}
}

func TestBatchLen(t *testing.T) {
	l := sequences(6)
	l.OnError = SkipErrors
	prepare := l.Prepare
	l.Prepare = func(b *sentences, slot, item int, r *Rand) error {
		if item == 2 {
			return errors.New("cannot be read")
		}
		return prepare(b, slot, item, r)
	}
	n := 0
	for b, err := range l.Epoch(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Len() != len(b.Items) {
			t.Errorf("length %d of %d items", b.Len(), len(b.Items))
		}
		n += b.Len()
	}
	if n != 5 {
		t.Errorf("%d items, expected 5 of 6", n)
	}
}
