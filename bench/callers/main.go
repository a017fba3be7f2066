// Command callers measures a model that many goroutines ask at once, one image a request.
//
//	callers [-model tiny] [-callers 1,2,4,8,16,32,64] [-seconds 3] [-workers N] [-serve]
//
// Each caller sends its next request when it has the answer to the last one. The program prints one JSON value a line, for
// each number of callers: requests a second, the median and the 99th percentile of a request's time, and the threads and
// the memory of the process. GOMAXPROCS in the environment limits the cores. bench/callers.py starts it beside its peers.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/serve"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "callers:", err)
		os.Exit(1)
	}
}

func command() error {
	name := flag.String("model", "tiny", "a ViT: tiny, small or base, with random weights")
	list := flag.String("callers", "1,2,4,8,16,32,64", "numbers of callers")
	seconds := flag.Float64("seconds", 3, "length of a measurement")
	workers := flag.Int("workers", 0, "cores of one request; 0 means all")
	batches := flag.Bool("serve", false, "gather the requests into batches by package serve")
	flag.Parse()
	config, ok := map[string]func() vit.Config{"tiny": vit.Tiny16, "small": vit.Small16, "base": vit.Base16}[*name]
	if !ok {
		return fmt.Errorf("expected tiny, small or base, found %q", *name)
	}
	model := vit.New(config(), 1000, rand.New(rand.NewPCG(1, 1)))
	model.Workers = simd.NewWorkers(*workers)
	photograph := image.NewNRGBA(image.Rect(0, 0, 224, 224))
	ask := func(ctx context.Context) error {
		_, err := model.Embed(ctx, photograph)
		return err
	}
	if *batches {
		b := serve.New(func(ctx context.Context, images []image.Image) ([][]float32, error) {
			return model.Embed(ctx, images...)
		}, serve.Options{Queue: serve.Unlimited})
		defer b.Close()
		ask = func(ctx context.Context) error {
			_, err := b.Do(ctx, photograph)
			return err
		}
	}
	for word := range strings.SplitSeq(*list, ",") {
		callers, err := strconv.Atoi(word)
		if err != nil || callers < 1 {
			return fmt.Errorf("expected a number of callers, found %q", word)
		}
		r, err := measure(callers, time.Duration(*seconds*float64(time.Second)), ask)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// result is one line of the output.
type result struct {
	Cores     int     `json:"cores"`
	Callers   int     `json:"callers"`
	PerSecond float64 `json:"per_second"`
	Median    float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	Threads   int     `json:"threads"`
	Memory    float64 `json:"memory_mb"` // the peak of the process so far
}

// measure lets callers ask for a time, after a round that is not counted.
func measure(callers int, length time.Duration, ask func(context.Context) error) (result, error) {
	debug.FreeOSMemory()
	times := make([][]float64, callers)
	errs := make([]error, callers)
	var ready, all sync.WaitGroup
	ready.Add(callers)
	var begin time.Time
	start := make(chan struct{})
	for i := range callers {
		all.Go(func() {
			errs[i] = ask(context.Background())
			ready.Done()
			<-start
			for errs[i] == nil && time.Since(begin) < length {
				asked := time.Now()
				errs[i] = ask(context.Background())
				times[i] = append(times[i], float64(time.Since(asked).Microseconds())/1000)
			}
		})
	}
	ready.Wait()
	begin = time.Now()
	close(start)
	all.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return result{}, err
		}
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(times...)))
	return result{
		Cores: runtime.GOMAXPROCS(0), Callers: callers, PerSecond: float64(len(sorted)) / took.Seconds(),
		Median: sorted[len(sorted)/2], P99: sorted[len(sorted)*99/100], Max: sorted[len(sorted)-1],
		Threads: peak.Threads(), Memory: float64(peak.Memory()) / 1e6,
	}, nil
}
