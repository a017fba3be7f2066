// Command load measures the time and memory from a model's file to its first logits.
//
//	load make DIR [F32|F16|BF16]   writes a ViT-B/16 with random weights to DIR, in the layout of Hugging Face
//	load run DIR [-widen] [-unmapped] [-threads N] [-batch N] [-forward N] [-models N] [-share]
//	                               loads it, classifies images of noise, and prints times and memory as JSON
//
// With -models it loads as many models from the folder and runs each. With -share they share their weights, by nn.Share.
//
// bench/load.py starts it, in turn with PyTorch.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) < 2 {
		return errors.New("expected make or run, and a folder")
	}
	verb, dir, args := args[0], args[1], args[2:]
	switch verb {
	case "make":
		return write(dir, append(args, "F32")[0])
	case "run":
		return run(dir, args)
	}
	return fmt.Errorf("expected make or run, found %q", verb)
}

// write writes the model folder.
func write(dir, dtype string) error {
	d, ok := map[string]checkpoint.DType{"F32": checkpoint.F32, "F16": checkpoint.F16, "BF16": checkpoint.BF16}[dtype]
	if !ok {
		return fmt.Errorf("expected F32, F16 or BF16, found %q", dtype)
	}
	return vit.New(vit.Base16(), 1000, rand.New(rand.NewPCG(1, 1))).Save(dir, vit.SaveOptions{DType: d})
}

// result is the output of run. Times are in milliseconds, sizes in bytes.
type result struct {
	File      int64     `json:"file"`
	Load      float64   `json:"load"`
	First     float64   `json:"first"`   // from the file to the first logits
	Forward   float64   `json:"forward"` // the shortest of the later passes
	Median    float64   `json:"median"`
	Peak      int64     `json:"peak"` // VmHWM after the first logits, 0 without /proc
	PeakAfter int64     `json:"peak_after"`
	Resident  int64     `json:"resident"` // at the end, after a garbage collection
	Logits    []float32 `json:"logits"`   // the first three
}

func run(dir string, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	unmapped := flags.Bool("unmapped", false, "read the file instead of mapping it")
	widen := flags.Bool("widen", false, "widen half-precision weights as they are loaded")
	threads := flags.Int("threads", 2, "threads")
	forward := flags.Int("forward", 0, "passes to time after the first")
	batch := flags.Int("batch", 1, "images in a pass")
	count := flags.Int("models", 1, "models to load")
	share := flags.Bool("share", false, "let the models share their weights")
	if err := flags.Parse(args); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, checkpoint.SafetensorsName))
	if err != nil {
		return err
	}
	pixels := make([]float32, *batch*3*224*224)
	for i := range pixels {
		pixels[i] = float32(i*7919%1000)/500 - 1 // as in bench/load.py
	}

	start := time.Now()
	m, err := vit.Open(dir, vit.LoadOptions{Unmapped: *unmapped, Widen: *widen})
	if err != nil {
		return err
	}
	models := []any{m}
	for len(models) < *count {
		more, err := vit.Open(dir, vit.LoadOptions{Unmapped: *unmapped, Widen: *widen})
		if err != nil {
			return err
		}
		models = append(models, more)
	}
	if *share {
		nn.Share(models...)
	}
	r := result{File: info.Size(), Load: since(start)}
	tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(*threads)})
	pass := func() []float32 {
		defer tape.Reset()
		return m.Forward(tape.Input(pixels, *batch, 3, 224, 224)).Floats(nil)
	}
	for _, other := range models[1:] {
		other.(*vit.Model).Forward(tape.Input(pixels, *batch, 3, 224, 224))
		tape.Reset()
	}
	logits := pass()
	r.First, r.Logits, r.Peak = since(start), logits[:3], peak.Memory()
	var times []float64
	for range *forward {
		start := time.Now()
		pass()
		times = append(times, since(start))
	}
	if len(times) > 0 {
		slices.Sort(times)
		r.Forward, r.Median = times[0], times[len(times)/2]
	}
	r.PeakAfter = peak.Memory()
	debug.FreeOSMemory()
	r.Resident = peak.Resident()
	runtime.KeepAlive(models)
	return json.NewEncoder(os.Stdout).Encode(r)
}

func since(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }
