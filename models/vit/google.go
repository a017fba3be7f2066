package vit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
)

// googlePrefixes are what may stand before every name in an .npz file of Google's releases: of google-research's
// vision_transformer, of its files that hold an optimizer too, and of big_vision's.
var googlePrefixes = []string{"", "opt/target/", "params/", "params/img/"}

// A google reads a release of Google's (_load_weights in timm/models/vision_transformer.py): weights of JAX, whose matrices
// have a row for each input, and whose projections of attention have a dimension for the heads.
type google struct {
	file    *checkpoint.File
	prefix  string
	entries []checkpoint.Entry
	stacks  map[string][]float32 // tensors that hold all blocks, as they were read
	room    int                  // values that may still be read: tensors of a file can be views of the same bytes
	err     error
}

// fromGoogle returns the weights of a release of Google's under timm's names, in memory, with the number of heads in the
// metadata; or the file itself when it is none.
func fromGoogle(f *checkpoint.File) (*checkpoint.File, error) {
	at := slices.IndexFunc(googlePrefixes, func(p string) bool { _, ok := f.Tensor(p + "embedding/kernel"); return ok })
	if at < 0 {
		return f, nil
	}
	g := &google{file: f, prefix: googlePrefixes[at], stacks: map[string][]float32{}}
	for _, p := range f.Parts() {
		g.room += int(p.Size)
	}
	g.room = 16*g.room + 1<<20 // the file may be compressed
	heads := g.model()
	if g.err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), g.err)
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, g.entries, checkpoint.WriteOptions{Metadata: map[string]string{googleHeads: strconv.Itoa(heads)}}); err != nil {
		return nil, err
	}
	return checkpoint.Parse(f.Name(), b.Bytes(), checkpoint.OpenOptions{})
}

// googleHeads is the key of the number of heads in the metadata.
const googleHeads = "google.heads"

// model reads everything and returns the number of heads.
func (g *google) model() (heads int) {
	if g.has("pre_logits/kernel") && g.has("head/kernel") {
		g.err = errors.New(`"pre_logits/kernel": a model with a layer before the classifier is not supported`)
		return 0
	}
	if g.has("conv_root/kernel") {
		g.stem()
	}
	g.put("patch_embed.proj.weight", "embedding/kernel", -1, g.patches)
	g.put("patch_embed.proj.bias", "embedding/bias", -1, nil)
	if g.has("cls") {
		g.put("cls_token", "cls", -1, nil)
	}
	positions, stacked := "Transformer/posembed_input/pos_embedding", g.has("Transformer/encoderblock/LayerNorm_0/scale")
	big := stacked || g.has("pos_embedding") || strings.HasPrefix(g.prefix, "params/")
	if big {
		positions = "pos_embedding"
	}
	g.put("pos_embed", positions, -1, nil)
	g.norm("norm", "Transformer/encoder_norm", -1)
	if g.has("head/kernel") {
		g.linear("head", "head", -1)
	}
	attention, mlp, norm2 := "MultiHeadDotProductAttention_1", "MlpBlock_3", "LayerNorm_2"
	if big {
		attention, mlp, norm2 = "MultiHeadDotProductAttention_0", "MlpBlock_0", "LayerNorm_1"
	}
	for i := 0; g.err == nil; i++ {
		from, at := "Transformer/encoderblock_"+strconv.Itoa(i)+"/", -1
		if stacked {
			from, at = "Transformer/encoderblock/", i
		}
		t, ok := g.file.Tensor(g.prefix + from + "LayerNorm_0/scale")
		if !ok || stacked && (len(t.Shape) != 2 || t.Len() == 0 || i >= t.Shape[0]) {
			break
		}
		to := "blocks." + strconv.Itoa(i) + "."
		g.norm(to+"norm1", from+"LayerNorm_0", at)
		heads = g.attention(to+"attn.qkv", to+"attn.proj", from+attention+"/", []string{"query", "key", "value"}, at)
		g.norm(to+"norm2", from+norm2, at)
		g.linear(to+"mlp.fc1", from+mlp+"/Dense_0", at)
		g.linear(to+"mlp.fc2", from+mlp+"/Dense_1", at)
	}
	if g.has("MAPHead_0/probe") {
		const from = "MAPHead_0/"
		g.put("attn_pool.latent", from+"probe", -1, nil)
		g.attention("attn_pool.q", "attn_pool.proj", from+"MultiHeadDotProductAttention_0/", []string{"query"}, -1)
		g.attention("attn_pool.kv", "", from+"MultiHeadDotProductAttention_0/", []string{"key", "value"}, -1)
		g.norm("attn_pool.norm", from+"LayerNorm_0", -1)
		g.linear("attn_pool.mlp.fc1", from+"MlpBlock_0/Dense_0", -1)
		g.linear("attn_pool.mlp.fc2", from+"MlpBlock_0/Dense_1", -1)
	}
	return heads
}

// stem reads the residual network of a hybrid.
func (g *google) stem() {
	const backbone = "patch_embed.backbone."
	root := backbone
	if g.has("block1/unit1/conv1/kernel") {
		root += "stem."
	}
	conv := func(to, from string) { g.put(to+".weight", from+"/kernel", -1, g.patches) }
	norm := func(to, from string) {
		flat := func(values []float32, _ []int) ([]float32, []int) { return values, []int{len(values)} } // of [1, 1, 1, channels]
		g.put(to+".weight", from+"/scale", -1, flat)
		g.put(to+".bias", from+"/bias", -1, flat)
	}
	conv(root+"conv", "conv_root")
	norm(root+"norm", "gn_root")
	for i := 0; ; i++ {
		j := 0
		for ; g.err == nil; j++ {
			from, to := fmt.Sprintf("block%d/unit%d/", i+1, j+1), fmt.Sprintf("%sstages.%d.blocks.%d.", backbone, i, j)
			if !g.has(from + "conv1/kernel") {
				break
			}
			for _, part := range []string{"1", "2", "3"} {
				conv(to+"conv"+part, from+"conv"+part)
				norm(to+"norm"+part, from+"gn"+part)
			}
			if g.has(from + "conv_proj/kernel") {
				conv(to+"downsample.conv", from+"conv_proj")
				norm(to+"downsample.norm", from+"gn_proj")
			}
		}
		if j == 0 || g.err != nil {
			return
		}
	}
}

func (g *google) has(name string) bool {
	_, ok := g.file.Tensor(g.prefix + name)
	return ok
}

// read returns the values and the shape of a tensor, or of one slice of a tensor that holds all blocks.
func (g *google) read(name string, at int) ([]float32, []int) {
	if g.err != nil {
		return nil, nil
	}
	t, ok := g.file.Tensor(g.prefix + name)
	if !ok {
		g.err = fmt.Errorf("expected the tensor %q, not found", g.prefix+name)
		return nil, nil
	}
	if t.Len() == 0 {
		g.err = fmt.Errorf("%q: expected values, found the shape %v", g.prefix+name, t.Shape)
		return nil, nil
	}
	values, there := g.stacks[name]
	if !there {
		if g.room -= t.Len(); g.room < 0 {
			g.err = fmt.Errorf("%q: the tensors are larger than the file", g.prefix+name)
			return nil, nil
		}
		values = make([]float32, t.Len())
		g.err = t.Floats(values)
	}
	if g.err != nil || at < 0 {
		return values, t.Shape
	}
	g.stacks[name] = values
	if len(t.Shape) == 0 || at >= t.Shape[0] {
		g.err = fmt.Errorf("%q: expected a slice for each block, found the shape %v", g.prefix+name, t.Shape)
		return nil, nil
	}
	size := len(values) / t.Shape[0]
	return values[at*size : (at+1)*size], t.Shape[1:]
}

// put adds a tensor under timm's name; turn may change its values and shape.
func (g *google) put(to, from string, at int, turn func(values []float32, shape []int) ([]float32, []int)) {
	values, shape := g.read(from, at)
	if g.err != nil {
		return
	}
	if turn != nil {
		if values, shape = turn(values, shape); g.err != nil {
			g.err = fmt.Errorf("%q: %w", g.prefix+from, g.err)
			return
		}
	}
	g.entries = append(g.entries, checkpoint.Entry{Name: to, Shape: shape, Floats: values})
}

func (g *google) norm(to, from string, at int) {
	g.put(to+".weight", from+"/scale", at, nil)
	g.put(to+".bias", from+"/bias", at, nil)
}

func (g *google) linear(to, from string, at int) {
	g.put(to+".weight", from+"/kernel", at, func(values []float32, shape []int) ([]float32, []int) {
		if len(shape) == 4 && shape[0] == 1 && shape[1] == 1 { // a convolution of one pixel
			shape = shape[2:]
		}
		if len(shape) != 2 {
			g.err = fmt.Errorf("expected a matrix, found the shape %v", shape)
			return nil, nil
		}
		return turned(values, shape[0], shape[1]), []int{shape[1], shape[0]}
	})
	g.put(to+".bias", from+"/bias", at, nil)
}

// attention reads projections of attention, the named parts one below the other, and the projection of what the heads found.
func (g *google) attention(to, proj, from string, parts []string, at int) (heads int) {
	var weight, bias []float32
	width := 0
	for _, part := range parts {
		values, shape := g.read(from+part+"/kernel", at)
		if g.err == nil && len(shape) != 3 {
			g.err = fmt.Errorf("%q: expected the shape [width heads channels], found %v", g.prefix+from+part+"/kernel", shape)
		}
		if g.err != nil {
			return 0
		}
		width, heads = shape[0], shape[1]
		weight = append(weight, turned(values, width, shape[1]*shape[2])...)
		values, _ = g.read(from+part+"/bias", at)
		bias = append(bias, values...)
	}
	rows := len(weight) / max(1, width)
	g.entries = append(g.entries, checkpoint.Entry{Name: to + ".weight", Shape: []int{rows, width}, Floats: weight},
		checkpoint.Entry{Name: to + ".bias", Shape: []int{len(bias)}, Floats: bias})
	if proj == "" {
		return heads
	}
	g.put(proj+".weight", from+"out/kernel", at, func(values []float32, shape []int) ([]float32, []int) {
		if len(shape) != 3 {
			g.err = fmt.Errorf("expected the shape [heads channels width], found %v", shape)
			return nil, nil
		}
		in, out := shape[0]*shape[1], shape[2]
		return turned(values, in, out), []int{out, in}
	})
	g.put(proj+".bias", from+"out/bias", at, nil)
	return heads
}

// patches turns the projection of patches, [height, width, channels, out], into [out, channels, height, width].
func (g *google) patches(values []float32, shape []int) ([]float32, []int) {
	if len(shape) != 4 {
		g.err = fmt.Errorf("expected the shape [height width channels out], found %v", shape)
		return nil, nil
	}
	h, w, channels, out := shape[0], shape[1], shape[2], shape[3]
	flat := turned(values, h*w*channels, out)
	for o := range out {
		kernel := flat[o*h*w*channels : (o+1)*h*w*channels]
		copy(kernel, turned(kernel, h*w, channels))
	}
	return flat, []int{out, channels, h, w}
}

// turned returns the transpose of a matrix.
func turned(values []float32, rows, columns int) []float32 {
	out := make([]float32, len(values))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = values[i*columns+j]
		}
	}
	return out
}
