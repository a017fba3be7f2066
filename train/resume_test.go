package train

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// line fits a line of n weights; small enough to be saved thousands of times.
func line(n int, file string) (Config, *autograd.Parameter) {
	w := autograd.NewParameter(n)
	model := &struct{ W *autograd.Parameter }{w}
	p := nn.Parameters(model)
	return Config{
		Model:     model,
		Optimizer: NewAdamW(Groups(p, GroupOptions{}), AdamOptions{}),
		Schedule:  Curve{Peak: 0.01, Length: 1}.Cosine(), Epochs: 1, Batches: 1000, Seed: 1,
		EMA:  NewEMA(p, nil, EMAOptions{}),
		File: file,
		Loss: func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			return autograd.Mean(autograd.Square(autograd.AddScalar(t.Use(w), -1)), false), nil
		},
	}, w
}

// weight returns the parameter of a line.
func weight(c *Config) *autograd.Parameter {
	for _, p := range nn.Parameters(c.Model) {
		return p
	}
	return nil
}

// stoppedFile writes the resume file of a line after four steps.
func stoppedFile(t *testing.T, n int) string { return stoppedFileOf(t, simd.Strict, n) }

// stoppedFileOf is stoppedFile of a run in an arithmetic.
func stoppedFileOf(t *testing.T, m simd.Math, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.safetensors")
	c, _ := line(n, file)
	c.Tape.Math = m
	ctx, cancel := context.WithCancel(context.Background())
	c.OnStep = func(r Record) error {
		if r.Step == 4 {
			cancel()
		}
		return nil
	}
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return file
}

// resumed continues for one step.
func resumed(c Config) (Result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c.Start = Resume
	c.OnStep = func(Record) error { cancel(); return nil }
	res, err := Run(ctx, c)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return res, err
}

func TestResumeNeedsItsFile(t *testing.T) {
	c, _ := line(3, filepath.Join(t.TempDir(), "none.safetensors"))
	if _, err := resumed(c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("expected fs.ErrNotExist, found %v", err)
	}
}

// A file of another run gives one error that lists every difference, and changes nothing.
func TestResumeListsDifferences(t *testing.T) {
	file := stoppedFile(t, 3)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		change func(*Config)
		want   []string
	}{
		{"seed and length", func(c *Config) { c.Seed, c.Batches, c.ClipNorm = 2, 7, 1 }, []string{
			"seed: 1 in the file, 2 in this run", "batches in an epoch: 1000 in the file, 7 in this run", "clipping norm: 0 in the file, 1 in this run"}},
		{"schedule", func(c *Config) { c.Schedule = Curve{Peak: 0.01, Length: 1}.Linear() }, []string{"schedule: other learning rates from one of the steps 0 to 30 on in the file"}},
		{"optimizer", func(c *Config) { c.Optimizer = NewSGD(Groups(c.Optimizer.Parameters(), GroupOptions{}), SGDOptions{}) }, []string{
			"optimizer: AdamW, beta1 0.9, beta2 0.999, eps 1e-08 in the file, SGD", "optimizer/m/W: F32 [3] in the file, none in this run", "optimizer/v/W: F32 [3] in the file, none in this run"}},
		{"group", func(c *Config) {
			g := Groups(c.Optimizer.Parameters(), GroupOptions{})
			g[0].LRScale = new(0.5)
			c.Optimizer = NewAdamW(g, AdamOptions{})
		}, []string{"settings of W: learning rate × 1, weight decay 0 in the file, learning rate × 0.5, weight decay 0 in this run"}},
		{"average", func(c *Config) { c.EMA = nil }, []string{"average: decay 0.9999 in the file, none in this run", "average/parameters/W: F32 [3] in the file, none in this run"}},
		{"identity", func(c *Config) { c.Identity = map[string]string{"model": "vit"} }, []string{"identity: model: none in the file, vit in this run"}},
		{"buffers", func(c *Config) {
			c.Model = &struct {
				W    *autograd.Parameter
				Mean *autograd.Buffer
			}{weight(c), autograd.NewBuffer(0, 2)}
		}, []string{"buffers/Mean: none in the file, F32 [2] in this run"}},
	} {
		cfg, w := line(3, file)
		c.change(&cfg)
		_, err := resumed(cfg)
		var e *ResumeError
		if !errors.As(err, &e) {
			t.Errorf("%s: expected a ResumeError, found %v", c.what, err)
			continue
		}
		for _, want := range append(c.want, file) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: expected %q in %q", c.what, want, err)
			}
		}
		if len(e.Differences) != len(c.want) {
			t.Errorf("%s: expected %d differences, found %q", c.what, len(c.want), e.Differences)
		}
		if w.Values()[0] != 0 {
			t.Errorf("%s: the parameters were changed", c.what)
		}
	}
	cfg, _ := line(4, file)
	if _, err := resumed(cfg); err == nil || !strings.Contains(err.Error(), "parameters/W: F32 [3] in the file, F32 [4] in this run") {
		t.Errorf("shape: found %v", err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("a refused file was changed")
	}
}

// The counts of steps are found by path, whatever the order of the groups.
func TestResumeFindsCountsByPath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.safetensors")
	make := func(paths ...string) *run {
		var params []Param
		for _, path := range paths {
			params = append(params, Param{path, autograd.NewParameter(1)})
		}
		return newRun(Config{Optimizer: NewAdamW(Groups(named(params), GroupOptions{}), AdamOptions{}), Epochs: 1, Batches: 9,
			Schedule: Curve{}.Constant(), File: file}.withDefaults())
	}
	r := make("a", "b", "c")
	copy(r.Optimizer.Counts(), []int64{1, 2, 3})
	r.Step = 5
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	r = make("c", "a", "b")
	if err := r.load(); err != nil || !slices.Equal(r.Optimizer.Counts(), []int64{3, 1, 2}) {
		t.Errorf("found %v, %v", r.Optimizer.Counts(), err)
	}
}

// Whatever a byte of the file becomes, and wherever the file ends, resuming is refused.
func TestResumeRefusesDamage(t *testing.T) {
	file := stoppedFile(t, 3)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, w := line(3, file)
		err := newRun(c.withDefaults()).load()
		if err == nil {
			t.Errorf("%s at %d was not noticed", what, at)
			return
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s at %d: expected ErrCorrupt, found %v", what, at, err)
		}
		if w.Values()[0] != 0 || c.Optimizer.Counts()[0] != 0 {
			t.Errorf("%s at %d: the run was changed", what, at)
		}
	}
	stride := 3
	if testing.Short() {
		stride = 13
	}
	format := []byte(`"format":"pt"`) // says nothing about the run
	from := bytes.Index(data, format)
	for i := 0; i < len(data); i += stride {
		try("an end", i, data[:i])
		if i >= from && i < from+len(format) {
			continue
		}
		b := bytes.Clone(data)
		b[i] ^= 1 << (i % 8)
		try("a flipped bit", i, b)
	}
	try("a byte too many", len(data), append(bytes.Clone(data), 0))

	other := filepath.Join(t.TempDir(), "model.safetensors")
	if err := checkpoint.Write(other, []checkpoint.Entry{{Name: "w", Shape: []int{1}, Floats: []float32{1}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	c, _ := line(3, other)
	if _, err := resumed(c); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a file of weights: expected ErrCorrupt, found %v", err)
	}

	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c, _ = line(3, file)
	if res, err := resumed(c); err != nil || res.Steps != 5 {
		t.Errorf("the file as it was: %+v, %v", res, err)
	}
}

// A checksum does not protect against a writer who means it: positions are checked too.
func TestResumeChecksPositions(t *testing.T) {
	file := stoppedFile(t, 3)
	for name, change := range map[string]func(*state, []int64){
		"negative step":    func(s *state, _ []int64) { s.Step = -1 },
		"step past end":    func(s *state, _ []int64) { s.Step = 1 << 40 },
		"epoch past step":  func(s *state, _ []int64) { s.EpochsDone = 1; s.Losses = []number{0} },
		"missing losses":   func(s *state, _ []int64) { s.Losses = []number{1, 2, 3} },
		"negative kept":    func(s *state, _ []int64) { s.Kept = []int{-1} },
		"kept past step":   func(s *state, _ []int64) { s.Kept = []int{4, 5} },
		"best past scores": func(s *state, _ []int64) { s.Best = 0 },
		"best below none":  func(s *state, _ []int64) { s.Best = -2 },
		"negative updates": func(s *state, _ []int64) { s.Updates = -1 },
		"negative count":   func(_ *state, c []int64) { c[0] = -5 },
		"count past step":  func(_ *state, c []int64) { c[0] = 5 },
	} {
		c, _ := line(3, file)
		r := newRun(c.withDefaults())
		if err := r.load(); err != nil {
			t.Fatal(err)
		}
		change(&r.state, c.Optimizer.Counts())
		r.EMA.updates = r.Updates
		r.File = filepath.Join(t.TempDir(), "bad.safetensors")
		if err := r.save(); err != nil {
			t.Fatal(err)
		}
		again, _ := line(3, r.File)
		if err := newRun(again.withDefaults()).load(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: expected ErrCorrupt, found %v", name, err)
		}
	}
}

// An Extra of another form is an error that leaves it as it was.
func TestResumeExtraIsWhole(t *testing.T) {
	type kept struct {
		Best  float64
		Names any
	}
	file := filepath.Join(t.TempDir(), "run.safetensors")
	c, _ := line(2, file)
	c.Extra = &kept{Best: 0.75, Names: "one"}
	if err := newRun(c.withDefaults()).save(); err != nil {
		t.Fatal(err)
	}
	other := struct {
		Best  float64
		Names []int
	}{Best: 0.5}
	again, w := line(2, file)
	w.Update(func(v []float32) { v[0] = 7 })
	again.Extra = &other
	if err := newRun(again.withDefaults()).load(); err == nil || !strings.Contains(err.Error(), "Extra") {
		t.Errorf("expected an error about Extra, found %v", err)
	}
	if other.Best != 0.5 || w.Values()[0] != 7 {
		t.Errorf("a refused file changed Extra to %+v, or the parameters", other)
	}
	back := kept{}
	again.Extra = &back
	if err := newRun(again.withDefaults()).load(); err != nil || back != (kept{0.75, "one"}) {
		t.Errorf("read %+v, %v", back, err)
	}
}

// A header that was written with its checksum, but by nobody who means well, is an error and no panic.
func FuzzResumeHeader(f *testing.F) {
	for _, head := range []string{
		`{}`, `{"version":1}`, `{"version":2}`, `null`, `[]`, `{"version":1,"state":{"step":1e99}}`,
		`{"version":1,"schedule":[null,"x"],"setup":{"seed":null}}`, `{"version":1,"state":{"losses":[1,null]}}`,
	} {
		f.Add(head)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, head string) {
		c, w := line(2, filepath.Join(dir, "run.safetensors"))
		r := newRun(c.withDefaults())
		if err := r.write([]byte(head)); err != nil {
			t.Skip()
		}
		if err := r.load(); err != nil && w.Values()[0] != 0 {
			t.Error("a refused file changed the parameters")
		}
	})
}

// killedEnv tells the test binary to be the process that is killed.
const killedEnv = "FOVEA_TRAIN_TEST_SAVE_TO"

// A process that saves after every step is killed at any moment, again and again. The file always loads,
// and the run never goes back behind a save that was reported.
func TestKilledRunKeepsItsFile(t *testing.T) {
	const size = 100_000 // 1.6 MB a save: most kills hit one
	if file := os.Getenv(killedEnv); file != "" {
		c, _ := line(size, file)
		c.Batches, c.SaveEvery, c.Start = 100_000, 1, ResumeIfPresent
		_, err := Run(context.Background(), c)
		t.Fatal(err) // a hundred thousand steps later
	}
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("needs processes")
	}
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	file := filepath.Join(t.TempDir(), "run.safetensors")
	last, unfinished := 0, 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledRunKeepsItsFile$")
		cmd.Env = append(os.Environ(), killedEnv+"="+file)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Skipf("needs to start processes: %v", err)
		}
		before := modified(file)
		for deadline := time.Now().Add(20 * time.Second); modified(file).Equal(before); {
			if time.Now().After(deadline) {
				t.Fatalf("nothing was saved: %s", out.String())
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(round*7%40) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if strings.Contains(out.String(), "FAIL") {
			t.Fatalf("the process ended by itself: %s", out.String())
		}
		c, w := line(size, file)
		c.Batches = 100_000
		r := newRun(c.withDefaults())
		if err := r.load(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r.Step <= last {
			t.Errorf("round %d: at step %d, after %d before", round, r.Step, last)
		}
		for i, x := range w.Values() {
			if x != w.Values()[0] {
				t.Fatalf("round %d: weight %d is %v, weight 0 is %v: two saves in one file", round, i, x, w.Values()[0])
			}
		}
		last = r.Step
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*.tmp"))
		unfinished += len(left)
		for _, name := range left {
			os.Remove(name)
		}
	}
	t.Logf("%d steps, %d of %d kills within a save", last, unfinished, rounds)
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
