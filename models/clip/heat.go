package clip

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train/contrast"
)

// Heatmap says how much each patch adds to the similarity of an image and a text.
type Heatmap struct {
	Rows, Columns int
	// Values holds a number for each patch in row-major order, at least 0. It is the part of the similarity that the
	// patch contributes, to first order, so maps of one image are comparable. draw.Heatmap shows one.
	Values []float32
}

// Heatmaps returns a map for each text: which patches of the image make it similar to the text. The patches cover the
// image as Preprocess prepares it, such as its middle square.
//
// It is the method of Zhao et al., "Gradient-based visual explanation for Transformer-based CLIP" (Grad-ECLIP, ICML
// 2024, section 3). In the last block, the values v of a patch are weighted by the gradient of the similarity with
// respect to the class token's attention output, and by the cosine of the class token's query and the patch's key,
// scaled to 0 to 1. Negative sums become 0. The attention of all heads stays as it is; the authors' code runs the last
// block with one head. The gradient is computed in [simd.Strict], whatever Math is.
//
// It returns an error for a model whose image tower is no Vision Transformer, and those of [Model.EncodeImages] and
// [Model.EncodeTexts].
func (m *Model) Heatmaps(ctx context.Context, img image.Image, texts ...string) ([]Heatmap, error) {
	tower, ok := m.Vision.(*VisionTransformer)
	if !ok {
		return nil, errors.New("clip: heat maps need an image tower that is a Vision Transformer")
	}
	words, err := m.EncodeTexts(ctx, texts...)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	var maps []Heatmap
	err = run.Images(ctx, m.runner, m.tape(), []image.Image{img}, m.input(), func(pixels *autograd.Tensor, _ int) error {
		maps = m.heat(tower, pixels, words)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	return maps, nil
}

// heat returns the maps of one image, [1, channels, height, width], for the embeddings of texts.
func (m *Model) heat(tower *VisionTransformer, pixels *autograd.Tensor, words [][]float32) []Heatmap {
	x := tower.tokens(pixels)
	length, width := x.Dim(1), x.Dim(2)
	last := tower.last()
	qkv := last.Attention.QKV.Forward(last.Norm1.Forward(x))
	attended := tower.attend(qkv)

	gradients := m.attentionGradients(tower, pixels.Tape(), x.Floats(nil)[:width], attended.Floats(nil), words)
	rows := slices.Collect(slices.Chunk(qkv.Floats(nil), 3*width))
	closeness := closeness(rows, width)
	maps := make([]Heatmap, len(words))
	for t := range maps {
		h := Heatmap{Rows: pixels.Dim(2) / tower.patch, Columns: pixels.Dim(3) / tower.patch, Values: make([]float32, length-1)}
		for i, row := range rows[1:] {
			h.Values[i] = max(0, closeness[i]*simd.Dot(gradients[t*width:(t+1)*width], row[2*width:]))
		}
		maps[t] = h
	}
	return maps
}

// tokens returns what the last block gets, [n, 1+patches, width].
func (v *VisionTransformer) tokens(pixels *autograd.Tensor) *autograd.Tensor {
	blocks := v.Encoder.Blocks
	return blocks[:len(blocks)-1].Forward(v.Encoder.Embed(whole(pixels, v.patch)), nn.AttentionInput{})
}

func (v *VisionTransformer) last() *nn.Block { return v.Encoder.Blocks[len(v.Encoder.Blocks)-1] }

// attend returns what the class token attends to in the last block, [n, width], of queries, keys and values.
func (v *VisionTransformer) attend(qkv *autograd.Tensor) *autograd.Tensor {
	a := v.last().Attention
	width := qkv.Dim(2) / 3
	y := autograd.Attention(autograd.Columns{Of: autograd.Slice(qkv, 1, 0, 1)}, autograd.Columns{Of: qkv, From: width},
		autograd.Columns{Of: qkv, From: 2 * width}, autograd.AttentionOptions{Heads: a.Heads, HeadDim: width / a.Heads, Dropout: a.Dropout})
	return autograd.Reshape(y, y.Dim(0), width)
}

// finish is the rest of the last block and the norm after it, for class tokens, [n, width], and what they attend to.
func (v *VisionTransformer) finish(class, attended *autograd.Tensor) *autograd.Tensor {
	return v.Encoder.Norm.Forward(finish(v.last(), class, attended))
}

// attentionGradients returns the gradient of the similarity to each text with respect to the class token's attention
// output in the last block, before its projection: [texts, width].
func (m *Model) attentionGradients(tower *VisionTransformer, of *autograd.Tape, class, attended []float32, words [][]float32) []float32 {
	n, width := len(words), len(class)
	tape := autograd.NewTape(autograd.Options{Gradients: true, Workers: of.Workers()})
	o := tape.Input(slices.Repeat(attended, n), n, width).WantGradient()
	x := tower.finish(tape.Input(slices.Repeat(class, n), n, width), o)
	if m.VisionProjection != nil {
		x = m.VisionProjection.Forward(x)
	}
	similarity := autograd.Sum(autograd.Mul(contrast.Normalize(x), tape.Input(slices.Concat(words...), n, len(words[0]))), false)
	grads := autograd.NewGradients()
	similarity.Backward(grads)
	return slices.Clone(grads.OfTensor(o))
}

// closeness returns the cosine of the class token's query with the key of each patch, scaled to 0 to 1. rows hold
// queries, keys and values of the class token and the patches.
func closeness(rows [][]float32, width int) []float32 {
	out := make([]float32, len(rows)-1)
	query := rows[0][:width]
	for i, row := range rows[1:] {
		key := row[width : 2*width]
		if length := math32.Sqrt(simd.SumSquares(key) * simd.SumSquares(query)); length > 0 {
			out[i] = simd.Dot(query, key) / length
		}
	}
	low, high := slices.Min(out), slices.Max(out)
	for i := range out {
		if high > low {
			out[i] = (out[i] - low) / (high - low)
		} else {
			out[i] = 1
		}
	}
	return out
}
