// Command program classifies an image with an embedded model and prints its memory use at several stages.
//
//	go run ./bench/embed/program DIR
//
// Without bench/embed, the program has no embedded model and loads the model in DIR. bench/embed adds a model of several
// hundred megabytes, builds the program, and reads its output.
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

// model is the folder of the embedded model. bench/embed adds a file to this package that sets it.
var model fs.FS

// A stage is printed as a line of JSON. Sizes are in bytes; they are 0 on systems without /proc.
type stage struct {
	Name   string  `json:"name"`
	Clock  int64   `json:"clock"`  // nanoseconds since 1970
	RSS    int64   `json:"rss"`    // resident memory (VmRSS)
	Peak   int64   `json:"peak"`   // peak resident memory (VmHWM)
	Own    int64   `json:"own"`    // resident memory without pages of files (RssAnon)
	Logits float32 `json:"logits"` // the sum of the logits of the last pass
}

func main() {
	report("start", 0)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(1)
	}
}

// run loads the embedded model, or the model in the folder given as an argument, and classifies.
func run() error {
	if len(os.Args) > 1 {
		model = os.DirFS(os.Args[1])
	}
	if model == nil {
		return errors.New("no embedded model: run ./bench/embed, or name a model folder")
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
