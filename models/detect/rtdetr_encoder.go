package detect

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/nn"
)

// HybridEncoder is the encoder of [RTDETR] (arXiv 2304.08069, section 4.2): transformer blocks within some levels, and
// convolutions that mix neighboring levels, from coarse to fine and back.
type HybridEncoder struct {
	Blocks  [][]*nn.Block  // for each of EncodeProjLayers
	Lateral []*nn.ConvNorm // 1×1, of a level before it goes to the next finer one; the coarsest first
	Down    []*CSPLayer    // of a level and the finer one
	Stride  []*nn.ConvNorm // 3×3 of stride 2, to the next coarser level; the finest first
	Up      []*CSPLayer    // of a level and the coarser one

	config *RTDETRConfig
}

// CSPLayer is two branches of a 1×1 convolution, one of them with RepVGG blocks (cross stage partial, arXiv 1911.11929).
type CSPLayer struct {
	Deep   *nn.ConvNorm
	Direct *nn.ConvNorm
	Blocks []*nn.RepConv // after Deep
	Last   *nn.ConvNorm  // 1×1, of the sum; nil where the width stays
}

// cspDepth is the number of RepVGG blocks.
const cspDepth = 3

func newHybridEncoder(c *RTDETRConfig) *HybridEncoder {
	e, act := &HybridEncoder{config: c}, activation(c.ActivationFunction)
	width := c.EncoderHiddenDim
	for range c.EncodeProjLayers {
		var blocks []*nn.Block
		for range c.EncoderLayers {
			b := nn.NewBlock(nn.BlockConfig{
				Width: width, Heads: c.EncoderAttentionHeads, Hidden: c.EncoderFFNDim, Act: activation(c.EncoderActivation), Eps: c.LayerNormEps,
				PostNorm: true, Dropout: c.Dropout,
			})
			b.Attention = nn.NewSplitAttention(width, width, c.EncoderAttentionHeads)
			b.Attention.Dropout, b.MLP.Dropout = c.Dropout, c.ActivationDropout
			blocks = append(blocks, b)
		}
		e.Blocks = append(e.Blocks, blocks)
	}
	for range len(c.Levels) - 1 {
		e.Lateral = append(e.Lateral, c.conv(width, width, 1, act, autograd.Conv2dOptions{}))
		e.Down = append(e.Down, newCSPLayer(c, act))
		e.Stride = append(e.Stride, c.conv(width, width, 3, act, autograd.Conv2dOptions{Padding: [2]int{1, 1}, Stride: [2]int{2, 2}}))
		e.Up = append(e.Up, newCSPLayer(c, act))
	}
	return e
}

func newCSPLayer(c *RTDETRConfig, act autograd.Activation) *CSPLayer {
	width, inner := c.EncoderHiddenDim, c.inner()
	l := &CSPLayer{
		Deep:   c.conv(2*width, inner, 1, act, autograd.Conv2dOptions{}),
		Direct: c.conv(2*width, inner, 1, act, autograd.Conv2dOptions{}),
	}
	for range cspDepth {
		b := nn.NewRepConv(inner, inner, act)
		b.Wide.Norm.Eps, b.Point.Norm.Eps = c.normEps(), c.normEps()
		l.Blocks = append(l.Blocks, b)
	}
	if inner != width {
		l.Last = c.conv(inner, width, 1, act, autograd.Conv2dOptions{})
	}
	return l
}

// activation returns the activation of a valid name.
func activation(name string) autograd.Activation {
	return new(config.Checks).Activation("activation", name)
}

// Forward maps two levels side by side, [n, 2·width, h, w], to [n, width, h, w].
func (l *CSPLayer) Forward(x *autograd.Tensor) *autograd.Tensor {
	deep := l.Deep.Forward(x)
	for _, b := range l.Blocks {
		deep = b.Forward(deep)
	}
	x = autograd.Add(deep, l.Direct.Forward(x))
	if l.Last != nil {
		x = l.Last.Forward(x)
	}
	return x
}

// Forward maps levels, finest first, each [n, width, h, w] with half the size of the one before, to the same shapes.
func (e *HybridEncoder) Forward(levels []*autograd.Tensor) []*autograd.Tensor {
	t := levels[0].Tape()
	out := append([]*autograd.Tensor(nil), levels...)
	if e.config.EncoderLayers > 0 {
		for i, l := range e.config.EncodeProjLayers {
			out[l] = t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return e.within(e.Blocks[i], x) }, out[l])
		}
	}
	last := len(out) - 1
	mix := func(l *CSPLayer, to int, x, y *autograd.Tensor) {
		out[to] = t.SegmentAll(func(xs []*autograd.Tensor) []*autograd.Tensor {
			return []*autograd.Tensor{l.Forward(autograd.Concat(1, xs[0], xs[1]))}
		}, x, y)[0].Keep()
	}
	for i := range last {
		x := e.Lateral[i].Forward(out[last-i])
		out[last-i] = x.Keep()
		finer := out[last-i-1]
		mix(e.Down[i], last-i-1, autograd.Resize2d(x, 2*x.Dim(2), 2*x.Dim(3), autograd.ResizeOptions{Mode: autograd.Nearest}), finer)
	}
	for i := range last {
		mix(e.Up[i], i+1, e.Stride[i].Forward(out[i]), out[i+1])
	}
	return out
}

// within runs transformer blocks within a level, [n, width, h, w].
func (e *HybridEncoder) within(blocks []*nn.Block, x *autograd.Tensor) *autograd.Tensor {
	c, t := e.config, x.Tape()
	n, width, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	y := autograd.Permute(autograd.Reshape(x, n, width, h*w), 0, 2, 1)
	var in nn.AttentionInput
	if t.Training() || c.EvalSize == [2]int{} {
		positions := t.Borrow(nn.SinCos2DRows(width, h, w, float64(c.Temperature)), h*w, width)
		in.QueryPositions, in.KeyPositions = positions, positions
	}
	for _, b := range blocks {
		if c.NormalizeBefore {
			y = before(b, y, in)
		} else {
			y = b.Forward(y, in)
		}
	}
	return autograd.Reshape(autograd.Permute(y, 0, 2, 1), n, width, h, w)
}

// before runs a block with normalize_before. Unlike other blocks, it adds the result of the MLP to what the norm gives
// (RTDetrEncoderLayer in transformers).
func before(b *nn.Block, x *autograd.Tensor, in nn.AttentionInput) *autograd.Tensor {
	y := autograd.Add(x, autograd.Dropout(b.Attention.Forward(b.Norm1.Forward(x), in), b.Dropout))
	y = b.Norm2.Forward(y)
	return autograd.Add(y, autograd.Dropout(b.MLP.Forward(y, nil), b.Dropout))
}
