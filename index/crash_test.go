package index

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crashFolder is the environment variable that makes the test binary the process to be killed.
const crashFolder = "FOVEA_INDEX_CRASH"

const (
	crashDim   = 16
	crashBatch = 30
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		if err := crashing(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// crashVector is the vector of an id.
func crashVector(id int64) []float32 {
	return randomVector(rand.New(rand.NewPCG(9, uint64(id))), crashDim)
}

// crashing adds and deletes without an end, and prints a line after each call has returned: batch n has the ids from
// n·crashBatch on. Of each batch, the first id is deleted later.
func crashing(dir string) error {
	x, err := Open(dir, OpenOptions{})
	if err != nil {
		return err
	}
	batch := int64(0)
	for x.Has(batch*crashBatch + 1) {
		batch++
	}
	if last := (batch - 1) * crashBatch; batch > 0 && x.Has(last) { // killed before it was deleted
		if _, err := x.Delete(last); err != nil {
			return err
		}
		fmt.Println("deleted", batch-1)
	}
	for ; ; batch++ {
		var ids []int64
		var vectors [][]float32
		for i := range int64(crashBatch) {
			ids = append(ids, batch*crashBatch+i)
			vectors = append(vectors, crashVector(batch*crashBatch+i))
		}
		if err := x.Add(ids, vectors); err != nil {
			return err
		}
		fmt.Println("added", batch)
		if n, err := x.Delete(ids[0]); err != nil || n != 1 {
			return fmt.Errorf("deleted %d, %w", n, err)
		}
		fmt.Println("deleted", batch)
		if batch%17 == 16 {
			if err := x.Compact(); err != nil {
				return err
			}
		}
	}
}

// A process that adds is killed, fifty times. The index opens each time. It holds everything that was acknowledged, and
// of the call that was cut off all or nothing.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("no processes")
	}
	rounds := 50
	if testing.Short() {
		rounds = 8
	}
	dir := t.TempDir()
	x, err := Create(dir, Options{Dim: crashDim, Metric: InnerProduct})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	added, deleted := int64(-1), int64(-1) // the last that were acknowledged
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashFolder+"="+dir)
		var failure strings.Builder
		child.Stderr = &failure
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); errors.Is(err, syscall.ENOEXEC) {
			t.Skip("this system cannot start the test's own program, as under emulation")
		} else if err != nil {
			t.Fatal(err)
		}
		wait := time.Duration(rng.Int64N(int64(30 * time.Millisecond)))
		lines := bufio.NewScanner(out)
		for first := true; lines.Scan(); first = false {
			var word string
			var batch int64
			fmt.Sscan(lines.Text(), &word, &batch)
			if word == "added" {
				added = batch
			} else {
				deleted = batch
			}
			if first {
				time.AfterFunc(wait, func() { child.Process.Kill() })
			}
		}
		if child.Wait(); failure.Len() > 0 {
			t.Fatal(failure.String())
		}
		x, err := Open(dir, OpenOptions{ReadOnly: true})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for id := range (added + 2) * crashBatch {
			batch := id / crashBatch
			vector, ok := x.Vector(id)
			want := id%crashBatch != 0 || batch > deleted
			switch {
			case ok && !equalVectors(vector, crashVector(id)):
				t.Fatalf("round %d: vector %d is %v", round, id, vector)
			case batch > added && ok != x.Has(batch*crashBatch+1): // a part of the addition that was cut off
				fallthrough
			case batch <= added && ok != want && !(id%crashBatch == 0 && batch == deleted+1):
				t.Fatalf("round %d: vector %d of batch %d: %v; acknowledged are the addition of batch %d and the deletion of %d", round, id, batch, ok, added, deleted)
			}
		}
		if n := int64(x.Len()); n < (added+1)*(crashBatch-1) || n > (added+2)*crashBatch {
			t.Fatalf("round %d: %d vectors after batch %d", round, n, added)
		}
		if x.Has((added+1)*crashBatch + 1) {
			added++ // the last call was complete, but for its acknowledgment
		}
		if !x.Has(added * crashBatch) {
			deleted = added
		}
	}
	x, err = Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(hidden) > 0 {
		t.Errorf("left over: %v, %v", hidden, err)
	}
	want := 2 // the manifest and the lock
	for _, g := range x.state.Load().segments {
		want++
		if g.deletedFile != "" {
			want++
		}
	}
	if len(names) > want {
		t.Errorf("%d files, want %d: %v", len(names), want, names)
	}
	t.Logf("%d batches in %d rounds", added+1, rounds)
}

func equalVectors(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// An addition that cannot be written, here because the folder is away, leaves an index that goes on.
func TestNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	x, err := Create(dir, Options{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add([]int64{1}, [][]float32{{1}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"b"); err != nil {
		t.Skip(err) // a system that keeps folders with open files where they are
	}
	if err := x.Add([]int64{2}, [][]float32{{2}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found %v", err)
	}
	if err := os.Rename(dir+"b", dir); err != nil {
		t.Fatal(err)
	}
	if err := x.Add([]int64{3}, [][]float32{{3}}); err != nil || x.Len() != 2 || x.Has(2) {
		t.Errorf("%d vectors, %v", x.Len(), err)
	}
}
