package mae

import (
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// Model is a masked autoencoder: an encoder that sees the visible patches and a smaller decoder that
// rebuilds the others from its tokens.
type Model struct {
	Config  Config
	Encoder *vit.Encoder
	Decoder *Decoder

	// Preprocess turns an image into the pixels the model is trained on.
	Preprocess vision.Preprocess
	// PreprocessAssumed says that the folder did not tell how images are prepared. Preprocess is then [vision.ImageNet],
	// the paper's.
	PreprocessAssumed bool
	// Workers runs Reconstruct and Embed in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	runner *run.Runner
}

// Decoder rebuilds the pixels of all patches from the tokens of the visible ones.
type Decoder struct {
	Embed     *nn.Linear          // encoder width to decoder width
	MaskToken *autograd.Parameter // [1, 1, width]
	Positions *autograd.Parameter // [1, 1+patches, width], fixed
	Blocks    nn.Stack
	Norm      *nn.LayerNorm
	Pred      *nn.Linear // width to the values of a patch
}

// New returns a model with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. Both position
// tables are frozen, and Preprocess is [vision.ImageNet], for one channel gray with its average mean. It panics when the
// configuration is not valid.
func New(c Config, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("mae: " + err.Error())
	}
	m := &Model{
		Config: c, Encoder: vit.NewEncoder(vit.Config{EncoderConfig: c.EncoderConfig}), Decoder: newDecoder(c),
		Preprocess: vision.ImageNet(c.ImageSize), Workers: simd.NewWorkers(0), runner: run.New(),
	}
	if c.NumChannels == 1 {
		m.Preprocess = modelfolder.Gray(m.Preprocess)
	}
	m.Encoder.Positions.Frozen = true
	m.Decoder.Positions.Frozen = true
	if rng != nil {
		m.initialize(rng)
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

func newDecoder(c Config) *Decoder {
	d := c.decoder()
	return &Decoder{
		Embed:     nn.NewLinear(c.HiddenSize, d.HiddenSize, true),
		MaskToken: autograd.NewParameter(1, 1, d.HiddenSize),
		Positions: autograd.NewParameter(1, 1+c.Patches(), d.HiddenSize),
		Blocks:    nn.NewStack(d.NumHiddenLayers, d.Block()),
		Norm:      nn.NewLayerNorm(d.HiddenSize, d.LayerNormEps),
		Pred:      nn.NewLinear(d.HiddenSize, c.PatchSize*c.PatchSize*c.NumChannels, true),
	}
}

// initialize follows initialize_weights in models_mae.py of facebookresearch/mae: Xavier uniform
// projections (the patch kernel and the fused qkv seen as one matrix each), normal tokens of standard
// deviation 0.02, fixed sine-cosine positions.
func (m *Model) initialize(rng *rand.Rand) {
	e, d := m.Encoder, m.Decoder
	side, _ := m.Config.Grid() // the grid is square
	for _, p := range []*autograd.Parameter{e.Positions, d.Positions} {
		p.Update(func(w []float32) { copy(w, nn.SinCos2D(p.Shape()[2], side, side, true)) })
	}
	nn.Normal(rng, e.ClassToken, 0.02)
	nn.Normal(rng, d.MaskToken, 0.02)
	kernel := autograd.NewParameter(m.Config.HiddenSize, e.Patch.Weight.Len()/m.Config.HiddenSize)
	nn.XavierUniform(rng, kernel)
	e.Patch.Weight.Update(func(w []float32) { copy(w, kernel.Values()) })
	for _, l := range nn.Layers[nn.Linear]([]nn.Stack{e.Blocks, d.Blocks}) {
		nn.XavierUniform(rng, l.Weight)
	}
	nn.XavierUniform(rng, d.Embed.Weight)
	nn.XavierUniform(rng, d.Pred.Weight)
}

// Noise draws the noise that masks one step of training, [batch, patches], uniform in [0, 1); the same seed and step
// give the same noise.
func (m *Model) Noise(seed, step uint64, batch int) []float32 {
	rng := rand.New(rand.NewPCG(seed, step))
	noise := make([]float32, batch*m.Config.Patches())
	for i := range noise {
		noise[i] = rng.Float32()
	}
	return noise
}

// Masking returns the masking that the noise, [batch, patches], gives at the configured ratio. It panics as
// [NewMasking] does.
func (m *Model) Masking(noise []float32, batch int) *Masking {
	return NewMasking(noise, batch, m.Config.Patches(), m.Config.MaskRatio)
}

// Loss returns the mean squared error of the reconstruction of the masked patches (MAE, section 3): pixels
// is [n, channels, size, size], with the values that Preprocess gives them. With NormPixLoss the target is
// each patch normalized by its own mean and variance. Only masked patches are predicted.
//
// Loss, like the parts of it that follow, panics with an autograd.ShapeError when the pixels have another size than
// the configured one or another number of images than the masking.
func (m *Model) Loss(pixels *autograd.Tensor, masking *Masking) *autograd.Tensor {
	target := m.Target(pixels)
	masked := masking.rows(masking.Masked, masking.Patches, 0)
	target = autograd.GatherRows(target, masked)
	hidden := m.Decode(m.Encode(pixels, masking), masking)
	hidden = autograd.GatherRows(hidden, masking.rows(masking.Masked, 1+masking.Patches, 1))
	return autograd.MSE(m.Decoder.Pred.Forward(hidden), target)
}

// Predict returns the prediction for every patch, [n, patches, patch·patch·channels], a patch's values in
// the order row, column, channel.
func (m *Model) Predict(pixels *autograd.Tensor, masking *Masking) *autograd.Tensor {
	pred := m.Decoder.Pred.Forward(m.Decode(m.Encode(pixels, masking), masking))
	return autograd.Slice(pred, 1, 1, 1+masking.Patches)
}

// Target returns the values that the decoder is to predict, from pixels, [n, channels, size, size], in the shape and order of
// [Model.Predict].
func (m *Model) Target(pixels *autograd.Tensor) *autograd.Tensor {
	c := m.Config
	demand("mae target", "pixels", pixels, pixels.Dim(0), c.NumChannels, c.ImageSize, c.ImageSize)
	target := autograd.PatchifyLast(pixels, c.PatchSize)
	if !c.NormPixLoss {
		return target
	}
	mean := autograd.Mean(target, true, -1)
	variance := autograd.Var(target, 1, true, -1)
	return autograd.Div(autograd.Sub(target, mean), autograd.Sqrt(autograd.AddScalar(variance, 1e-6)))
}

// Encode maps pixels, [n, channels, size, size], to the tokens of the class and of the visible patches, [n,
// 1+visible, width], in the order of the masking. Masked patches cost nothing: they are left out before the
// projection.
func (m *Model) Encode(pixels *autograd.Tensor, masking *Masking) *autograd.Tensor {
	c := m.Config
	demand("mae encode", "pixels", pixels, masking.Batch, c.NumChannels, c.ImageSize, c.ImageSize)
	if masking.Patches != c.Patches() {
		panic(&autograd.ShapeError{Op: "mae encode", Shapes: [][]int{{masking.Patches}, {c.Patches()}}, Reason: "expected a masking of the model's patches"})
	}
	t := pixels.Tape()
	e := m.Encoder
	x := t.Segment(func(pixels *autograd.Tensor) *autograd.Tensor {
		patches := autograd.Patchify(pixels, e.Patch.Patch)
		visible := autograd.GatherRows(patches, masking.rows(masking.Visible, masking.Patches, 0))
		x := autograd.Linear(visible, e.Patch.Weight, e.Patch.Bias)
		where := masking.rows(masking.Visible, 0, 1)
		x = autograd.Add(x, autograd.GatherRows(t.Use(e.Positions), where))
		class := autograd.Add(t.Use(e.ClassToken), autograd.Slice(t.Use(e.Positions), 1, 0, 1))
		width := x.Dim(1)
		x = autograd.Reshape(x, masking.Batch, masking.visible(), width)
		return autograd.Concat(1, autograd.BroadcastTo(class, masking.Batch, 1, width), x)
	}, pixels)
	return e.Encode(x)
}

// Decode maps the encoder's tokens, [n, 1+visible, width], to one token for the class and each patch, visible or
// masked, in the order of the image: [n, 1+patches, decoder width].
func (m *Model) Decode(latent *autograd.Tensor, masking *Masking) *autograd.Tensor {
	demand("mae decode", "tokens", latent, masking.Batch, 1+masking.visible(), m.Config.HiddenSize)
	t := latent.Tape()
	d := m.Decoder
	x := t.Segment(func(latent *autograd.Tensor) *autograd.Tensor {
		x := d.Embed.Forward(latent)
		width := x.Dim(2)
		rows := autograd.Concat(0, autograd.Reshape(x, -1, width), autograd.Reshape(t.Use(d.MaskToken), 1, width))
		full := autograd.GatherRows(rows, masking.unshuffle())
		full = autograd.Reshape(full, masking.Batch, 1+masking.Patches, width)
		return autograd.Add(full, d.Positions)
	}, latent)
	return d.Norm.Forward(d.Blocks.Forward(x, nn.AttentionInput{}))
}

// demand panics unless x has the given shape: rows are picked by number, and in another shape they would be other
// patches.
func demand(op, what string, x *autograd.Tensor, shape ...int) {
	if !slices.Equal(x.Shape(), shape) {
		panic(&autograd.ShapeError{Op: op, Shapes: [][]int{x.Shape(), shape}, Reason: "expected " + what + " of the second shape"})
	}
}

// NoDecay reports whether a parameter is trained without weight decay although it has several dimensions: the class token,
// the mask token and the positions, which are frozen. It is timm's list for the encoder (no_weight_decay) and the same for
// the decoder. The original release of MAE decays both tokens in pre-training. path is one that nn.Parameters yields. The
// method serves as train.GroupOptions.NoDecay.
func (m *Model) NoDecay(path string) bool {
	switch path {
	case "Encoder.ClassToken", "Encoder.Positions", "Decoder.MaskToken", "Decoder.Positions":
		return true
	}
	return false
}
