// Command program classifies one picture with a model that lives in its own file, and prints before and after what
// it takes of the system's memory. Built by itself it has no model: bench/embed adds one, of some hundred
// megabytes, and reads what it prints.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
)

// model is the folder of the embedded model. A file that bench/embed adds to this package sets it.
var model fs.FS

// A stage is what is printed at a point of the program, as a line of JSON. Sizes are in bytes; they are 0 where the
// system has no /proc.
type stage struct {
	Name   string  `json:"name"`
	Clock  int64   `json:"clock"`  // nanoseconds since 1970
	RSS    int64   `json:"rss"`    // resident memory: VmRSS
	Peak   int64   `json:"peak"`   // the most that it was: VmHWM
	Own    int64   `json:"own"`    // the part of it that is not pages of files: RssAnon
	Logits float32 `json:"logits"` // their sum, of the last pass
}

func main() {
	report("start", 0)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(1)
	}
}

// run loads the model, from a folder when one is given, and classifies.
func run() error {
	if len(os.Args) > 1 {
		model = os.DirFS(os.Args[1])
	}
	if model == nil {
		return errors.New("built without a model: run ./bench/embed")
	}
	m, err := vit.Load(model, vit.LoadOptions{})
	if err != nil {
		return err
	}
	report("loaded", 0)
	size := m.Config.ImageSize
	pixels := make([]float32, 3*size*size)
	for i := range pixels {
		pixels[i] = float32(i*7919%1000)/500 - 1
	}
	tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(2)})
	for i := range 10 {
		sum := float32(0)
		for _, v := range m.Forward(tape.Input(pixels, 1, 3, size, size)).Floats(nil) {
			sum += v
		}
		tape.Reset()
		if i == 0 || i == 9 {
			report(fmt.Sprintf("logits %d", i+1), sum)
		}
	}
	return nil
}

// report prints a stage.
func report(name string, logits float32) {
	s := stage{Name: name, Clock: time.Now().UnixNano(), Logits: logits}
	if f, err := os.Open("/proc/self/status"); err == nil {
		defer f.Close()
		fields := map[string]*int64{"VmRSS": &s.RSS, "VmHWM": &s.Peak, "RssAnon": &s.Own}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ":")
			if at := fields[key]; at != nil {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
				*at = n << 10
			}
		}
	}
	line, _ := json.Marshal(s)
	fmt.Printf("%s\n", line)
}
