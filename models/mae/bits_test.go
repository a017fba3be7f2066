package mae

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// bits are the digests of testdata/bits.json: of a ViT's logits, and of the weights of a classifier and a
// masked autoencoder after 20 training steps. They are the same on AVX2, AVX-512 and NEON, at any number of
// threads, with and without recomputation.
type bits struct {
	ViTLogits  string `json:"vit_logits"`
	ViTTrained string `json:"vit_trained"`
	MAETrained string `json:"mae_trained"`
}

// TestSameBitsEverywhere compares with the pinned digests, so that every machine that runs the test is
// compared with every other. After an intended change of the arithmetic, FOVEA_UPDATE=1 writes them anew.
func TestSameBitsEverywhere(t *testing.T) {
	if simd.Current() == simd.Generic {
		t.Skip("the portable kernels agree within tolerance only, where there is no fused multiply-add")
	}
	path := filepath.Join("testdata", "bits.json")
	first := digests(t, autograd.Options{})
	if os.Getenv("FOVEA_UPDATE") != "" {
		data, err := json.MarshalIndent(first, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(data, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want bits
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if first != want {
		t.Errorf("on %s: %+v, expected %+v", simd.Info(), first, want)
	}
	for _, o := range []autograd.Options{
		{Workers: simd.NewWorkers(2)}, {Workers: simd.NewWorkers(3)}, {Workers: simd.NewWorkers(2), Recompute: true},
	} {
		if got := digests(t, o); got != want {
			t.Errorf("%d threads, recompute %v: %+v, expected %+v", o.Workers.Limit(), o.Recompute, got, want)
		}
	}
}

func digests(t *testing.T, o autograd.Options) (b bits) {
	t.Helper()
	dir := filepath.Join("..", "vit", "testdata", "tiny")
	v, err := vit.Load(os.DirFS(dir), vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	pixels, shape := g.Tensor("pixels")
	plain := o
	tape := autograd.NewTape(plain)
	h := sha256.New()
	write(h, v.Forward(tape.Input(pixels, shape...)).Floats(nil))
	b.ViTLogits = digest(h)

	v.Config.DropPathRate = 0.2
	v.Encoder.Blocks[1].DropPath = 0.2
	v.Encoder.Blocks[1].Dropout = 0.1
	labels := g.Ints("labels")
	b.ViTTrained = trained(o, v, func(t *autograd.Tape, step uint64) *autograd.Tensor {
		return autograd.CrossEntropy(v.Forward(t.Input(pixels, shape...)), labels, autograd.CrossEntropyOptions{Smoothing: 0.1})
	})

	m, mg := load(t, "tiny")
	pixels, shape = mg.Tensor("pixels")
	b.MAETrained = trained(o, m, func(t *autograd.Tape, step uint64) *autograd.Tensor {
		return m.Loss(t.Input(pixels, shape...), m.Masking(m.Noise(9, step, shape[0]), shape[0]))
	})
	return b
}

// trained returns the digest of a model's weights after 20 steps of AdamW with clipping.
func trained(o autograd.Options, model any, loss func(t *autograd.Tape, step uint64) *autograd.Tensor) string {
	o.Gradients, o.Training, o.Seed = true, true, 5
	tape := autograd.NewTape(o)
	grads := autograd.NewGradients()
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
	opt := train.NewAdamW(groups, train.AdamOptions{})
	for step := range uint64(20) {
		tape.Step(step)
		loss(tape, step).Backward(grads)
		opt.Step(grads, 1e-3, train.ClipScale(train.GradNorm(grads, opt.Parameters(), o.Workers), 1), o.Workers)
		grads.Zero()
		tape.Reset()
	}
	h := sha256.New()
	for _, p := range nn.Parameters(model) {
		write(h, p.Values())
	}
	return digest(h)
}

func write(h hash.Hash, values []float32) {
	var b [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
}

func digest(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:12]) }
