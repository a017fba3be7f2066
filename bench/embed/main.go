// Command embed measures programs that carry a ViT-B/16 in their own file: how long they take to start, and what
// memory they take before and after the first use of the model.
//
//	go run ./bench/embed [-dir DIR] [-runs 5]
//
// It writes a model of random weights in Hugging Face's names and in timm's, which is how the library holds it, and
// these in half precision too, builds bench/embed/program with each as a string and as an embed.FS of go:embed, and runs them by turns, beside the
// same program reading the same model from a mapped file. What is built stays in DIR for the next time, and
// has been read before it is measured. It prints a Markdown table: medians, MB of 10⁶ bytes.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	dir := flag.String("dir", "", "keep models and programs in `DIR`; without it they are made anew and removed")
	runs := flag.Int("runs", 5, "runs of each program")
	build := flag.Bool("build", false, "make what is to be measured, and do not measure")
	flag.Parse()
	if err := run(*dir, *runs, *build); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// A variant is a program to be measured.
type variant struct {
	names   string // of the tensors, and their type: a folder
	how     string // the model gets into the program
	path    string // of the program
	results [][]stage
}

// stage is what the program prints.
type stage struct {
	Name   string
	Clock  int64
	RSS    int64
	Peak   int64
	Own    int64
	Logits float32
}

const pkg = "bench/embed/program"

func run(dir string, runs int, build bool) error {
	if _, err := os.Stat(pkg); err != nil {
		return fmt.Errorf("expected to be run from the module's root: %w", err)
	}
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "embed"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	var variants []*variant
	for _, names := range []string{"timm", "hub", "half"} {
		folder := filepath.Join(dir, names)
		if err := model(folder, names); err != nil {
			return err
		}
		for _, how := range []string{"string", "embed.FS", "file"} {
			v := &variant{names: names, how: how, path: filepath.Join(dir, names+"-"+how)}
			if err := v.build(folder); err != nil {
				return err
			}
			variants = append(variants, v)
		}
	}
	if build {
		return nil
	}
	for range runs {
		for _, v := range variants {
			if err := v.run(filepath.Join(dir, v.names)); err != nil {
				return err
			}
		}
	}
	report(variants)
	return nil
}

// model writes a folder with a model, where there is none.
func model(folder, names string) error {
	if _, err := os.Stat(filepath.Join(folder, "model.safetensors")); err == nil {
		return nil
	}
	var o vit.SaveOptions
	if names != "hub" {
		o.Layout = models.Timm
	}
	if names == "half" {
		o.DType = checkpoint.F16
	}
	return vit.New(vit.Base16(), 1000, rand.New(rand.NewPCG(1, 1))).Save(folder, o)
}

// The files that give the program its model.
var sources = map[string]string{
	"string": `package main

import (
	_ "embed"

	"github.com/fovea-ml/fovea/checkpoint"
)

//go:embed config.json
var config string

//go:embed model.safetensors
var weights string

func init() { model = checkpoint.Embedded{"config.json": config, "model.safetensors": weights} }
`,
	"embed.FS": `package main

import "embed"

//go:embed config.json model.safetensors
var files embed.FS

func init() { model = files }
`,
}

// build makes the program, where there is none. The model's files are laid over the package's folder, which stays
// as it is.
func (v *variant) build(folder string) error {
	if _, err := os.Stat(v.path); err == nil {
		return nil
	}
	args := []string{"build", "-o", v.path}
	if source, ok := sources[v.how]; ok {
		here, err := filepath.Abs(pkg)
		if err != nil {
			return err
		}
		added := v.path + ".go"
		if err := os.WriteFile(added, []byte(source), 0o666); err != nil {
			return err
		}
		over := map[string]map[string]string{"Replace": {
			filepath.Join(here, "model.go"):          added,
			filepath.Join(here, "config.json"):       filepath.Join(folder, "config.json"),
			filepath.Join(here, "model.safetensors"): filepath.Join(folder, "model.safetensors"),
		}}
		data, err := json.Marshal(over)
		if err != nil {
			return err
		}
		if err := os.WriteFile(v.path+".json", data, 0o666); err != nil {
			return err
		}
		args = append(args, "-overlay", v.path+".json")
	}
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}

// run runs the program once. Its first stage gets the time that it took to start.
func (v *variant) run(folder string) error {
	read := v.path // into the system's memory
	args := []string{}
	if v.how == "file" {
		read = filepath.Join(folder, "model.safetensors")
		args = []string{folder}
	}
	f, err := os.Open(read)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	f.Close()
	if err != nil {
		return err
	}
	cmd := exec.Command(v.path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now().UnixNano()
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %v: %s", v.path, err, &stderr)
	}
	var stages []stage
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var s stage
		if err := dec.Decode(&s); err != nil {
			return err
		}
		s.Clock -= began
		stages = append(stages, s)
	}
	if len(stages) != 4 {
		return fmt.Errorf("%s: expected 4 stages, found %d", v.path, len(stages))
	}
	v.results = append(v.results, stages)
	return nil
}

// report prints the table.
func report(variants []*variant) {
	fmt.Printf("%s, %s, 2 threads\n\n", runtime.Version(), simd.Info())
	fmt.Println("| model | tensors named as | program, MB | start, ms | loaded, ms | first logits, ms | RSS at start, MB | RSS loaded | RSS after first logits | of which not of files | peak |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	want := map[string]float32{} // by names: the folders differ in the epsilon of their norms
	for _, v := range variants {
		if _, ok := want[v.names]; !ok {
			want[v.names] = v.results[0][2].Logits
		}
		of := func(get func(s []stage) int64) int64 {
			var all []int64
			for _, s := range v.results {
				all = append(all, get(s))
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		mb := func(get func(s []stage) int64) string { return fmt.Sprintf("%.0f", float64(of(get))/1e6) }
		ms := func(i int) string {
			return fmt.Sprintf("%.1f", float64(of(func(s []stage) int64 { return s[i].Clock }))/1e6)
		}
		size := int64(0)
		if info, err := os.Stat(v.path); err == nil {
			size = info.Size()
		}
		how := map[string]string{"string": "embedded string", "embed.FS": "embed.FS", "file": "mapped file"}[v.how]
		cells := []string{how, map[string]string{"timm": "by timm", "hub": "on Hugging Face", "half": "by timm, in F16"}[v.names], fmt.Sprintf("%.0f", float64(size)/1e6),
			ms(0), ms(1), ms(2),
			mb(func(s []stage) int64 { return s[0].RSS }), mb(func(s []stage) int64 { return s[1].RSS }),
			mb(func(s []stage) int64 { return s[2].RSS }), mb(func(s []stage) int64 { return s[2].Own }), mb(func(s []stage) int64 { return s[3].Peak })}
		fmt.Println("| " + strings.Join(cells, " | ") + " |")
		for _, s := range v.results {
			if s[2].Logits != want[v.names] || s[3].Logits != want[v.names] {
				fmt.Printf("%s: other logits than those of the first program with this model\n", v.path)
			}
		}
	}
}
