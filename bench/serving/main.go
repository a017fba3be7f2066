// Command serving measures a model that answers the requests of a server in the same process.
//
//	serving [-seconds N] [-clients N] [-limit N]
//
// It prints one JSON value. latency is the time of an unrelated HTTP handler, asked by a process of its own 200 times a
// second: while the model is idle, while plain calls saturate it, and while it is saturated through package serve,
// without and with a limit of cores. throughput is how many images a second the model answers: one at a time, by as
// many plain calls at once as there are clients, through package serve, and as one batch.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/serve"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "serving:", err)
		os.Exit(1)
	}
}

func command() error {
	seconds := flag.Int("seconds", 5, "length of a measurement")
	clients := flag.Int("clients", 64, "requests to the model at once")
	limit := flag.Int("limit", max(1, runtime.GOMAXPROCS(0)/2), "cores of the limited model")
	url := flag.String("ask", "", "ask this address instead, and print the latencies")
	flag.Parse()
	if *url != "" {
		return ask(*url, time.Duration(*seconds)*time.Second)
	}
	m := &measurement{
		model:  clip.New(clip.BasePatch32(), rand.New(rand.NewPCG(1, 1))),
		images: noise(*clients),
		length: time.Duration(*seconds) * time.Second,
	}
	latency, err := m.latencies(*limit)
	if err != nil {
		return err
	}
	throughput, err := m.throughput()
	if err != nil {
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"cores": runtime.GOMAXPROCS(0), "limit": *limit, "clients": *clients, "latency": latency, "throughput": throughput})
}

// measurement is a CLIP ViT-B/32 with random weights and the images of its clients.
type measurement struct {
	model  *clip.Model
	images []image.Image
	length time.Duration
}

func noise(n int) []image.Image {
	rng := rand.New(rand.NewPCG(1, 1))
	images := make([]image.Image, n)
	for i := range images {
		m := image.NewNRGBA(image.Rect(0, 0, 224, 224))
		for j := range m.Pix {
			m.Pix[j] = byte(rng.Uint32())
		}
		images[i] = m
	}
	return images
}

// embed is the model's answer to a batch.
func (m *measurement) embed(ctx context.Context, images []image.Image) ([][]float32, error) {
	return m.model.EncodeImages(ctx, images...)
}

// single is the model's answer to one image.
func (m *measurement) single(ctx context.Context, img image.Image) ([]float32, error) {
	rows, err := m.model.EncodeImages(ctx, img)
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// latency is the time of the unrelated handler, in milliseconds, and the images that the model answered meanwhile.
type latency struct {
	Load            string  `json:"load"`
	Median          float64 `json:"median_ms"`
	P99             float64 `json:"p99_ms"`
	Max             float64 `json:"max_ms"`
	ImagesPerSecond float64 `json:"images_per_second"`
}

// latencies measures the handler beside each load.
func (m *measurement) latencies(limit int) ([]latency, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := rand.Perm(1000) // some 50 µs of work
		slices.Sort(values)
		json.NewEncoder(w).Encode(values[:10])
	}))
	url := "http://" + listener.Addr().String()
	batcher := serve.New(m.embed, serve.Options{Queue: serve.Unlimited})
	defer batcher.Close()

	var all []latency
	for _, load := range []struct {
		name    string
		workers *simd.Workers
		do      func(context.Context, image.Image) ([]float32, error)
	}{
		{"idle", nil, nil},
		{"plain calls", simd.NewWorkers(0), m.single},
		{"serve", simd.NewWorkers(0), batcher.Do},
		{"serve, limited", simd.NewWorkers(limit), batcher.Do},
	} {
		m.model.Workers = load.workers
		answered, stop := m.saturate(load.do)
		time.Sleep(time.Second)
		start, before := time.Now(), answered.Load()
		out, err := exec.Command(os.Args[0], "-ask", url, "-seconds", strconv.Itoa(int(m.length.Seconds()))).Output()
		if err != nil {
			return nil, err
		}
		one := latency{Load: load.name, ImagesPerSecond: float64(answered.Load()-before) / time.Since(start).Seconds()}
		stop()
		if err := json.Unmarshal(out, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// saturate lets a client for each image call do again and again, until stop. It counts the answers.
func (m *measurement) saturate(do func(context.Context, image.Image) ([]float32, error)) (answered *atomic.Int64, stop func()) {
	answered = new(atomic.Int64)
	if do == nil {
		return answered, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for _, img := range m.images {
		clients.Go(func() {
			for {
				if _, err := do(ctx, img); err != nil {
					return
				}
				answered.Add(1)
			}
		})
	}
	return answered, func() { cancel(); clients.Wait() }
}

// ask asks the handler 200 times a second, whether or not it has answered, and prints the latencies as JSON.
func ask(url string, length time.Duration) error {
	const interval = 5 * time.Millisecond
	times := make([]float64, length/interval)
	errs := make([]error, len(times))
	var requests sync.WaitGroup
	start := time.Now()
	for i := range times {
		time.Sleep(time.Until(start.Add(time.Duration(i) * interval)))
		requests.Go(func() {
			begin := time.Now()
			var response *http.Response
			if response, errs[i] = http.Get(url); errs[i] == nil {
				_, errs[i] = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			times[i] = float64(time.Since(begin).Nanoseconds()) / 1e6
		})
	}
	requests.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	slices.Sort(times)
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"median_ms": times[len(times)/2], "p99_ms": times[len(times)*99/100], "max_ms": times[len(times)-1],
	})
}

// throughput returns the images a second of each way to ask, in the fastest of interleaved rounds.
func (m *measurement) throughput() (map[string]float64, error) {
	m.model.Workers = simd.NewWorkers(0)
	batcher := serve.New(m.embed, serve.Options{Queue: serve.Unlimited})
	defer batcher.Close()
	ctx := context.Background()
	atOnce := func(do func(context.Context, image.Image) ([]float32, error)) func() error {
		return func() error {
			errs := make([]error, len(m.images))
			var clients sync.WaitGroup
			for i, img := range m.images {
				clients.Go(func() { _, errs[i] = do(ctx, img) })
			}
			clients.Wait()
			return errors.Join(errs...)
		}
	}
	ways := []struct {
		name string
		run  func() error
	}{
		{"one at a time", func() error {
			for _, img := range m.images {
				if _, err := m.single(ctx, img); err != nil {
					return err
				}
			}
			return nil
		}},
		{"plain calls", atOnce(m.single)},
		{"serve", atOnce(batcher.Do)},
		{"one batch", func() error { _, err := m.embed(ctx, m.images); return err }},
	}
	fastest := map[string]float64{}
	for begin := time.Now(); time.Since(begin) < 4*m.length; {
		for _, way := range ways {
			start := time.Now()
			if err := way.run(); err != nil {
				return nil, err
			}
			fastest[way.name] = max(fastest[way.name], float64(len(m.images))/time.Since(start).Seconds())
		}
	}
	return fastest, nil
}
