package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/bert"
)

// asProgram is the environment variable that makes the test binary the program.
const asProgram = "FOVEA_EMBED_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// small saves a small encoder with the vocabulary of BERT and random weights.
func small(t *testing.T) string {
	t.Helper()
	trained, err := bert.Open(golden.SharedData(t, "minilm"), bert.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := bert.MiniLM()
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.InitializerRange, c.MaxPositionEmbeddings = 16, 1, 2, 16, 1, 32
	m := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	m.Tokenizer, m.Sentences = trained.Tokenizer, trained.Sentences
	dir := t.TempDir()
	if err := m.Save(dir, bert.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sentences returns n lines of random words.
func sentences(n, words int) string {
	rng := rand.New(rand.NewPCG(3, 4))
	list := strings.Fields("the dog cat car house runs sleeps drives on under near red green small old new Monday garage park vet")
	var b strings.Builder
	for range n {
		for range words {
			b.WriteString(list[rng.IntN(len(list))] + " ")
		}
		fmt.Fprintln(&b, rng.IntN(1000))
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// find runs the program and returns the lines that it finds for one text.
func find(t *testing.T, args ...string) []jsonLine {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(append(args, "-json", "the red dog"), nil, &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	var j []jsonFound
	if err := json.Unmarshal(stdout.Bytes(), &j); err != nil || len(j) != 1 {
		t.Fatalf("%v: %s", err, &stdout)
	}
	return j[0].Lines
}

// same expects the same lines and texts, and about the same scores.
func same(t *testing.T, what string, found, want []jsonLine) {
	t.Helper()
	equal := len(found) == len(want)
	for i := range min(len(found), len(want)) {
		a, b := found[i], want[i]
		equal = equal && a.Line == b.Line && a.Text == b.Text && math.Abs(float64(a.Score-b.Score)) < 1e-5
	}
	if !equal {
		t.Errorf("%s: found\n%v, want\n%v", what, found, want)
	}
}

// TestIndex keeps an index beside a file that grows: a search finds what a search without an index finds.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "notes.index")
	base := []string{"-model", small(t), "-file", file}
	saved := append(base, "-index", folder)
	text := sentences(addAtOnce+50, 5)
	for i, part := range []string{text, "a red dog", " and the dog", "s\nthe red dog\n\n", ""} { // lines may be finished later
		if i == 0 {
			write(t, file, part)
		} else if old, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else {
			write(t, file, string(old)+part)
		}
		same(t, fmt.Sprint("part ", i), find(t, saved...), find(t, base...))
	}
	all := find(t, append(base, "-top", "1000")...)
	if all[0].Text != "the red dog" {
		t.Errorf("found first %q", all[0].Text)
	}
	of := func(may func(n int) bool) (lines []jsonLine) {
		for _, l := range all {
			if may(l.Line) {
				lines = append(lines, l)
			}
		}
		return lines
	}
	same(t, "-among", find(t, append(saved, "-top", "1000", "-among", "7,12-20")...), of(func(n int) bool { return n == 7 || n >= 12 && n <= 20 }))
	first := all[0].Line
	same(t, "-forget", find(t, append(saved, "-top", "1000", "-forget", fmt.Sprintf("%d,2-3,5-999999999", first), "-among", "1-10")...), of(func(n int) bool { return n == 1 || n == 4 }))
	same(t, "forgotten", find(t, append(saved, "-top", "1000")...), of(func(n int) bool { return n == 1 || n == 4 }))

	write(t, file, "shorter\n")
	for want, args := range map[string][]string{
		"embed: -index: " + folder + " holds lines of":     saved,
		"embed: -index: " + folder + " holds vectors of 1": append(slices.Clone(saved), "-dim", "8"),
	} {
		var stdout, stderr bytes.Buffer
		if status := command(append(slices.Clone(args), "a"), nil, &stdout, &stderr); status != 1 || !strings.HasPrefix(stderr.String(), want) {
			t.Errorf("status %d: %s, want %s", status, &stderr, want)
		}
	}
	write(t, filepath.Join(folder, stateName), "[]")
	var stderr bytes.Buffer
	if status := command(append(saved, "a"), nil, io.Discard, &stderr); status != 1 || !strings.Contains(stderr.String(), "expected the state of an index of lines, found \"[]\"") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// TestKill kills the program again and again while it embeds a file. Each run goes on where the last one ended.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "notes.index")
	write(t, file, sentences(20*addAtOnce+7, 8))
	base := []string{"-model", small(t), "-file", file}
	rng := rand.New(rand.NewPCG(5, 6))
	killed, lines := 0, 0
	for {
		program := exec.Command(os.Args[0], append(base, "-index", folder)...)
		program.Env = append(os.Environ(), asProgram+"=1")
		var output bytes.Buffer
		program.Stdout, program.Stderr = &output, &output
		if err := program.Start(); errors.Is(err, syscall.ENOEXEC) {
			t.Skip("this system cannot start the test's own program, as under emulation")
		} else if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- program.Wait() }()
		var err error
		over := false
		for !over { // until more lines are in the index than before
			select {
			case err = <-ended:
				over = true
			case <-time.After(time.Millisecond):
				if n := stateOf(folder).Lines; n > lines && killed < 8 {
					time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
					program.Process.Kill()
				}
			}
		}
		if err == nil {
			break
		}
		if killed++; killed > 8 {
			t.Fatalf("%v: %s", err, &output)
		}
		lines = stateOf(folder).Lines
	}
	if killed < 3 {
		t.Errorf("killed only %d times", killed)
	}
	if s := stateOf(folder); s.Lines != 20*addAtOnce+7 {
		t.Errorf("the index holds %d lines", s.Lines)
	}
	same(t, "after kills", find(t, append(base, "-index", folder, "-top", "50")...), find(t, append(base, "-top", "50")...))
}

// stateOf returns the state in a folder, or zeros before there is one.
func stateOf(folder string) (s state) {
	if data, err := os.ReadFile(filepath.Join(folder, stateName)); err == nil {
		_ = json.Unmarshal(data, &s)
	}
	return s
}

// A measured reader notes how much memory is in use as the file is read.
type measured struct {
	io.Reader
	read, next int
	live       []uint64
}

func (m *measured) Read(b []byte) (int, error) {
	if m.read >= m.next {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.live = append(m.live, s.HeapAlloc)
		m.next += 1 << 20
	}
	n, err := m.Reader.Read(b)
	m.read += n
	return n, err
}

// TestMemory expects the same memory at the end of a file as at its beginning.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	m, err := bert.Open(small(t), bert.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Embedder(bert.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := openSaved(settings{Index: t.TempDir()}, e.Width())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r := &measured{Reader: strings.NewReader(sentences(4000, 400))}
	if err := v.add(context.Background(), e, r, 0, console.Plain(io.Discard)); err != nil {
		t.Fatal(err)
	}
	n := len(r.live)
	if n < 6 {
		t.Fatalf("%d measurements", n)
	}
	t.Logf("live bytes at each megabyte: %d", r.live)
	if growth := int64(r.live[n-1]) - int64(r.live[1]); growth > 1<<20 {
		t.Errorf("memory grew by %d bytes in %d MB: %d", growth, n-2, r.live)
	}
}

// TestLines splits texts at line breaks, and cuts what is too long.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", largestLine+70000)
	text := "a\r\n\n" + long + "\nb"
	var found []line
	for l, err := range lines(strings.NewReader(text), 10, 100) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, l)
	}
	end := int64(100 + 4 + len(long) + 1)
	want := []line{{11, "a", 103, true}, {12, "", 104, true}, {13, long[:largestLine], end, true}, {14, "b", end + 1, false}}
	if !slices.Equal(found, want) {
		t.Errorf("found %.200v", found)
	}
	wrong := errors.New("a bad disk")
	for l, err := range lines(io.MultiReader(strings.NewReader("a\nb"), failing{wrong}), 0, 0) {
		if err != nil && !errors.Is(err, wrong) || err == nil && l.text != "a" {
			t.Error(l, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestRanges(t *testing.T) {
	var r ranges
	if err := r.Set("7,12-20"); err != nil || !r.has(7) || r.has(8) || !r.has(12) || !r.has(20) || r.has(21) {
		t.Error(r, err)
	}
	for _, s := range []string{"", "0", "3-2", "a", "1,", "1-2-3", "-1", "99999999999999999999"} {
		if err := r.Set(s); err == nil {
			t.Errorf("%q: expected an error", s)
		}
	}
}
