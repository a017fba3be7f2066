package autograd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/simd"
)

// TestSumAccuracy compares the error of sums, means and variances of rows, and of sums of columns, with that of
// PyTorch's.
func TestSumAccuracy(t *testing.T) {
	oracle.Needs(t, "torch")
	kinds := map[string]func(r *rand.Rand) float32{
		"normal":  func(r *rand.Rand) float32 { return float32(r.NormFloat64()) },
		"uniform": func(r *rand.Rand) float32 { return r.Float32() },
	}
	shapes := [][2]int{
		{4000, 16}, {4000, 100}, {4000, 768}, {4000, 2000}, {2000, 4096}, {400, 16384}, {100, 65536}, {20, 1 << 20},
		{100, 4000}, {768, 4000}, {4096, 1000}, {16384, 256}, {65536, 64}, {1 << 20, 20},
	}
	for kind, draw := range kinds {
		dir := t.TempDir()
		name := func(s [2]int, end string) string { return filepath.Join(dir, fmt.Sprintf("%dx%d.%s", s[0], s[1], end)) }
		matrix := func(s [2]int) []float32 {
			r := rand.New(rand.NewPCG(uint64(s[0]), uint64(s[1])))
			x := make([]float32, s[0]*s[1])
			for i := range x {
				x[i] = draw(r)
			}
			return x
		}
		for _, s := range shapes {
			b, _ := binary.Append(nil, binary.NativeEndian, matrix(s))
			if err := os.WriteFile(name(s, "in"), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		oracle.Run(t, "torch", "check_sums.py", dir)
		for _, s := range shapes {
			b, err := os.ReadFile(name(s, "out"))
			if err != nil {
				t.Fatal(err)
			}
			rows, columns := s[0], s[1]
			theirs := make([]float32, 3*rows+columns)
			if _, err := binary.Decode(b, binary.NativeEndian, theirs); err != nil {
				t.Fatal(err)
			}
			data := matrix(s)
			tape := NewTape(Options{Workers: simd.NewWorkers(2)})
			x := tape.Input(data, rows, columns)
			results := []struct {
				name   string
				length int
				y      *Tensor
			}{
				{"sum of rows", columns, Sum(x, false, 1)}, {"mean of rows", columns, Mean(x, false, 1)},
				{"variance of rows", columns, Var(x, 0, false, 1)}, {"sum of columns", rows, Sum(x, false, 0)},
			}
			want := reduced64(data, rows, columns)
			for _, r := range results {
				y := r.y.data
				ours, peer := rmsError(y, want[:len(y)]), rmsError(theirs[:len(y)], want[:len(y)])
				want, theirs = want[len(y):], theirs[len(y):]
				ratio := ours / peer
				t.Logf("%s, %s, %d of %d: %.3g, %.2f of PyTorch's", kind, r.name, len(y), r.length, ours, ratio)
				if len(y) >= 20 && !(ratio <= 1.02) {
					t.Errorf("%s, %s, %d of %d: rms error %.3g, PyTorch's %.3g", kind, r.name, len(y), r.length, ours, peer)
				}
			}
			tape.Reset()
		}
	}
}

// reduced64 computes the results of testdata/gen/check_sums.py in float64.
func reduced64(x []float32, rows, columns int) []float64 {
	sums, means, variances, down := make([]float64, rows), make([]float64, rows), make([]float64, rows), make([]float64, columns)
	for i := range rows {
		row := x[i*columns:][:columns]
		for j, v := range row {
			sums[i] += float64(v)
			down[j] += float64(v)
		}
		means[i] = sums[i] / float64(columns)
		for _, v := range row {
			d := float64(v) - means[i]
			variances[i] += float64(d*d) / float64(columns)
		}
	}
	return append(append(append(sums, means...), variances...), down...)
}

func rmsError(got []float32, want []float64) float64 {
	sum := 0.0
	for i, w := range want {
		d := float64(got[i]) - w
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(want)))
}
