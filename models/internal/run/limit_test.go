package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/peak"
)

// usage holds the memory statistics that the process started by TestMemoryLimit prints as JSON.
type usage struct {
	Held      int    // bytes that the runtime holds in the end
	Allocated uint64 // bytes allocated in the last passes
	GCs       uint32 // garbage collections in the last passes
}

const (
	passes   = 50
	passSize = 16 << 20
	limit    = 48 << 20
)

// TestMemoryLimit runs a process whose memory limit is a bit above the need of one pass. After larger passes, on all cores
// at once, it gives memory back. Then it neither allocates nor collects garbage all the time.
func TestMemoryLimit(t *testing.T) {
	if os.Getenv("FOVEA_TEST_LIMIT") != "" {
		limited(t)
		return
	}
	if runtime.GOOS == "js" || peak.Racing() {
		t.Skip("needs a process of its own, without the race detector's memory")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestMemoryLimit$")
	c.Env = append(os.Environ(), "FOVEA_TEST_LIMIT=1", "GOMEMLIMIT=48MiB", "GOMAXPROCS=4")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("an emulated process starts no other")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var u usage
	if err := json.Unmarshal(out, &u); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%+v", u)
	if u.Held > limit+limit/8 {
		t.Errorf("the process holds %d bytes, its limit is %d", u.Held, limit)
	}
	if u.Allocated > 3*passSize {
		t.Errorf("%d passes allocate %d bytes", passes, u.Allocated)
	}
	if u.GCs > passes {
		t.Errorf("%d garbage collections in %d passes", u.GCs, passes)
	}
}

// limited is the child.
func limited(t *testing.T) {
	r := New()
	pass := func(size int, inside func()) {
		err := Over(context.Background(), r, autograd.Options{}, []int{1}, func(t *autograd.Tape, _ []int, _ int) error {
			for range 4 {
				t.Full(1, size/16)
			}
			inside()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	var at, all sync.WaitGroup
	at.Add(cores())
	for range cores() {
		all.Go(func() { pass(2*passSize, func() { at.Done(); at.Wait() }) })
	}
	all.Wait()
	var before, after runtime.MemStats
	garbage := make([][]byte, 16)
	several := func() {
		for i := range passes {
			pass(passSize, func() { garbage[i%16] = make([]byte, 64<<10) })
		}
	}
	several()
	runtime.ReadMemStats(&before)
	several()
	runtime.ReadMemStats(&after)
	end := after
	for range 600 { // the runtime gives free memory to the system step by step
		if end.Sys-end.HeapReleased <= limit {
			break
		}
		time.Sleep(50 * time.Millisecond)
		pass(passSize, func() {})
		runtime.ReadMemStats(&end)
	}
	json.NewEncoder(os.Stdout).Encode(usage{
		Held: int(end.Sys - end.HeapReleased), Allocated: after.TotalAlloc - before.TotalAlloc, GCs: after.NumGC - before.NumGC,
	})
	os.Exit(0)
}
