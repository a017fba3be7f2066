// Command embed measures programs that embed a ViT-B/16: the time to start, and the memory before and after the first
// use of the model.
//
//	go run ./bench/embed [-dir DIR] [-runs 5]
//
// It writes models with random weights: with timm's tensor names, with Hugging Face's, and with timm's in half
// precision. For each model it builds bench/embed/program in three variants:
//
//   - with the model as an embedded string
//   - with the model as an embed.FS
//   - without it; the program then maps the model's file
//
// The variants run in turn, with their files in the page cache. DIR keeps the programs for the next time. The output is
// a Markdown table of medians, in MB of 10⁶ bytes.
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
	dir := flag.String("dir", "", "keep models and programs in `DIR` (default: a temporary folder)")
	runs := flag.Int("runs", 5, "runs of each program")
	build := flag.Bool("build", false, "build the programs, but do not measure")
	flag.Parse()
	if err := run(*dir, *runs, *build); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// A variant is a program to measure.
type variant struct {
	names   string // tensor names and type, and name of the model's folder: timm, hub or half
	how     string // how the program holds the model: string, embed.FS or file
	path    string // of the program
	results [][]stage
}

// stage is a line that the program prints.
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
		return fmt.Errorf("run this program in the module's root: %w", err)
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

// model writes a model folder, unless it exists.
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

// sources are the source files that add a model to the program.
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

// build builds the program, unless it exists. An overlay adds the model's files to the package; its folder does not
// change.
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

// run runs the program once. Clock counts from the start of the process.
func (v *variant) run(folder string) error {
	read := v.path // the file to read into the page cache
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
	want := map[string]float32{} // for each kind of names: the models differ in the epsilon of their norms
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
				fmt.Printf("%s: the logits differ from those of the first program with this model\n", v.path)
			}
		}
	}
}
