package bert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// Disentangled holds the fields that DeBERTa's config.json has beside BERT's.
type Disentangled struct {
	RelativeAttention bool `json:"relative_attention,omitempty"` // distances are part of the scores
	// MaxRelativePositions is the longest distance; less than 1 means MaxPositionEmbeddings.
	MaxRelativePositions int `json:"max_relative_positions,omitempty"`
	// PositionBuckets is the number of ranges of distances in each direction; less than 1 gives each distance its own.
	PositionBuckets int           `json:"position_buckets,omitempty"`
	PosAttType      PositionTerms `json:"pos_att_type,omitempty"`
	ShareAttKey     bool          `json:"share_att_key,omitempty"`         // distances go through the projections of tokens
	NormRelEbd      string        `json:"norm_rel_ebd,omitempty"`          // "layer_norm" or "none"
	PositionInput   *bool         `json:"position_biased_input,omitempty"` // positions are added to the embeddings; nil means true
	ConvKernelSize  int           `json:"conv_kernel_size,omitempty"`      // of a convolution beside the first layer; 0 means none
	ConvGroups      int           `json:"conv_groups,omitempty"`           // 0 means 1
	ConvAct         string        `json:"conv_act,omitempty"`              // "" means tanh
	PoolerDropout   float32       `json:"pooler_dropout,omitempty"`
	PoolerSize      int           `json:"pooler_hidden_size,omitempty"` // HiddenSize; 0 means that
	PoolerHiddenAct string        `json:"pooler_hidden_act,omitempty"`  // "" means gelu
	ClsDropout      *float32      `json:"cls_dropout,omitempty"`        // before a classifier of sequences; nil means HiddenDropoutProb
}

// PositionTerms are the terms of the scores that know distances: "c2p" for the query and the distance, and "p2c" for
// the key and the distance. A config.json has them as a list or as a text, "p2c|c2p".
type PositionTerms []string

// UnmarshalJSON reads either form.
func (p *PositionTerms) UnmarshalJSON(data []byte) error {
	*p = nil
	if strictjson.Null(data) {
		return nil
	}
	if joined, err := strictjson.Text(data); err == nil {
		for term := range strings.SplitSeq(strings.ToLower(joined), "|") {
			*p = append(*p, strings.TrimSpace(term))
		}
		return nil
	}
	return strictjson.Decode(data, (*[]string)(p))
}

// DeBERTa is DeBERTa-v3-base (arXiv 2111.09543): 184 M parameters, half of them embeddings of words.
func DeBERTa() Config {
	c := preset(128100, 768, 12, 12)
	c.ModelType, c.TypeVocabSize, c.LayerNormEps = "deberta-v2", 0, 1e-7
	c.Disentangled = Disentangled{
		RelativeAttention: true, MaxRelativePositions: -1, PositionBuckets: 256, PosAttType: PositionTerms{"p2c", "c2p"},
		ShareAttKey: true, NormRelEbd: "layer_norm", PositionInput: new(false), PoolerHiddenAct: "gelu",
	}
	return c
}

func isDeberta(c Config) bool { return c.ModelType == "deberta-v2" }

// readLegacy reads the field legacy. false is a head for masked words that always uses the word embeddings. Otherwise
// it equals the other head, under whose names it is saved.
func (c *Config) readLegacy(data []byte) error {
	f := struct {
		Legacy *bool `json:"legacy"`
	}{}
	if err := strictjson.Decode(data, &f); err != nil || f.Legacy == nil || *f.Legacy {
		return err
	}
	if c.embeddingSize() != c.HiddenSize {
		return fmt.Errorf("legacy: expected true where embedding_size %d is not hidden_size %d, found false", c.embeddingSize(), c.HiddenSize)
	}
	c.TieWordEmbeddings = true
	return nil
}

// positionsInInput reports whether the embeddings of tokens have those of positions.
func (d *Disentangled) positionsInInput() bool { return d.PositionInput == nil || *d.PositionInput }

// checkDeberta finds the first of DeBERTa's fields whose value no model can have.
func (c Config) checkDeberta(v *config.Checks) {
	d := c.Disentangled
	for i, term := range d.PosAttType {
		if term != "c2p" && term != "p2c" || slices.Contains(d.PosAttType[:i], term) {
			v.Fail("pos_att_type", "expected c2p and p2c, once each, found %q", []string(d.PosAttType))
		}
	}
	v.OneOf("norm_rel_ebd", d.NormRelEbd, "", "none", "layer_norm")
	v.Size("max_relative_positions", c.longestDistance())
	if buckets := d.PositionBuckets; buckets > 0 && (buckets < 4 || buckets/2 >= c.longestDistance()-1) {
		v.Fail("position_buckets", "expected 4 to %d, found %d", 2*c.longestDistance()-3, buckets)
	}
	if d.ConvKernelSize != 0 {
		v.Size("conv_kernel_size", d.ConvKernelSize)
		if d.ConvKernelSize%2 == 0 {
			v.Fail("conv_kernel_size", "expected an odd number, found %d", d.ConvKernelSize)
		}
		v.Divisor("conv_groups", max(1, d.ConvGroups), "hidden_size", c.HiddenSize)
	}
	if d.PoolerSize != 0 && d.PoolerSize != c.HiddenSize {
		v.Fail("pooler_hidden_size", "expected hidden_size %d, found %d", c.HiddenSize, d.PoolerSize)
	}
	v.Probability("pooler_dropout", d.PoolerDropout)
	if d.ClsDropout != nil {
		v.Probability("cls_dropout", *d.ClsDropout)
	}
	if d.ConvAct != "" {
		v.Activation("conv_act", d.ConvAct)
	}
	if d.PoolerHiddenAct != "" {
		v.Activation("pooler_hidden_act", d.PoolerHiddenAct)
	}
}

// longestDistance returns the distance from which on all are one.
func (c Config) longestDistance() int {
	if c.MaxRelativePositions < 1 {
		return c.MaxPositionEmbeddings
	}
	return c.MaxRelativePositions
}

// distances returns the number of distances in each direction that have an embedding.
func (c Config) distances() int {
	if c.PositionBuckets > 0 {
		return c.PositionBuckets
	}
	return c.longestDistance()
}

// DisentangledBlock is the layer of DeBERTa (arXiv 2006.03654, section 3): a score is the sum of three products, of the
// query with the key, of the query with the distance (c2p), and of the key with the distance (p2c).
type DisentangledBlock struct {
	Attention *nn.MultiHeadAttention
	PosKey    *nn.Linear // projections of distances, for c2p and p2c; nil where those of tokens are shared, or without the term
	PosQuery  *nn.Linear
	Norm1     *nn.LayerNorm
	MLP       *nn.MLP
	Norm2     *nn.LayerNorm
	Conv      *TokenConv // of the first layer, or nil

	sizes    Config
	relative *nn.Embedding // [2·distances, hidden], the encoder's, or nil
	norm     *nn.LayerNorm // of the embeddings of distances, or nil
}

// newDisentangled returns a layer of zeros, and gains of one.
func newDisentangled(c Config, e *Encoder, first bool) *DisentangledBlock {
	plain := newBlock(c)
	b := &DisentangledBlock{
		Attention: plain.Attention, Norm1: plain.Norm1, MLP: plain.MLP, Norm2: plain.Norm2,
		sizes: c, relative: e.Relative, norm: e.RelativeNorm,
	}
	if b.relative != nil && !c.ShareAttKey {
		if slices.Contains(c.PosAttType, "c2p") {
			b.PosKey = nn.NewLinear(c.HiddenSize, c.HiddenSize, true)
		}
		if slices.Contains(c.PosAttType, "p2c") {
			b.PosQuery = nn.NewLinear(c.HiddenSize, c.HiddenSize, true)
		}
	}
	if first && c.ConvKernelSize > 0 {
		b.Conv = newTokenConv(c)
	}
	return b
}

// Forward maps packed vectors, [tokens, hidden], to the same shape.
func (b *DisentangledBlock) Forward(x *autograd.Tensor, starts []int) *autograd.Tensor {
	attend := func(x, residual *autograd.Tensor) *autograd.Tensor { return b.attend(x, residual, starts) }
	y := b.Norm1.Forward(branch(attend, x, b.sizes.HiddenDropoutProb))
	y = b.Norm2.Forward(branch(b.MLP.Forward, y, b.sizes.HiddenDropoutProb))
	if b.Conv != nil {
		y = b.Conv.Forward(x, y, starts)
	}
	return y
}

func (b *DisentangledBlock) attend(x, residual *autograd.Tensor, starts []int) *autograd.Tensor {
	keys, queries := b.positions(x.Tape())
	heads := b.sizes.NumAttentionHeads
	width := b.sizes.HiddenSize / heads
	scale := 1 / math32.Sqrt(float32(width)*float32(1+len(b.sizes.PosAttType)))
	return attendEach(b.Attention, x, residual, starts, func(o *autograd.AttentionOptions, qkv *autograd.Tensor, n int) {
		o.Scale = scale
		part := func(i int) *autograd.Tensor { // queries or keys of the heads, [heads, n, width]
			y := autograd.Slice(qkv, 2, i*heads*width, (i+1)*heads*width)
			return autograd.Permute(autograd.Reshape(y, n, heads, width), 1, 0, 2)
		}
		var bias *autograd.Tensor
		if keys != nil {
			bias = b.pick(autograd.MatMulT(part(0), keys, false, true), n)
		}
		if queries != nil {
			y := autograd.Transpose(b.pickBack(autograd.MatMulT(part(1), queries, false, true), n), 1, 2)
			if bias != nil {
				y = autograd.Add(bias, y)
			}
			bias = y
		}
		if bias != nil {
			o.Bias = autograd.Scale(bias, scale)
		}
	})
}

// positions returns the projections of distances for c2p and p2c, [heads, 2·distances, width] each, or nil.
func (b *DisentangledBlock) positions(t *autograd.Tape) (keys, queries *autograd.Tensor) {
	if b.relative == nil || len(b.sizes.PosAttType) == 0 {
		return nil, nil
	}
	x := t.Use(b.relative.Weight)
	if b.norm != nil {
		x = b.norm.Forward(x)
	}
	x = autograd.Dropout(x, b.sizes.HiddenDropoutProb)
	heads := b.sizes.NumAttentionHeads
	split := func(y *autograd.Tensor) *autograd.Tensor {
		return autograd.Permute(autograd.Reshape(y, y.Dim(0), heads, b.sizes.HiddenSize/heads), 1, 0, 2)
	}
	key := func() *autograd.Tensor { return b.PosKey.Forward(x) }
	query := func() *autograd.Tensor { return b.PosQuery.Forward(x) }
	if b.sizes.ShareAttKey {
		w := b.sizes.HiddenSize
		y := b.Attention.QKV.Forward(x)
		key = func() *autograd.Tensor { return autograd.Slice(y, 1, w, 2*w) }
		query = func() *autograd.Tensor { return autograd.Slice(y, 1, 0, w) }
	}
	if slices.Contains(b.sizes.PosAttType, "c2p") {
		keys = split(key())
	}
	if slices.Contains(b.sizes.PosAttType, "p2c") {
		queries = split(query())
	}
	return keys, queries
}

// pick takes from products with all distances, [heads, n, 2·distances], those of each query with each key, [heads, n,
// n].
func (b *DisentangledBlock) pick(x *autograd.Tensor, n int) *autograd.Tensor {
	return autograd.Gather(x, 2, b.places(n, 1), x.Dim(0), n, n)
}

// pickBack is pick for products of keys: [heads, keys, queries].
func (b *DisentangledBlock) pickBack(x *autograd.Tensor, n int) *autograd.Tensor {
	return autograd.Gather(x, 2, b.places(n, -1), x.Dim(0), n, n)
}

// places returns, for each head and two tokens, the row of their distance: of the first from the second, or the
// reverse.
func (b *DisentangledBlock) places(n, sign int) []int {
	span := b.sizes.distances()
	row := make([]int, 2*n-1)
	for i := range row {
		d := i - (n - 1)
		if b.sizes.PositionBuckets > 0 {
			d = logBucket(d, b.sizes.PositionBuckets, b.sizes.longestDistance())
		}
		row[i] = max(0, min(sign*d+span, 2*span-1))
	}
	list := make([]int, 0, b.sizes.NumAttentionHeads*n*n)
	for range b.sizes.NumAttentionHeads {
		for i := range n {
			for j := range n {
				list = append(list, row[i-j+n-1])
			}
		}
	}
	return list
}

// logBucket returns the range of the distance from a key to a query: the distance itself up to half of the buckets, and
// beyond ranges that grow up to the given distance (make_log_bucket_position of transformers, in float32 as there).
func logBucket(distance, buckets, longest int) int {
	middle := buckets / 2
	n := max(distance, -distance)
	if n <= middle {
		return distance
	}
	ratio := math32.Log(float32(n)/float32(middle)) / math32.Log(float32(longest-1)/float32(middle))
	bucket := int(math32.Ceil(ratio*float32(middle-1))) + middle
	if distance < 0 {
		return -bucket
	}
	return bucket
}

// TokenConv is a convolution over neighboring tokens, whose result is added to that of the first layer (ConvLayer of
// transformers).
type TokenConv struct {
	Weight *autograd.Parameter // [hidden, hidden/groups, size]
	Bias   *autograd.Parameter // [hidden]
	Norm   *nn.LayerNorm

	groups  int
	dropout float32
	act     autograd.Activation
}

func newTokenConv(c Config) *TokenConv {
	groups := max(1, c.ConvGroups)
	act := autograd.ActTanh
	if c.ConvAct != "" {
		act = activation(c.ConvAct)
	}
	return &TokenConv{
		Weight: autograd.NewParameter(c.HiddenSize, c.HiddenSize/groups, c.ConvKernelSize), Bias: autograd.NewParameter(c.HiddenSize),
		Norm: nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps), groups: groups, dropout: c.HiddenDropoutProb, act: act,
	}
}

// Forward returns norm(y + act(conv(x))) of packed vectors, [tokens, hidden]. A sequence does not see others.
func (l *TokenConv) Forward(x, y *autograd.Tensor, starts []int) *autograd.Tensor {
	shape := l.Weight.Shape()
	w := autograd.Reshape(x.Tape().Use(l.Weight), shape[0], shape[1], 1, shape[2])
	var parts []autograd.Operand
	for i := 1; i < len(starts); i++ {
		if n := starts[i] - starts[i-1]; n > 0 {
			part := autograd.Transpose(autograd.Slice(x, 0, starts[i-1], starts[i]), 0, 1)
			part = autograd.Conv2d(autograd.Reshape(part, 1, shape[0], 1, n), w, l.Bias, autograd.Conv2dOptions{Padding: [2]int{0, shape[2] / 2}, Groups: l.groups})
			parts = append(parts, autograd.Transpose(autograd.Reshape(part, shape[0], n), 0, 1))
		}
	}
	if len(parts) == 0 {
		return l.Norm.Forward(y)
	}
	return l.Norm.Forward(autograd.Add(y, autograd.Activate(autograd.Dropout(autograd.Concat(0, parts...), l.dropout), l.act)))
}

const debertaOnly = "it is DeBERTa's head size, which is hidden_size/num_attention_heads"

var debertaFields = slices.Concat(sharedFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "type_vocab_size"},
	{Name: "embedding_size"},
	{Name: "relative_attention"},
	{Name: "max_relative_positions"},
	{Name: "position_buckets"},
	{Name: "position_biased_input"},
	{Name: "pos_att_type"},
	{Name: "share_att_key"},
	{Name: "norm_rel_ebd"},
	{Name: "conv_kernel_size"},
	{Name: "conv_groups"},
	{Name: "conv_act"},
	{Name: "pooler_dropout"},
	{Name: "pooler_hidden_size"},
	{Name: "pooler_hidden_act"},
	{Name: "cls_dropout"},
	{Name: "attention_head_size", Use: strictjson.Refused, Reason: debertaOnly, Same: []string{"null"}},
	{Name: "legacy"},
})

var debertaRules = slices.Concat(embeddingRules("deberta."), []checkpoint.Rule{
	{"Encoder.Embeddings.Project", "deberta.embeddings.embed_proj"},
	{"Encoder.Relative", "deberta.encoder.rel_embeddings"},
	{"Encoder.RelativeNorm", "deberta.encoder.LayerNorm"},
	{"Encoder.Layers.0.Conv.Norm", "deberta.encoder.conv.LayerNorm"},
	{"Encoder.Layers.0.Conv", "deberta.encoder.conv.conv"},
	{"Heads.Pooler", "pooler.dense"},
	{"Heads.Masked.Dense", "cls.predictions.transform.dense", "lm_predictions.lm_head.dense"},
	{"Heads.Masked.Norm", "cls.predictions.transform.LayerNorm", "lm_predictions.lm_head.LayerNorm"},
	{"Heads.Masked.Decoder", "cls.predictions.decoder"},
	{"Heads.Masked.Bias", "cls.predictions.bias", "lm_predictions.lm_head.bias", "cls.predictions.decoder.bias"},
}, checkpoint.Nest("Encoder.Layers.{}", []string{"deberta.encoder.layer.{}"},
	checkpoint.Rule{"Attention.QKV", "attention.self.{query_proj,key_proj,value_proj}"},
	checkpoint.Rule{"Attention.Proj", "attention.output.dense"},
	checkpoint.Rule{"PosKey", "attention.self.pos_key_proj"},
	checkpoint.Rule{"PosQuery", "attention.self.pos_query_proj"},
	checkpoint.Rule{"Norm1", "attention.output.LayerNorm"},
	checkpoint.Rule{"MLP.FC1", "intermediate.dense"},
	checkpoint.Rule{"MLP.FC2", "output.dense"},
	checkpoint.Rule{"Norm2", "output.LayerNorm"},
))
