package simd

import (
	"bufio"
	endian "encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// The rms error of a product of at least 16 rows is at most 1.02 times that of torch.mm, at every k: the mean of 20
// draws. It needs FOVEA_PYTHON, the path of a Python that has torch. One row has the bits that it has among others,
// where PyTorch has a kernel of its own; its ratio is logged.
func TestGemmAccuracy(t *testing.T) {
	if Current() == Generic {
		t.Skip("without fused multiply-add the portable level rounds each product too")
	}
	const n, draws, most = 64, 20, 1.02
	cmd := oracle.Command(t, "torch", "check_products.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	rng := rand.New(rand.NewPCG(8, 8))
	fill := func(x []float32, value func() float32) []float32 {
		for i := range x {
			x[i] = value()
		}
		return x
	}
	for _, data := range []struct {
		name  string
		value func() float32
	}{
		{"normal", func() float32 { return float32(rng.NormFloat64()) }},
		{"uniform", rng.Float32},
	} {
		for _, k := range []int{64, 128, 197, 256, 384, 512, 768, 1024, 4096, 16384, 65536} {
			rows := []int{1, 16, 64}
			if k > 4096 {
				rows = []int{16}
			}
			for _, m := range rows {
				var sum [2]float64
				for range draws {
					a, b, c := fill(make([]float32, m*k), data.value), fill(make([]float32, k*n), data.value), make([]float32, m*n)
					Gemm(NewWorkers(2), m, n, k, Matrix{Data: a, Stride: k}, Matrix{Data: b, Stride: n}, 0, c, n, nil)
					for _, part := range []any{[]int64{int64(m), n, int64(k)}, a, b, c} {
						if err := endian.Write(in, endian.LittleEndian, part); err != nil {
							t.Fatal(err)
						}
					}
					var ours, theirs float64
					if _, err := fmt.Fscanln(answers, &ours, &theirs); err != nil {
						t.Fatal(err)
					}
					sum[0] += ours
					sum[1] += theirs
				}
				ratio := sum[0] / sum[1]
				what := fmt.Sprintf("%s k=%d m=%d: rms error %.3g, %.3f times PyTorch's", data.name, k, m, sum[0]/draws, ratio)
				if m >= 16 && !(ratio <= most) {
					t.Errorf("%s, expected at most %g", what, most)
				} else {
					t.Log(what)
				}
			}
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
