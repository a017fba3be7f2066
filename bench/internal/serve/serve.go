// Package serve runs a benchmark worker: a program that prepares and times one case at a time, on request.
//
//	func main() { serve.Requests(os.Stdin, os.Stdout, prepare, nil) }
//
// bench/run.py and bench/vision.py start a worker and time the same case in Python, in turn with it. They send one
// request a line. The worker answers each request with one line:
//
//	prepare CASE...   prepares a case; answers "ok"
//	run N             runs the case N times; answers the shortest time in milliseconds
//	allocated         answers the bytes allocated by a run, the mean over the last "run"
//	memory            answers the peak resident memory of the process in MB
//	info              answers the architecture and the instruction set
//
// The answer to a failed request is "error" and the reason.
package serve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/simd"
)

// Requests answers the requests in in until its end. prepare gets the words after "prepare" and returns the function
// that runs the case once. more holds further requests by their first word; they get the other words.
func Requests(in io.Reader, out io.Writer, prepare func(words []string) (func() error, error), more map[string]func(words []string) (string, error)) {
	w := worker{prepare: prepare, more: more}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		answer, err := w.answer(words[0], words[1:])
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Fprintln(out, answer)
	}
}

type worker struct {
	prepare   func(words []string) (func() error, error)
	more      map[string]func(words []string) (string, error)
	run       func() error // nil before a case is prepared
	allocated uint64       // bytes
}

// answer answers one request.
func (w *worker) answer(request string, words []string) (string, error) {
	switch request {
	case "prepare":
		w.run = nil
		runtime.GC()
		run, err := w.prepare(words)
		if err != nil {
			return "", err
		}
		w.run = run
		runtime.GC()
		return "ok", nil
	case "run":
		if w.run == nil || len(words) != 1 {
			return "", errors.New("expected a prepared case and a number of runs")
		}
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 1 {
			return "", fmt.Errorf("expected a number of runs, found %q", words[0])
		}
		shortest, err := w.measure(n)
		return fmt.Sprint(float64(shortest.Nanoseconds()) / 1e6), err
	case "allocated":
		return fmt.Sprint(w.allocated), nil
	case "memory":
		return fmt.Sprint(float64(peak.Memory()) / 1e6), nil
	case "info":
		return simd.Info(), nil
	}
	if f, ok := w.more[request]; ok {
		return f(words)
	}
	return "", fmt.Errorf("unknown request %q", request)
}

// measure runs the case n times and returns the shortest time.
func (w *worker) measure(n int) (time.Duration, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	shortest := time.Duration(math.MaxInt64)
	for range n {
		start := time.Now()
		if err := w.run(); err != nil {
			return 0, err
		}
		shortest = min(shortest, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	w.allocated = (after.TotalAlloc - before.TotalAlloc) / uint64(n)
	return shortest, nil
}
