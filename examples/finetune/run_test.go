package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

const pretrained = "../../models/vit/testdata/tiny"

// paint writes n images for each of some classes, which differ in color, with noise, to sub-folders of dir.
func paint(t *testing.T, dir string, n int, classes ...string) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for class, name := range classes {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			m := vision.NewImage(18+i%3, 24, 3)
			if i%5 == 4 && class == 0 {
				m = vision.NewImage(30, 20, 1) // gray, of another size
			}
			for k := range m.Pix {
				m.Pix[k] = uint8(20 + rng.IntN(60))
				if m.Channels == 3 && k%3 == class {
					m.Pix[k] += 140
				}
			}
			if err := vision.SavePNG(filepath.Join(dir, name, fmt.Sprintf("%02d.png", i)), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// answer is the value that -json prints.
type answer struct {
	Method                  string
	Classes                 []string
	Train, Validation, Test int
	Skipped, Best           int
	Expected                []struct {
		Method        string
		Epochs, Bytes int
		Seconds       float64
	}
	Loss      []float64
	Scores    []float64 `json:"validation_accuracy"`
	Accuracy  float64
	Interval  []float64
	Pixels    float64 `json:"pixels_accuracy"`
	Majority  float64 `json:"majority_accuracy"`
	Confusion [][]int
	Math      *console.Arithmetic
	Out       string
}

// invoke runs the program with -json, and returns its answer and what it printed beside.
func invoke(t *testing.T, args ...string) (a answer, lines string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(append(args, "-json", "-threads", "2"), &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	return a, stderr.String()
}

// TestMethods trains by each method. Each classifies well, leaves its results, and its folder opens again.
func TestMethods(t *testing.T) {
	data := paint(t, t.TempDir(), 20, "blood", "leaf", "sky")
	for _, c := range []struct {
		name string
		args []string
	}{
		{"head", []string{"-model", pretrained}},
		{"lora", []string{"-model", pretrained, "-method", "lora", "-rate", "0.01", "-batch", "8", "-math", "bf16"}},
		{"full", []string{"-model", pretrained, "-budget", "10m", "-rate", "0.003", "-batch", "8", "-balance"}},
		{"strong", []string{"-model", pretrained, "-method", "full", "-rate", "0.003", "-batch", "8", "-augment", "strong", "-patience", "0", "-epochs", "40", "-recompute", "-freeze", "1"}},
		{"scratch", []string{"-size", "8", "-epochs", "3", "-batch", "8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			a, lines := invoke(t, append(c.args, "-data", data, "-out", out)...)
			if !slices.Equal(a.Classes, []string{"blood", "leaf", "sky"}) || a.Out != out || a.Train != 42 || a.Validation != 6 || a.Test != 12 || len(a.Loss) != len(a.Scores) || a.Best < 1 || a.Best > len(a.Loss) {
				t.Errorf("found %+v", a)
			}
			method := map[string]string{"strong": "full", "scratch": "full"}[c.name]
			if method == "" {
				method = c.name
			}
			sum := 0
			for label, row := range a.Confusion {
				sum += row[label]
			}
			if a.Method != method || math.Abs(float64(sum)/12-a.Accuracy) > 1e-6 || a.Accuracy < 0.8 || a.Majority > 0.34 || a.Pixels < 0.8 || a.Interval[0] > a.Accuracy || a.Interval[1] < a.Accuracy {
				t.Errorf("found %+v\n%s", a, lines)
			}
			if bf16 := c.name == "lora"; bf16 != (a.Math != nil) || bf16 && *a.Math != *console.ArithmeticOf(simd.BF16) {
				t.Errorf("found the math mode %+v", a.Math)
			}
			if want := map[string]int{"head": 3, "full": 3, "scratch": 1}[c.name]; len(a.Expected) != want {
				t.Errorf("expected %d methods to be measured, found %+v", want, a.Expected)
			}
			for _, e := range a.Expected {
				if e.Seconds <= 0 || e.Bytes < 40_000 {
					t.Errorf("found %+v", e)
				}
			}
			for _, text := range []string{"this model", "logistic regression on pixels", "largest class", "written to"} {
				if !strings.Contains(lines, text) {
					t.Errorf("printed no %q:\n%s", text, lines)
				}
			}
			if balanced := slices.Contains(c.args, "-balance"); strings.Contains(lines, "validation images right, mean over classes\n") != balanced {
				t.Errorf("-balance is %v, printed\n%s", balanced, lines)
			}
			for _, name := range []string{confusionName, curvesName, "run.json"} {
				if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", name, err)
				}
			}
			text, err := os.ReadFile(filepath.Join(out, mistakesName))
			if _, missing := os.Stat(filepath.Join(out, sheetName)); err != nil || bytes.Count(text, []byte("\n")) != 12-sum || (missing != nil) != (sum == 12) {
				t.Errorf("%d mistakes, written as %q, %v, %v", 12-sum, text, err, missing)
			}
			if list, _ := filepath.Glob(filepath.Join(out, "*.safetensors")); len(list) > 0 {
				t.Errorf("left %q", list)
			}
			m, err := vit.Open(filepath.Join(out, modelName), vit.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			images, err := vision.OpenDir(data, vision.FolderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if right, err := m.Evaluate(t.Context(), images); err != nil || right.Accuracy() < 0.8 || !slices.Equal(m.Config.Labels(), a.Classes) {
				t.Errorf("the saved model, of %q: %v, %v", m.Config.Labels(), right, err)
			}
		})
	}
}

// started returns a run by its flags.
func started(t *testing.T, args ...string) *run {
	t.Helper()
	s, err := parse(append(args, "-threads", "2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &run{settings: s, console: console.Plain(new(bytes.Buffer))}
}

// TestContinue interrupts runs, and expects the continued ones to write the same model.
func TestContinue(t *testing.T) {
	data := paint(t, t.TempDir(), 20, "blood", "leaf", "sky")
	for _, method := range methods {
		dir := t.TempDir()
		args := func(out string) []string {
			list := []string{"-model", pretrained, "-data", data, "-out", filepath.Join(dir, out), "-method", method}
			if method != headOnly {
				list = append(list, "-epochs", "3", "-batch", "8")
			}
			return list
		}
		if _, err := started(t, args("whole")...).do(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := started(t, args("parts")...)
		ctx, cancel := context.WithCancelCause(t.Context())
		first.afterStep = func(step int) {
			if step == 2 {
				cancel(console.ErrInterrupted)
			}
		}
		var stdout, stderr bytes.Buffer
		if status := console.Exit(ctx, &stderr, program, execute(ctx, first, &stdout, &stderr)); status != console.StatusInterrupted {
			t.Fatalf("%s: exit status %d: %s", method, status, &stderr)
		}
		if !strings.Contains(stderr.String(), "the same command continues the run in") {
			t.Errorf("%s: printed %q", method, &stderr)
		}
		stderr.Reset()
		if status := command(append(args("parts"), "-seed", "2"), &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "was started with -seed 1, not 2") {
			t.Errorf("%s: another seed: status %d, %s", method, status, &stderr)
		}
		again := started(t, args("parts")...)
		steps := 0
		again.afterStep = func(int) { steps++ }
		if _, err := again.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{headOnly: 2, adapters: 16, full: 16}[method]; steps != want {
			t.Errorf("%s: %d steps to continue, expected %d", method, steps, want)
		}
		for _, name := range []string{"model.safetensors", "config.json", "preprocessor_config.json"} {
			a, err := os.ReadFile(filepath.Join(dir, "whole", modelName, name))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "parts", modelName, name)); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: the continued run wrote another %s, %v", method, name, err)
			}
		}
	}
}

// TestChangedImages refuses to continue with features of other images.
func TestChangedImages(t *testing.T) {
	data, out := paint(t, t.TempDir(), 20, "blood", "leaf"), filepath.Join(t.TempDir(), "out")
	first := started(t, "-model", pretrained, "-data", data, "-out", out)
	ctx, cancel := context.WithCancelCause(t.Context())
	first.afterStep = func(int) { cancel(console.ErrInterrupted) }
	if _, err := first.do(ctx); !console.Interrupted(ctx, err) {
		t.Fatal(err)
	}
	paint(t, data, 1, "leaf")
	if _, err := started(t, "-model", pretrained, "-data", data, "-out", out).do(t.Context()); err == nil || !strings.Contains(err.Error(), "has other images for") {
		t.Errorf("another image: %v", err)
	}
}

// TestData reads a table, parts in folders of their own, and a folder with unreadable images.
func TestData(t *testing.T) {
	images := paint(t, t.TempDir(), 12, "blood", "leaf")
	table := "image,label\n"
	for _, class := range []string{"blood", "leaf"} {
		for i := range 12 {
			table += fmt.Sprintf("%s/%02d.png,%s\n", class, i, class)
		}
	}
	list := write(t, filepath.Join(images, "list.csv"), table)
	parts := t.TempDir()
	for _, part := range []string{"train", "val", "test"} {
		paint(t, filepath.Join(parts, part), map[string]int{"train": 9, "val": 3, "test": 5}[part], "blood", "leaf")
	}
	broken := paint(t, t.TempDir(), 12, "blood", "leaf")
	write(t, filepath.Join(broken, "leaf", "03.png"), "no image")
	write(t, filepath.Join(broken, "blood", "more.jpg"), "")
	for _, c := range []struct {
		args                             []string
		train, validation, test, skipped int
	}{
		{[]string{"-data", list}, 16, 4, 4, 0},
		{[]string{"-data", parts}, 18, 6, 10, 0},
		{[]string{"-data", images, "-test", broken}, 20, 4, 23, 2},
		{[]string{"-data", broken}, 16, 3, 4, 2},
	} {
		a, lines := invoke(t, append(c.args, "-model", pretrained, "-method", "head", "-out", filepath.Join(t.TempDir(), "out"))...)
		if a.Train != c.train || a.Validation != c.validation || a.Test != c.test || a.Skipped != c.skipped || strings.Contains(lines, "skipping 2 unreadable images") != (c.skipped > 0) {
			t.Errorf("%q: found %+v, expected %+v\n%s", c.args, a, c, lines)
		}
	}
}

// TestMistakes runs the program with bad flags and data: the status is 1, standard error has one line that names the
// mistake, and no model is written.
func TestMistakes(t *testing.T) {
	data := paint(t, t.TempDir(), 6, "blood", "leaf")
	single := paint(t, t.TempDir(), 1, "blood", "leaf")
	unreadable := paint(t, t.TempDir(), 6, "blood", "leaf")
	for i := range 6 {
		write(t, filepath.Join(unreadable, "leaf", fmt.Sprintf("%02d.png", i)), "no image")
	}
	other := paint(t, t.TempDir(), 3, "blood", "moon")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-data: expected a folder"},
		{[]string{"-data", "nothing"}, "nothing"},
		{[]string{"-data", t.TempDir()}, "no images"},
		{[]string{"-data", paint(t, t.TempDir(), 6, "blood")}, "only one class"},
		{[]string{"-data", single}, "no class has enough images"},
		{[]string{"-data", unreadable}, `no image of the class "leaf" can be read`},
		{[]string{"-data", "run.go"}, "ends in .csv or .tsv"},
		{[]string{"-data", data, "-test", other}, "expected the same classes"},
		{[]string{"-data", data, "-model", "nothing-here"}, "-model: "},
		{[]string{"-data", data, "-model", pretrained, "-size", "10"}, "10"},
		{[]string{"-data", data, "-model", pretrained, "-method", "full", "-freeze", "3"}, "option Freeze: expected -1 to 2, found 3"},
		{[]string{"-data", data, "-size", "100"}, "-size: expected a multiple of 8"},
		{[]string{"-data", data, "-freeze", "1"}, "-freeze: "},
		{[]string{"-data", data, "-method", "head"}, "-method head needs -model"},
		{[]string{"-data", data, "-method", "best"}, "-method: "},
		{[]string{"-data", data, "-budget", "-1s"}, "-budget: "},
		{[]string{"-data", data, "-epochs", "-1"}, "-epochs: "},
		{[]string{"-data", data, "-rate", "NaN"}, "-rate: "},
		{[]string{"-data", data, "-rank", "0"}, "-rank: "},
		{[]string{"-data", data, "-augment", "much"}, "-augment: "},
		{[]string{"-data", data, "-model", pretrained, "-epochs", "5"}, "-epochs: it has no effect on the method head, expected -method lora or full"},
		{[]string{"-data", data, "-model", pretrained, "-method", "head", "-budget", "1h", "-augment", "light"}, "-augment: it has no effect"},
		{[]string{"-data", data, "-model", pretrained, "-rate", "0.1"}, "-rate: it has no effect"},
		{[]string{"-data", data, "-model", pretrained, "-batch", "8"}, "-batch: it has no effect"},
		{[]string{"-data", data, "-model", pretrained, "-patience", "8"}, "-patience: it has no effect"},
		{[]string{"-data", data, "-model", pretrained, "-recompute"}, "-recompute: it has no effect"},
		{[]string{"-data", data, "-model", pretrained, "-method", "full", "-rank", "4"}, "-rank: it has no effect on the method full, expected -method lora"},
		{[]string{"-data", data, "-rank", "4"}, "-rank: it has no effect on the method full"},
		{[]string{"-data", data, "more"}, `expected flags only, found "more"`},
	} {
		out := filepath.Join(t.TempDir(), "out")
		var stdout, stderr bytes.Buffer
		status := command(append([]string{"-out", out}, c.args...), &stdout, &stderr)
		last := strings.TrimSuffix(stderr.String(), "\n")
		if status != console.StatusError || !strings.Contains(last, c.want) || strings.Contains(last, "\n") {
			t.Errorf("%q: status %d, %q, expected %q", c.args, status, &stderr, c.want)
		}
		if _, err := os.Stat(filepath.Join(out, modelName)); err == nil {
			t.Errorf("%q: wrote %s", c.args, out)
		}
	}
	out := t.TempDir()
	paint(t, out, 1, modelName) // no run wrote it
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", pretrained, "-data", data, "-out", out}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "no run of this program wrote") {
		t.Errorf("foreign files: status %d, %s", status, &stderr)
	}
	unlock, err := (&settings{Out: out}).folder().Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	stderr.Reset()
	if status := command([]string{"-model", pretrained, "-data", data, "-out", out}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "another run writes to") {
		t.Errorf("a locked folder: status %d, %s", status, &stderr)
	}
}

// TestMistakesInOrder lists the wrong images with the most certain first, in the file and on the sheet.
func TestMistakesInOrder(t *testing.T) {
	r := started(t, "-data", paint(t, t.TempDir(), 3, "blood", "leaf", "sky"), "-out", t.TempDir())
	files, err := openImages(r.settings.Data)
	if err != nil {
		t.Fatal(err)
	}
	c := &r.corpus
	c.classes, c.test.files = files.Classes(), files
	logits := make([]float32, 0, 27)
	for i := range files.Len() { // the images 1, 5 and 8 are wrong, of the classes 0, 1 and 2
		row := []float32{0, 0, 0}
		row[files.Label(i)] = 9
		if margin := map[int]float32{1: 1, 5: 3, 8: 2}[i]; margin > 0 {
			row[(files.Label(i)+1)%3] = 9 + margin
		}
		logits = append(logits, row...)
	}
	got, err := r.measure(logits)
	if err != nil {
		t.Fatal(err)
	}
	var images []int
	for _, m := range got.mistakes {
		images = append(images, m.image)
	}
	if !slices.Equal(images, []int{5, 8, 1}) || math.Abs(got.mistakes[0].p-0.9526) > 1e-3 || got.low > 6./9 || got.high < 6./9 {
		t.Errorf("found %+v, %v to %v", got.mistakes, got.low, got.high)
	}
	text, err := os.ReadFile(r.path(mistakesName))
	want := " 95.3 %  sky  for leaf: leaf/02.png\n 88.1 %  blood  for sky: sky/02.png\n 73.1 %  leaf  for blood: blood/01.png\n"
	if err != nil || string(text) != want {
		t.Errorf("wrote %q, %v, expected %q", text, err, want)
	}
	sheet, err := vision.DecodeFile(os.DirFS(r.settings.Out), sheetName, vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cell := sheet.Width / 3
	for i, brightest := range []int{1, 2, 0} { // a class has the color of its number
		var sum [3]int
		for y := 20; y < 60; y++ {
			for x := i*cell + 20; x < i*cell+60; x++ {
				for k := range sum {
					sum[k] += int(sheet.Pix[(y*sheet.Width+x)*sheet.Channels+k])
				}
			}
		}
		if slices.Index(sum[:], slices.Max(sum[:])) != brightest {
			t.Errorf("cell %d has the colors %v, expected most of %d", i, sum, brightest)
		}
	}
	// A later run without mistakes leaves no sheet of an earlier one.
	for i := range files.Len() {
		logits[3*i+files.Label(i)] = 20
	}
	if _, err := r.measure(logits); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.path(sheetName)); !os.IsNotExist(err) {
		t.Errorf("without mistakes: %v", err)
	}
}

// TestUnused names the flags that have no effect on the method that a budget chose.
func TestUnused(t *testing.T) {
	for method, want := range map[string]string{
		headOnly: "-batch has no effect on it\n-rank has no effect on it\n", adapters: "", full: "-rank has no effect on it\n",
	} {
		r := started(t, "-model", pretrained, "-data", "images", "-budget", "1h", "-batch", "8", "-rank", "4", "-size", "8")
		var text bytes.Buffer
		r.console, r.estimates = console.Plain(&text), []estimate{{choice{method, 5}, 0, time.Minute, 1}}
		r.choose()
		if _, after, _ := strings.Cut(text.String(), "taking "+titles[method]+"\n"); after != want {
			t.Errorf("%s: printed\n%s, expected %q", method, &text, want)
		}
	}
}

// TestChoose takes the slowest method that fits into the budget.
func TestChoose(t *testing.T) {
	estimates := func() []estimate {
		return []estimate{
			{choice{headOnly, 0}, time.Minute, 0, 1},
			{choice{adapters, 20}, time.Second, time.Minute, 1},
			{choice{full, 12}, time.Second, 5 * time.Minute, 1},
		}
	}
	for budget, want := range map[time.Duration]choice{
		0: {headOnly, 0}, 10 * time.Second: {headOnly, 0}, 5 * time.Minute: {headOnly, 0}, 30 * time.Minute: {adapters, 20}, 2 * time.Hour: {full, 12},
	} {
		var text bytes.Buffer
		r := &run{settings: settings{Budget: budget}, console: console.Plain(&text), estimates: estimates()}
		if r.choose(); r.chosen != want {
			t.Errorf("%v: chose %v, expected %v", budget, r.chosen, want)
		}
		if strings.Contains(text.String(), "longer than the budget") != (budget == 10*time.Second) || !strings.Contains(text.String(), "20 min") {
			t.Errorf("%v: printed\n%s", budget, &text)
		}
	}
}
