package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/simd"
)

// tickets writes a table of texts of three kinds, which one word tells apart.
func tickets(t *testing.T) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	fill := strings.Fields("please help me soon with this thing today because it does not work as it should")
	kinds := map[string][]string{"bill": {"invoice", "payment"}, "parcel": {"delivery", "package"}, "login": {"password", "account"}}
	var b strings.Builder
	b.WriteString("id,text,label\n")
	for i := range 90 {
		label := []string{"bill", "login", "parcel"}[i%3]
		if i%4 == 0 {
			label = "bill" // the largest class
		}
		words := []string{kinds[label][rng.IntN(2)]}
		for range 2 + rng.IntN(5) {
			words = append(words, fill[rng.IntN(len(fill))])
		}
		rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		fmt.Fprintf(&b, "%d,\"%s, no. %d\",%s\n", i, strings.Join(words, " "), i, label)
	}
	return table(t, "tickets.csv", b.String())
}

// arguments returns flags for a short run.
func arguments(data, out string, more ...string) []string {
	return append([]string{"-data", data, "-out", out, "-epochs", "12", "-batch", "8", "-patience", "0", "-threads", "2"}, more...)
}

// started returns a run by its flags.
func started(t *testing.T, args []string) *run {
	t.Helper()
	s, err := parse(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &run{settings: s, console: console.Plain(new(bytes.Buffer))}
}

// TestRun trains from scratch, and then adapters on the result. Both classify well, and their folders open again.
func TestRun(t *testing.T) {
	data, dir := tickets(t), t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	for _, c := range []struct {
		out  string
		more []string
	}{
		{first, []string{"-balance"}},
		{second, []string{"-model", filepath.Join(first, "model"), "-lora", "4", "-test", data, "-epochs", "8", "-math", "bf16"}},
	} {
		var stdout, stderr bytes.Buffer
		if status := command(arguments(data, c.out, append(c.more, "-json")...), &stdout, &stderr); status != 0 {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		var r struct {
			Classes                             []string
			Train, Validation, Test             int
			Loss                                []float64
			Scores                              []float64 `json:"validation_accuracy"`
			Best                                int       `json:"best_epoch"`
			Accuracy, Words, Majority, Balanced float64
			Interval                            []float64
			Confusion                           [][]int
			Math                                *console.Arithmetic
			Out                                 string
		}
		text := strings.NewReplacer("words_accuracy", "words", "majority_accuracy", "majority", "balanced_accuracy", "balanced").Replace(stdout.String())
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if !slices.Equal(r.Classes, []string{"bill", "login", "parcel"}) || r.Out != c.out || r.Train < 60 || r.Validation < 6 || len(r.Loss) != len(r.Scores) || r.Best < 1 || r.Best > len(r.Loss) {
			t.Errorf("found %s", text)
		}
		if sum := r.Confusion[0][0] + r.Confusion[1][1] + r.Confusion[2][2]; float64(sum)/float64(r.Test) != r.Accuracy && fmt.Sprint(float32(sum)/float32(r.Test)) != fmt.Sprint(float32(r.Accuracy)) {
			t.Errorf("an accuracy of %v and the confusion %v", r.Accuracy, r.Confusion)
		}
		if bf16 := slices.Contains(c.more, "bf16"); bf16 != (r.Math != nil) || bf16 && *r.Math != *console.ArithmeticOf(simd.BF16) {
			t.Errorf("%q: found the math mode %+v", c.more, r.Math)
		}
		if r.Accuracy < 0.9 || r.Words < 0.6 || r.Majority > 0.7 || r.Interval[0] > r.Accuracy || r.Interval[1] < r.Accuracy {
			t.Errorf("found %s\n%s", text, &stderr)
		}
		for _, name := range []string{"this model", "bags of words", "largest class", "written to"} {
			if !strings.Contains(stderr.String(), name) {
				t.Errorf("printed no %q:\n%s", name, &stderr)
			}
		}
		for _, name := range []string{confusionName, curvesName, mistakesName, "run.json"} {
			if info, err := os.Stat(filepath.Join(c.out, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if list, _ := filepath.Glob(filepath.Join(c.out, "*.safetensors")); len(list) > 0 {
			t.Errorf("left %q", list)
		}
		m, err := bert.Open(filepath.Join(c.out, "model"), bert.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Classify(t.Context(), "please help me with this invoice", "password does not work", strings.Repeat("delivery ", 20))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"bill", "login", "parcel"} {
			if got[i].Top[0].Label != want {
				t.Errorf("text %d: found %v, expected %s", i, got[i].Top[0], want)
			}
		}
	}
}

// TestResume interrupts a run, and expects the continued one to write the same model.
func TestResume(t *testing.T) {
	data, dir := tickets(t), t.TempDir()
	whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
	if _, err := started(t, arguments(data, whole, "-epochs", "3")).do(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := started(t, arguments(data, parts, "-epochs", "3"))
	ctx, cancel := context.WithCancelCause(context.Background())
	first.afterStep = func(step int) {
		if step == 12 {
			cancel(console.ErrInterrupted)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := console.Exit(ctx, &stderr, program, execute(ctx, first, &stdout, &stderr)); status != console.StatusInterrupted {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	if !strings.Contains(stderr.String(), "continue with -resume -out "+parts) {
		t.Errorf("printed %q", &stderr)
	}
	if _, err := parse([]string{"-out", parts, "-resume", "-seed", "2"}, nil); err == nil || !strings.Contains(err.Error(), "started with -seed 1, not 2") {
		t.Errorf("another seed: %v", err)
	}
	if status := command([]string{"-out", parts, "-resume", "-threads", "1"}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json"} {
		a, err := os.ReadFile(filepath.Join(whole, "model", name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(parts, "model", name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("the continued run wrote another %s, %v", name, err)
		}
	}
	if _, err := parse([]string{"-out", parts, "-resume"}, nil); err == nil || !strings.Contains(err.Error(), "no unfinished run") {
		t.Errorf("a finished run: %v", err)
	}
}

// TestMistakes runs the program with bad flags and data: the status is 1, standard error has one line that names the
// mistake, and no output folder is made.
func TestMistakes(t *testing.T) {
	data := tickets(t)
	one := table(t, "one.csv", "text,label\na,x\nb,x\n")
	few := table(t, "few.csv", "text,label\na,x\nb,y\n")
	other := table(t, "other.jsonl", "{\"text\":\"a\",\"label\":\"bill\"}\n{\"text\":\"b\",\"label\":\"junk\"}\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-data", "nothing.csv"}, "nothing.csv"},
		{[]string{"-data", t.TempDir()}, "expected a file"},
		{[]string{"-data", data, "-label", "kind"}, `expected a column "kind" in the first row, found "id", "text", "label": name the column with -label`},
		{[]string{"-data", data, "-text", "label"}, "expected two columns"},
		{[]string{"-data", one}, "expected 2 to 1000 labels, found 1"},
		{[]string{"-data", few}, "no label has enough rows"},
		{[]string{"-data", data, "-test", other}, `other.jsonl: line 2: the label "junk" is not among those of the training texts, "bill", "login", "parcel"`},
		{[]string{"-test", data}, "-test needs -data"},
		{[]string{"-data", data, "-model", "nothing-here"}, "-model: "},
		{[]string{"-data", data, "-freeze", "3"}, "option Freeze: expected -1 to 2, found 3"},
		{[]string{"-lora", "4"}, "-lora needs -model"},
		{[]string{"-epochs", "-1"}, "-epochs: "},
		{[]string{"-rate", "NaN"}, "-rate: "},
		{[]string{"-layer-decay", "0"}, "-layer-decay: "},
		{[]string{"-max-tokens", "2"}, "-max-tokens: "},
		{[]string{"more"}, `expected flags only, found "more"`},
		{[]string{"-resume"}, "holds no unfinished run"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		var stdout, stderr bytes.Buffer
		status := command(append(c.args, "-out", out), &stdout, &stderr)
		if status != console.StatusError && !slices.Contains(c.args, "more") || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %q, expected %q", c.args, status, &stderr, c.want)
		}
		if _, err := os.Stat(filepath.Join(out, "model")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: wrote %s", c.args, out)
		}
	}
	// Files that no run wrote.
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, modelName), 0o777); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := command(arguments(data, out), &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "no run of this program wrote") {
		t.Errorf("foreign files: status %d, %s", status, &stderr)
	}
	// A folder that another run writes to.
	out = t.TempDir()
	unlock, err := (&settings{Out: out}).folder().Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	stderr.Reset()
	if status := command(arguments(data, out), &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "another run writes to") {
		t.Errorf("a locked folder: status %d, %s", status, &stderr)
	}
}
