package bert

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// Modern holds the fields that ModernBERT's config.json has beside BERT's.
type Modern struct {
	// LocalAttention is the number of neighbors, half of them on each side, that a token of a sliding layer sees.
	LocalAttention int      `json:"local_attention,omitempty"`
	LayerTypes     []string `json:"layer_types,omitempty"` // full_attention or sliding_attention; nil means one full layer in three
	// GlobalEvery says in the place of LayerTypes that each so-manieth layer sees all tokens, from the first on.
	GlobalEvery int `json:"global_attn_every_n_layers,omitempty"`

	Rotary      ModernRotary `json:"rope_parameters,omitzero"`
	GlobalTheta *float64     `json:"global_rope_theta,omitempty"` // where Rotary lacks them; nil means 160000
	LocalTheta  *float64     `json:"local_rope_theta,omitempty"`  // nil means 10000

	AttentionBias  bool    `json:"attention_bias,omitempty"`
	MLPBias        bool    `json:"mlp_bias,omitempty"`
	NormBias       bool    `json:"norm_bias,omitempty"`
	ClassifierBias bool    `json:"classifier_bias,omitempty"`
	DecoderBias    *bool   `json:"decoder_bias,omitempty"` // nil means true
	MLPDropout     float32 `json:"mlp_dropout,omitempty"`

	ClassifierPooling    string `json:"classifier_pooling,omitempty"`    // "cls" or "mean"; "" means cls
	ClassifierActivation string `json:"classifier_activation,omitempty"` // "" means gelu

	InitializerCutoff *float64 `json:"initializer_cutoff_factor,omitempty"` // of initial weights, in deviations; nil means 2
}

// ModernRotary holds the rotary positions of both kinds of layers.
type ModernRotary struct {
	Full    *RotaryParameters `json:"full_attention,omitempty"`
	Sliding *RotaryParameters `json:"sliding_attention,omitempty"`
}

// RotaryParameters are the rotary positions of a kind of layers.
type RotaryParameters struct {
	Type  string   `json:"rope_type,omitempty"`
	Theta *float64 `json:"rope_theta,omitempty"`
}

const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// modernNames are the names that ModernBERT has for BERT's fields.
var modernNames = map[string]string{
	"hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps", "hidden_dropout_prob": "embedding_dropout",
	"attention_probs_dropout_prob": "attention_dropout",
}

// modern holds the fields of a ModernBERT config.json that have names of their own.
type modern struct {
	Activation       string  `json:"hidden_activation"`
	Eps              float32 `json:"norm_eps"`
	Dropout          float32 `json:"embedding_dropout"`
	AttentionDropout float32 `json:"attention_dropout"`
}

// ModernBERT is ModernBERT-base (arXiv 2412.13663): 149 M parameters, for 8,192 tokens.
func ModernBERT() Config {
	c := preset(50368, 768, 22, 12)
	c.ModelType, c.IntermediateSize, c.TypeVocabSize, c.LayerNormEps, c.PadTokenID = "modernbert", 1152, 0, 1e-5, new(50283)
	c.HiddenDropoutProb, c.AttentionProbsDropoutProb, c.MaxPositionEmbeddings = 0, 0, 8192
	c.LocalAttention, c.GlobalEvery = 128, 3
	return c
}

func isModern(c Config) bool { return c.ModelType == "modernbert" }

// sliding reports whether a layer sees neighbors alone.
func (c Config) sliding(layer int) bool {
	if c.LayerTypes != nil {
		return c.LayerTypes[layer] == slidingAttention
	}
	every := c.GlobalEvery
	if every == 0 {
		every = 3
	}
	return layer%every != 0
}

// theta returns the base of the rotary frequencies of a kind of layers.
func (c Config) theta(sliding bool) float64 {
	p, own, base := c.Rotary.Full, c.GlobalTheta, 160000.0
	if sliding {
		p, own, base = c.Rotary.Sliding, c.LocalTheta, 10000
	}
	switch {
	case p != nil && p.Theta != nil:
		return *p.Theta
	case own != nil:
		return *own
	}
	return base
}

// checkModern finds the first of ModernBERT's fields whose value no model can have.
func (c Config) checkModern(v *config.Checks) {
	if n := len(c.LayerTypes); c.LayerTypes != nil && n != c.NumHiddenLayers {
		v.Fail("layer_types", "expected num_hidden_layers %d of them, found %d", c.NumHiddenLayers, n)
	}
	for _, kind := range c.LayerTypes {
		v.OneOf("layer_types", kind, fullAttention, slidingAttention)
	}
	if c.GlobalEvery != 0 {
		v.Size("global_attn_every_n_layers", c.GlobalEvery)
	}
	v.Size("local_attention", c.LocalAttention)
	if v.Err() == nil && c.HiddenSize/c.NumAttentionHeads%2 != 0 {
		v.Fail("num_attention_heads", "expected heads of an even width, found %d", c.HiddenSize/c.NumAttentionHeads)
	}
	for _, p := range []*RotaryParameters{c.Rotary.Full, c.Rotary.Sliding} {
		if p != nil {
			v.OneOf("rope_parameters.rope_type", p.Type, "", "default")
		}
	}
	for _, sliding := range []bool{false, true} {
		if theta := c.theta(sliding); !(theta > 0 && theta <= math.MaxFloat32) {
			v.Fail("rope_parameters.rope_theta", "expected a positive number, found %v", theta)
		}
	}
	v.Probability("mlp_dropout", c.MLPDropout)
	v.OneOf("classifier_pooling", c.ClassifierPooling, "", "cls", "mean")
	if c.ClassifierActivation != "" {
		v.Activation("classifier_activation", c.ClassifierActivation)
	}
	if f := c.InitializerCutoff; f != nil && !(*f > 0.1 && *f <= 100) {
		v.Fail("initializer_cutoff_factor", "expected 0.1 to 100, found %v", *f)
	}
}

// agreeModern returns an error that names the first field that the weights contradict.
func (c Config) agreeModern(find tower.Finder) error {
	var v config.Checks
	same := func(field string, stated, held int, t checkpoint.Tensor) {
		if stated != held {
			v.Fail(field, "expected %d, as in %s, found %d", held, t.Name, stated)
		}
	}
	if t, ok := find("Encoder.Layers.0.MLP.FC1.Weight"); ok && len(t.Shape) == 2 {
		same("hidden_size", c.HiddenSize, t.Shape[1], t)
		same("intermediate_size", c.IntermediateSize, t.Shape[0]/2, t)
	}
	layers := 0
	var last checkpoint.Tensor
	for {
		t, ok := find("Encoder.Layers." + strconv.Itoa(layers) + ".Norm2.Weight")
		if !ok {
			break
		}
		last = t
		layers++
	}
	if layers > 0 {
		same("num_hidden_layers", c.NumHiddenLayers, layers, last)
	}
	return v.Err()
}

// newNorm returns a norm of gains of one, with a bias where the configuration says so.
func newNorm(c Config, width int) *nn.LayerNorm {
	n := nn.NewLayerNorm(width, c.LayerNormEps)
	if isModern(c) && !c.NormBias {
		n.Bias = nil
	}
	return n
}

// ModernBlock is the layer of ModernBERT: a norm and attention with rotary positions, then a norm and a gated MLP, each
// added to its input.
type ModernBlock struct {
	Norm1 *nn.LayerNorm // nil in the first layer
	QKV   *nn.Linear
	Proj  *nn.Linear
	Norm2 *nn.LayerNorm
	MLP   *nn.MLP

	sizes  Config
	window int // tokens on each side that are seen; -1 means all
	rotary *rotaryTable
}

// newModernBlock returns a layer of zeros, and gains of one. Layers of one kind share a table.
func newModernBlock(c Config, layer int, table *rotaryTable) *ModernBlock {
	d, h := c.HiddenSize, c.IntermediateSize
	b := &ModernBlock{
		QKV: nn.NewLinear(d, 3*d, c.AttentionBias), Proj: nn.NewLinear(d, d, c.AttentionBias), Norm2: newNorm(c, d),
		MLP: &nn.MLP{
			FC1: nn.NewLinear(d, 2*h, c.MLPBias), FC2: nn.NewLinear(h, d, c.MLPBias),
			Act: activation(c.HiddenAct), Gated: true, Order: autograd.GateFirst,
		},
		sizes: c, window: -1, rotary: table,
	}
	if layer > 0 {
		b.Norm1 = newNorm(c, d)
	}
	if c.sliding(layer) {
		b.window = c.LocalAttention / 2
	}
	return b
}

// Forward maps packed vectors, [tokens, hidden], to the same shape.
func (b *ModernBlock) Forward(x *autograd.Tensor, starts []int) *autograd.Tensor {
	checkStarts(starts, x.Dim(0))
	y := x
	if b.Norm1 != nil {
		y = b.Norm1.Forward(x)
	}
	y = b.attend(y, starts)
	if dropout := b.sizes.AttentionProbsDropoutProb; dropout > 0 && x.Tape().Training() {
		x = autograd.Add(x, autograd.Dropout(b.Proj.Forward(y), dropout))
	} else {
		x = b.Proj.ForwardAdd(y, x)
	}
	y = b.Norm2.Forward(x)
	if dropout := b.sizes.MLPDropout; dropout > 0 && x.Tape().Training() {
		y = autograd.GatedProduct(b.MLP.FC1.Forward(y), b.MLP.Act, b.MLP.Order)
		return b.MLP.FC2.ForwardAdd(autograd.Dropout(y, dropout), x)
	}
	return b.MLP.Forward(y, x)
}

// attend returns what the heads find, [tokens, hidden], before the projection.
func (b *ModernBlock) attend(x *autograd.Tensor, starts []int) *autograd.Tensor {
	width, heads := b.sizes.HiddenSize, b.sizes.NumAttentionHeads
	longest := 0
	places := make([]int, 0, x.Dim(0))
	for i := 1; i < len(starts); i++ {
		n := starts[i] - starts[i-1]
		longest = max(longest, n)
		for p := range n {
			places = append(places, p)
		}
	}
	if longest > b.sizes.MaxPositionEmbeddings {
		panic(&autograd.ShapeError{Op: "bert", Shapes: [][]int{starts}, Reason: "a sequence is longer than max_position_embeddings"})
	}
	qkv := autograd.Rotary(b.QKV.Forward(x), b.rotary.of(longest), autograd.RotaryOptions{
		Heads: heads, HeadDim: width / heads, From: []int{0, width}, Positions: places,
	})
	o := autograd.AttentionOptions{Heads: heads, HeadDim: width / heads, Dropout: b.sizes.AttentionProbsDropoutProb}
	if b.window < 0 || longest <= b.window+1 {
		return packed(qkv, starts, width, o)
	}
	// Sequences within the window go on as one batch. Each longer one is cut into blocks.
	var short []int                                  // their rows
	shortStarts := []int{0}                          // where they begin among these
	order, parts := []int{}, []autograd.Operand{nil} // the row of parts for each row of x, once all are known
	for i := 1; i < len(starts); i++ {
		if n := starts[i] - starts[i-1]; n <= b.window+1 {
			for row := starts[i-1]; row < starts[i]; row++ {
				short = append(short, row)
			}
			shortStarts = append(shortStarts, len(short))
		}
	}
	nextShort, nextLong := 0, len(short)
	for i := 1; i < len(starts); i++ {
		n := starts[i] - starts[i-1]
		next := &nextShort
		if n > b.window+1 {
			next = &nextLong
			parts = append(parts, b.slide(autograd.Slice(qkv, 0, starts[i-1], starts[i]), o))
		}
		for range n {
			order = append(order, *next)
			*next++
		}
	}
	parts[0] = packed(autograd.GatherRows(qkv, short), shortStarts, width, o)
	if len(short) == 0 {
		parts = parts[1:]
	}
	y := parts[0].(*autograd.Tensor)
	if len(parts) > 1 {
		y = autograd.GatherRows(autograd.Concat(0, parts...), order)
	}
	return y
}

// packed is attention within sequences, given queries, keys and values, [tokens, 3·width].
func packed(qkv *autograd.Tensor, starts []int, width int, o autograd.AttentionOptions) *autograd.Tensor {
	return autograd.PackedAttention(autograd.Columns{Of: qkv}, autograd.Columns{Of: qkv, From: width}, autograd.Columns{Of: qkv, From: 2 * width}, starts, nil, o)
}

// slide is attention in one sequence, [n, 3·width], where a token sees its neighbors. Blocks of queries see the keys in
// reach, so that the time is in proportion to n.
func (b *ModernBlock) slide(qkv *autograd.Tensor, o autograd.AttentionOptions) *autograd.Tensor {
	n, width := qkv.Dim(0), b.sizes.HiddenSize
	block := max(1, b.window)
	keys := block + 2*b.window
	blocks := (n + block - 1) / block
	queryRows, keyRows := make([]int, 0, blocks*block), make([]int, 0, blocks*keys)
	o.KeyMask = make([]bool, 0, blocks*keys)
	for at := 0; at < n; at += block {
		for i := range block {
			queryRows = append(queryRows, min(at+i, n-1)) // those beyond the end are cut off below
		}
		for j := range keys {
			row := at + j - b.window
			keyRows = append(keyRows, max(0, min(row, n-1)))
			o.KeyMask = append(o.KeyMask, row >= 0 && row < n)
		}
	}
	bias := make([]float32, block*keys)
	for i := range block {
		for j := range keys {
			if distance := j - b.window - i; distance > b.window || distance < -b.window {
				bias[i*keys+j] = math32.Inf(-1)
			}
		}
	}
	o.Bias = qkv.Tape().Input(bias, block, keys)
	q := autograd.Reshape(autograd.GatherRows(autograd.Slice(qkv, 1, 0, width), queryRows), blocks, block, width)
	kv := autograd.Reshape(autograd.GatherRows(autograd.Slice(qkv, 1, width, 3*width), keyRows), blocks, keys, 2*width)
	y := autograd.Attention(autograd.Columns{Of: q}, autograd.Columns{Of: kv}, autograd.Columns{Of: kv, From: width}, o)
	return autograd.Slice(autograd.Reshape(y, blocks*block, width), 0, 0, n)
}

// A rotaryTable grows with the longest sequence: a configuration alone reserves no memory.
type rotaryTable struct {
	dim   int
	base  float64
	table atomic.Pointer[sizedTable]
}

type sizedTable struct {
	*autograd.RotaryTable
	positions int
}

// of returns a table of at least n positions.
func (r *rotaryTable) of(n int) *autograd.RotaryTable {
	t := r.table.Load()
	if t == nil || t.positions < n {
		size := 64
		for size < n {
			size *= 2
		}
		t = &sizedTable{nn.RotarySequence(size, r.dim, nn.RotarySequenceOptions{Base: r.base}), size}
		r.table.Store(t)
	}
	return t.RotaryTable
}

// PredictionHead is the part of ModernBERT's head for questions before Spans.
type PredictionHead struct {
	Dense *nn.Linear // [hidden, hidden]
	Norm  *nn.LayerNorm

	act     autograd.Activation
	dropout float32
}

// newPrediction returns a head of zeros.
func newPrediction(c Config) *PredictionHead {
	h := &PredictionHead{Dense: nn.NewLinear(c.HiddenSize, c.HiddenSize, c.ClassifierBias), Norm: newNorm(c, c.HiddenSize), act: c.classifierAct()}
	if c.ClassifierDropout != nil {
		h.dropout = *c.ClassifierDropout
	}
	return h
}

// Forward maps hidden states, [n, hidden], to the same shape.
func (h *PredictionHead) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Dropout(h.Norm.Forward(h.Dense.ForwardAct(x, h.act)), h.dropout)
}

func (c Config) classifierAct() autograd.Activation {
	if c.ClassifierActivation == "" {
		return autograd.ActGelu
	}
	return activation(c.ClassifierActivation)
}

// drawModern draws the weights as transformers does: normal values, cut off at some deviations, which are smaller for
// the layers whose results are added up.
func (c Config) drawModern(rng *rand.Rand, e *Encoder) {
	std := c.InitializerRange
	small := std / math.Sqrt(2*float64(c.NumHiddenLayers))
	c.drawCut(rng, e.Embeddings.Words.Weight, std)
	for _, l := range e.Layers {
		b := l.(*ModernBlock)
		c.drawCut(rng, b.QKV.Weight, std)
		c.drawCut(rng, b.Proj.Weight, small)
		c.drawCut(rng, b.MLP.FC1.Weight, std)
		c.drawCut(rng, b.MLP.FC2.Weight, small)
	}
}

func (c Config) drawCut(rng *rand.Rand, p *autograd.Parameter, std float64) {
	cut := 2.0
	if c.InitializerCutoff != nil {
		cut = *c.InitializerCutoff
	}
	nn.TruncatedNormal(rng, p, std, -cut*std, cut*std)
}

// drawModernHeads is drawModern for heads.
func (c Config) drawModernHeads(rng *rand.Rand, h *Heads) {
	small := c.InitializerRange / math.Sqrt(2*float64(c.NumHiddenLayers))
	out := 1 / math.Sqrt(float64(c.HiddenSize))
	if m := h.Masked; m != nil {
		c.drawCut(rng, m.Dense.Weight, small)
		if m.Decoder != nil {
			c.drawCut(rng, m.Decoder.Weight, small)
		}
	}
	if m := h.Classifier; m != nil {
		c.drawCut(rng, m.Dense.Weight, small)
		c.drawCut(rng, m.Out.Weight, out)
	}
	if h.Spans != nil {
		c.drawCut(rng, h.Prediction.Dense.Weight, small)
		c.drawCut(rng, h.Spans.Weight, out)
	}
}

const kernelsOnly = "it chooses between implementations of one result"

var modernFields = slices.Concat(sharedFields, strictjson.Fields{
	{Name: "hidden_size"},
	{Name: "num_hidden_layers"},
	{Name: "num_attention_heads"},
	{Name: "intermediate_size"},
	{Name: "hidden_activation"},
	{Name: "norm_eps"},
	{Name: "norm_bias"},
	{Name: "embedding_dropout"},
	{Name: "attention_dropout"},
	{Name: "attention_bias"},
	{Name: "mlp_bias"},
	{Name: "mlp_dropout"},
	{Name: "decoder_bias"},
	{Name: "classifier_pooling"},
	{Name: "classifier_dropout"},
	{Name: "classifier_bias"},
	{Name: "classifier_activation"},
	{Name: "local_attention"},
	{Name: "layer_types"},
	{Name: "global_attn_every_n_layers"},
	{Name: "rope_parameters"},
	{Name: "global_rope_theta"},
	{Name: "local_rope_theta"},
	{Name: "initializer_cutoff_factor"},
	{Name: "rope_scaling", Use: strictjson.Refused, Reason: "other rotary positions are not supported", Same: []string{"null"}},
	{Name: "cls_token_id", Use: strictjson.Harmless, Reason: token},
	{Name: "sep_token_id", Use: strictjson.Harmless, Reason: token},
	{Name: "layer_norm_eps", Use: strictjson.Harmless, Reason: "norm_eps is used"},
	{Name: "position_embedding_type", Use: strictjson.Harmless, Reason: "transformers does not read it"},
	{Name: "deterministic_flash_attn", Use: strictjson.Harmless, Reason: kernelsOnly},
	{Name: "reference_compile", Use: strictjson.Harmless, Reason: kernelsOnly},
	{Name: "repad_logits_with_grad", Use: strictjson.Harmless, Reason: kernelsOnly},
	{Name: "sparse_prediction", Use: strictjson.Harmless, Reason: "it leaves out logits of tokens without a label"},
	{Name: "sparse_pred_ignore_index", Use: strictjson.Harmless, Reason: "it leaves out logits of tokens without a label"},
})

var modernRules = slices.Concat([]checkpoint.Rule{
	{"Encoder.Embeddings.Words", "model.embeddings.tok_embeddings"},
	{"Encoder.Embeddings.Norm", "model.embeddings.norm"},
	{"Encoder.FinalNorm", "model.final_norm"},
}, checkpoint.Nest("Encoder.Layers.{}", []string{"model.layers.{}"},
	checkpoint.Rule{"Norm1", "attn_norm"},
	checkpoint.Rule{"QKV", "attn.Wqkv"},
	checkpoint.Rule{"Proj", "attn.Wo"},
	checkpoint.Rule{"Norm2", "mlp_norm"},
	checkpoint.Rule{"MLP.FC1", "mlp.Wi"},
	checkpoint.Rule{"MLP.FC2", "mlp.Wo"},
))

// modernHeadRules returns the rows of the head of a task: all tasks call its parts the same.
func modernHeadRules(task Task) []checkpoint.Rule {
	switch task {
	case Features, MaskedWords:
		return []checkpoint.Rule{{"Heads.Masked.Dense", "head.dense"}, {"Heads.Masked.Norm", "head.norm"},
			{"Heads.Masked.Decoder", "decoder"}, {"Heads.Masked.Bias", "decoder.bias"}}
	case QuestionAnswering:
		return []checkpoint.Rule{{"Heads.Prediction.Dense", "head.dense"}, {"Heads.Prediction.Norm", "head.norm"}, {"Heads.Spans", "classifier"}}
	}
	return []checkpoint.Rule{{"Heads.Classifier.Dense", "head.dense"}, {"Heads.Classifier.Norm", "head.norm"}, {"Heads.Classifier.Out", "classifier"}}
}
