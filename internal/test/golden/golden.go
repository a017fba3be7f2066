// Package golden compares results with a reference:
//
//	g := golden.Load(t, "testdata/linear.safetensors")
//	x, shape := g.Tensor("x")
//	golden.Output(t, "y", y, g.Floats("y"))
//	golden.Gradient(t, "dw", dw, g.Floats("dw"), golden.Norm(g.Floats("dw"), g.Floats("db")))
//
// It reads files of expected tensors, and it defines the tolerances of the library. So "equal to PyTorch" means the same
// in every package.
//
// A golden is a safetensors file of float32 and integer tensors that a script in testdata/gen wrote. Its metadata names
// the script, the versions of the libraries and the seed. A file without them is rejected, because nobody could reproduce
// it:
//
//	save_file(tensors, "linear.safetensors", metadata={
//	    "script": "nn.py", "versions": "torch 2.15.0", "seed": "1"})
package golden

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// metadata lists the keys that a golden must have.
var metadata = [...]string{"script", "versions", "seed"}

// A File is an open golden. Its methods end the test if a tensor is missing or has the wrong type.
type File struct {
	t    testing.TB
	path string
	file *checkpoint.File
}

// Load opens the golden at path, relative to the folder of the test's package.
func Load(t testing.TB, path string) *File {
	t.Helper()
	f, err := checkpoint.Open(filepath.FromSlash(path), checkpoint.OpenOptions{Unmapped: true})
	if err != nil {
		t.Fatalf("golden: %v", err)
	}
	for _, key := range metadata {
		if _, ok := f.Metadata(key); !ok {
			t.Fatalf("golden: %s: expected metadata %q, %q and %q, found no %q", path, metadata[0], metadata[1], metadata[2], key)
		}
	}
	return &File{t: t, path: path, file: f}
}

// Names returns the tensors' names, sorted.
func (g *File) Names() []string {
	var names []string
	for name := range g.file.Names() {
		names = append(names, name)
	}
	return names
}

// Has reports whether the golden contains the tensor.
func (g *File) Has(name string) bool {
	_, ok := g.file.Tensor(name)
	return ok
}

// Metadata returns a value that the script stored, such as a hyperparameter.
func (g *File) Metadata(key string) string {
	g.t.Helper()
	v, ok := g.file.Metadata(key)
	if !ok {
		g.t.Fatalf("golden: %s: no metadata %q", g.path, key)
	}
	return v
}

// Tensor returns a copy of the values of a floating-point tensor, row-major, and its shape.
func (g *File) Tensor(name string) (values []float32, shape []int) {
	g.t.Helper()
	t := g.tensor(name)
	values = make([]float32, t.Len())
	if err := t.Floats(values); err != nil {
		g.t.Fatalf("golden: %s: %v", g.path, err)
	}
	return values, t.Shape
}

// Floats is Tensor without the shape.
func (g *File) Floats(name string) []float32 {
	g.t.Helper()
	values, _ := g.Tensor(name)
	return values
}

// Shape returns the shape of a tensor of any type.
func (g *File) Shape(name string) []int {
	g.t.Helper()
	return g.tensor(name).Shape
}

// Ints returns the values of an integer or boolean tensor.
func (g *File) Ints(name string) []int {
	g.t.Helper()
	t := g.tensor(name)
	wide := make([]int64, t.Len())
	if err := t.Ints(wide); err != nil {
		g.t.Fatalf("golden: %s: %v", g.path, err)
	}
	values := make([]int, len(wide))
	for i, v := range wide {
		values[i] = int(v)
	}
	return values
}

// Checkpoint returns the open file, to load a model's parameters from it.
func (g *File) Checkpoint() *checkpoint.File { return g.file }

func (g *File) tensor(name string) checkpoint.Tensor {
	g.t.Helper()
	t, ok := g.file.Tensor(name)
	if !ok {
		g.t.Fatalf("golden: %s: no tensor %q among %q", g.path, name, g.Names())
	}
	return t
}

// SharedData returns the path of a file or folder in ../shared/data, beside the module's root. Without it the test is
// skipped.
func SharedData(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("golden: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skip("golden: needs shared data, and no go.mod is above the working folder")
		}
		dir = parent
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s, which this machine does not have", filepath.ToSlash(filepath.Join(append([]string{"..", "shared", "data"}, elem...)...)))
	}
	return path
}

// Output compares an output with the reference, element by element: |got - want| ≤ 1e-4 · max(1, rms(want)). NaN equals
// NaN, and an infinity equals the same infinity.
func Output(t testing.TB, name string, got, want []float32) {
	t.Helper()
	Within(t, name, got, want, 1e-4)
}

// Within is Output with another tolerance than 1e-4. The test should state the reason.
func Within(t testing.TB, name string, got, want []float32, tolerance float64) {
	t.Helper()
	if err := compareOutput(got, want, tolerance); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func compareOutput(got, want []float32, tolerance float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("expected %d values, found %d", len(want), len(got))
	}
	sum, finite := 0.0, 0
	for _, w := range want {
		if v := float64(w); !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum += v * v
			finite++
		}
	}
	rms := 0.0
	if finite > 0 {
		rms = math.Sqrt(sum / float64(finite))
	}
	limit := tolerance * math.Max(1, rms)
	worst, at, beyond := limit, -1, 0
	for i := range want {
		d := distance(got[i], want[i])
		if d > limit {
			beyond++
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if at < 0 {
		return nil
	}
	return fmt.Errorf("%d of %d values differ by more than %.3g; worst at index %d: expected %v, found %v",
		beyond, len(want), limit, at, want[at], got[at])
}

// distance returns |a - b|. It is 0 for two equal infinities or two NaN, and infinite if only one value is finite.
func distance(a, b float32) float64 {
	if a == b || (a != a && b != b) {
		return 0
	}
	d := math.Abs(float64(a) - float64(b))
	if math.IsNaN(d) {
		return math.Inf(1)
	}
	return d
}

// Gradient compares the gradient of one tensor with the reference: ‖got - want‖ ≤ 1e-3 ‖want‖ + 1e-6 ‖all‖. ‖all‖ is
// the norm of all gradients together (see [Norm]): the rounding of the other gradients may appear in a gradient that is
// zero in theory.
func Gradient(t testing.TB, name string, got, want []float32, allGradsNorm float64) {
	t.Helper()
	if err := compareGradient(got, want, allGradsNorm); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func compareGradient(got, want []float32, allGradsNorm float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("expected a gradient of %d values, found %d", len(want), len(got))
	}
	sum, worst, at := 0.0, 0.0, -1
	for i := range want {
		d := distance(got[i], want[i])
		sum += d * d
		if d > worst {
			worst, at = d, i
		}
	}
	limit := 1e-3*Norm(want) + 1e-6*allGradsNorm
	if diff := math.Sqrt(sum); !(diff <= limit) {
		return fmt.Errorf("gradient differs by a norm of %.3g, allowed %.3g; worst at index %d: expected %v, found %v",
			diff, limit, at, want[at], got[at])
	}
	return nil
}

// Norm returns the Euclidean norm of all values together, without NaN and infinities.
func Norm(tensors ...[]float32) float64 {
	sum := 0.0
	for _, x := range tensors {
		for _, v := range x {
			if v := float64(v); !math.IsNaN(v) && !math.IsInf(v, 0) {
				sum += v * v
			}
		}
	}
	return math.Sqrt(sum)
}
