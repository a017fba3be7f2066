package vit

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestPCA compares components and pictures with those of scikit-learn: of more patches than values, and of fewer.
func TestPCA(t *testing.T) {
	g := golden.Load(t, "testdata/pca.safetensors")
	for _, name := range []string{"tall", "wide"} {
		values, shape := g.Tensor(name + "/features")
		var features []Features
		for image := range slices.Chunk(values, len(values)/shape[0]) {
			features = append(features, Features{Rows: shape[1], Columns: shape[2], Patches: image})
		}
		x, err := patchMatrix(features)
		if err != nil {
			t.Fatal(err)
		}
		var scores []float32
		for _, s := range x.scores(3, nil) {
			for _, v := range s {
				scores = append(scores, float32(v))
			}
		}
		golden.Output(t, name+" scores", scores, g.Floats(name+"/scores"))
		for kind, o := range map[string]PCAOptions{"whole": {Whole: true}, "foreground": {Workers: simd.NewWorkers(2)}, "inverted": {Invert: true}} {
			images, err := PCA(o, features...)
			if err != nil {
				t.Fatal(err)
			}
			var pixels []uint8
			for _, m := range images {
				if m.Height != shape[1] || m.Width != shape[2] {
					t.Errorf("%s: found %d×%d pixels", name, m.Height, m.Width)
				}
				pixels = append(pixels, m.Pix...)
			}
			for i, want := range g.Floats(name + "/" + kind) {
				if math.Abs(float64(pixels[i])-float64(want)) > 1 {
					t.Errorf("%s, %s: sample %d: found %d, expected %v", name, kind, i, pixels[i], want)
					break
				}
			}
		}
	}
}

// TestPCAThreshold takes a smaller part for foreground where the threshold is higher, and none above 1.
func TestPCAThreshold(t *testing.T) {
	f := Features{Rows: 1, Columns: 5, Patches: []float32{0, 1, 2, 3, 8}}
	colored := func(o PCAOptions) (found []int) {
		images, err := PCA(o, f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if slices.Max(images[0].Pix[3*i:3*i+3]) > 0 {
				found = append(found, i)
			}
		}
		return found
	}
	// The mean is 2.8. The least patch of the foreground is black: the lower end of the scale.
	for _, c := range []struct {
		o    PCAOptions
		want []int
	}{
		{PCAOptions{}, []int{4}},
		{PCAOptions{Threshold: new(0.2)}, []int{3, 4}},
		{PCAOptions{Threshold: new(0.0)}, []int{2, 3, 4}},
		{PCAOptions{Threshold: new(1.5)}, nil},
		{PCAOptions{Invert: true}, []int{1, 2}},
		{PCAOptions{Whole: true}, []int{1, 2, 3, 4}},
	} {
		if d := cmp.Diff(c.want, colored(c.o)); d != "" {
			t.Errorf("%+v: %s", c.o, d)
		}
	}
}

// TestPCAOfLittle gives images without components of their own, and no panic.
func TestPCAOfLittle(t *testing.T) {
	for name, f := range map[string][]Features{
		"one patch":  {{Rows: 1, Columns: 1, Patches: []float32{3, 4}}},
		"all alike":  {{Rows: 2, Columns: 2, Patches: []float32{1, 2, 1, 2, 1, 2, 1, 2}}},
		"two values": {{Rows: 4, Columns: 1, Patches: []float32{1, 2, 4, 2, 3, 2, 2, 7}}},
		"huge":       {{Rows: 1, Columns: 3, Patches: []float32{-3e38, 3e38, 1}}},
	} {
		for _, whole := range []bool{false, true} {
			images, err := PCA(PCAOptions{Whole: whole}, f...)
			if err != nil || len(images) != 1 || images[0].Height != f[0].Rows {
				t.Errorf("%s: found %v, %v", name, images, err)
			}
		}
	}
	for want, f := range map[string][]Features{
		"found none":                          nil,
		"image 1: expected tokens of 2":       {{Rows: 1, Columns: 1, Patches: []float32{3, 4}}, {Rows: 1, Columns: 1, Patches: []float32{3}}},
		"image 0: expected finite values":     {{Rows: 1, Columns: 1, Patches: []float32{3, float32(math.NaN())}}},
		"image 0: expected the tokens of 2×2": {{Rows: 2, Columns: 2, Patches: []float32{3, 4, 5}}},
		"the tokens of 0×2":                   {{Columns: 2}},
	} {
		if _, err := PCA(PCAOptions{}, f...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// TestLeading finds the eigenvectors of a matrix with known ones, also where eigenvalues are close.
func TestLeading(t *testing.T) {
	const n = 40
	rng := rand.New(rand.NewPCG(3, 4))
	want := make([][]float64, n)
	for i := range want {
		want[i] = make([]float64, n)
		for j := range want[i] {
			want[i][j] = rng.NormFloat64()
		}
	}
	orthonormalize(want)
	matrix := make([]float32, n*n)
	for i := range n {
		for j := range n {
			sum := 0.0
			for k, v := range want {
				sum += math.Pow(0.9, float64(k)) * v[i] * v[j]
			}
			matrix[i*n+j] = float32(sum)
		}
	}
	for k, v := range leading(matrix, n, 3) {
		if d := math.Abs(dot(v, want[k])); d < 1-1e-6 {
			t.Errorf("vector %d: the cosine is %v", k, d)
		}
	}
}
