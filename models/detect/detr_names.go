package detect

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// detrNames are the names of transformers on disk and in memory, and those of the paper's code, whose joined projections
// rewritten divides.
func detrNames(c DETRConfig) checkpoint.Names {
	column := 1
	if c.TimmNames {
		column = 2
	}
	var rules []checkpoint.Rule
	for _, r := range backbone.ResNetNames(*c.Backbone) {
		rules = append(rules, checkpoint.Rule{"Body." + r[0], "model.backbone.conv_encoder.model." + r[column], "model.backbone.model." + r[column], "backbone.0.body." + r[2]})
	}
	attention := func(path, theirs, original string) []checkpoint.Rule {
		return checkpoint.Nest(path, []string{theirs, theirs, original},
			checkpoint.Rule{"Query", "q_proj", "q_proj", "q_proj"},
			checkpoint.Rule{"Key", "k_proj", "k_proj", "k_proj"},
			checkpoint.Rule{"Value", "v_proj", "v_proj", "v_proj"},
			checkpoint.Rule{"Proj", "out_proj", "o_proj", "out_proj"})
	}
	hidden := []checkpoint.Rule{{"MLP.FC1", "fc1", "mlp.fc1", "linear1"}, {"MLP.FC2", "fc2", "mlp.fc2", "linear2"}}
	encoder := slices.Concat(attention("Attention", "self_attn", "self_attn"), hidden, []checkpoint.Rule{
		{"Norm1", "self_attn_layer_norm", "self_attn_layer_norm", "norm1"}, {"Norm2", "final_layer_norm", "final_layer_norm", "norm2"},
	})
	decoder := slices.Concat(attention("Self", "self_attn", "self_attn"), attention("Cross", "encoder_attn", "multihead_attn"), hidden, []checkpoint.Rule{
		{"Norm1", "self_attn_layer_norm", "self_attn_layer_norm", "norm1"},
		{"Norm2", "encoder_attn_layer_norm", "encoder_attn_layer_norm", "norm2"},
		{"Norm3", "final_layer_norm", "final_layer_norm", "norm3"},
	})
	each := func(part string) []string {
		name := part + ".layers.{}"
		return []string{"model." + name, "model." + name, "transformer." + name}
	}
	n := names(slices.Concat(rules,
		checkpoint.Nest("Encoder.{}", each("encoder"), encoder...), checkpoint.Nest("Decoder.{}", each("decoder"), decoder...),
		[]checkpoint.Rule{
			{"Projection", "model.input_projection", "input_proj"},
			{"Queries", "model.query_position_embeddings", "query_embed"},
			{"Norm", "model.decoder.layernorm", "transformer.decoder.norm"},
			{"Class", "class_labels_classifier", "class_embed"},
			{"Box.Layers.{}", "bbox_predictor.layers.{}", "bbox_embed.layers.{}"},
		}))
	return n
}

// detrUnsupported are parts of the names of tensors of DETR's variants.
var detrUnsupported = []modelfolder.Trace{
	{Part: "mask_head.", What: "masks (panoptic segmentation)"},
	{Part: "bbox_attention.", What: "masks (panoptic segmentation)"},
	{Part: "sa_qcontent_proj", What: "conditional attention"},
	{Part: "sampling_offsets", What: "deformable attention"},
	{Part: "encoder.norm.", What: "norms before each branch"},
	{Part: "encoder.layernorm.", What: "norms before each branch"},
	{Part: "row_embed", What: "learned positions of places"},
}

// yolosNames are the names of transformers, on disk and in memory, and those of the paper's code (hustvl/YOLOS).
var yolosNames = names(slices.Concat([]checkpoint.Rule{
	{"Patch", "vit.embeddings.patch_embeddings.projection", "backbone.patch_embed.proj"},
	{"ClassToken", "vit.embeddings.cls_token", "backbone.cls_token"},
	{"Detection", "vit.embeddings.detection_tokens", "backbone.det_token"},
	{"Positions", "vit.embeddings.position_embeddings", "backbone.pos_embed"},
	{"Mid", "vit.encoder.mid_position_embeddings", "vit.encoder.interpolation.mid_position_embeddings", "backbone.mid_pos_embed"},
	{"Norm", "vit.layernorm", "backbone.norm"},
	{"Class.Layers.{}", "class_labels_classifier.layers.{}", "class_embed.layers.{}"},
	{"Box.Layers.{}", "bbox_predictor.layers.{}", "bbox_embed.layers.{}"},
}, tower.Blocks("Blocks", "vit.encoder.layer", "backbone.blocks")))

// yolosSizes are the sizes of the images that the positions of the released models are for, height and width, by the number of
// patches.
var yolosSizes = map[int][2]int{50 * 83: {800, 1333}, 32 * 54: {512, 864}, 50 * 84: {800, 1344}}

// originalYOLOS returns the configuration of weights under the names of the paper's code (hustvl/YOLOS). The file tells the sizes. What
// it does not tell is that of the released models: heads of 64 channels, or 6 heads for a width of 330, the epsilon of the
// norms, and the shape of the grid of patches, which is a square for other numbers of patches than theirs.
func originalYOLOS(f *modelfolder.Folder) (Config, error) {
	find := yolosNames.Finder(f.Weights)
	var err error
	dim := func(param string, dims, i int) int {
		t, ok := find(param)
		if ok && len(t.Shape) == dims {
			return t.Shape[i]
		}
		if err == nil {
			err = fmt.Errorf("a YOLOS: expected a tensor of %d dimensions for %s, found the shape %v", dims, param, t.Shape)
		}
		return 1
	}
	o := yolosDefaults()
	o.LayerNormEps = 1e-6
	o.HiddenSize, o.PatchSize = dim("Patch.Weight", 4, 0), dim("Patch.Weight", 4, 3)
	o.IntermediateSize, o.NumDetectionTokens = dim("Blocks.0.MLP.FC1.Weight", 2, 0), dim("Detection", 3, 1)
	if o.NumAttentionHeads = o.HiddenSize / 64; o.HiddenSize == 330 {
		o.NumAttentionHeads = 6
	}
	for o.NumHiddenLayers = 0; ; o.NumHiddenLayers++ {
		if _, ok := find(fmt.Sprintf("Blocks.%d.Norm1.Weight", o.NumHiddenLayers)); !ok {
			break
		}
	}
	_, o.QKVBias = find("Blocks.0.Attention.QKV.Bias")
	_, o.UseMidPositionEmbeddings = find("Mid")
	patches := dim("Positions", 3, 1) - 1 - o.NumDetectionTokens
	if err != nil {
		return Config{}, err
	}
	size, known := yolosSizes[patches]
	if side := int(math.Sqrt(float64(max(0, patches)))); !known {
		if side*side != patches {
			return Config{}, fmt.Errorf("positions of %d patches: expected those of a released YOLOS or of square images", patches)
		}
		size = [2]int{side * o.PatchSize, side * o.PatchSize}
	}
	o.SetSize(size[0], size[1])
	return Config{ModelType: yolosType, YOLOS: &o}, nil
}

// originalDETR returns the configuration of weights under the names of the paper's code (facebookresearch/detr), and
// the weights with divided projections. The file tells the sizes. What it does not tell is that of the released models:
// heads of 32 channels, unless the training program's arguments are beside the weights, and DC5 by the name of the
// file.
func originalDETR(f *modelfolder.Folder) (Config, *checkpoint.File, error) {
	w := f.Weights
	for name := range w.Names() {
		for _, k := range detrUnsupported {
			if strings.Contains(name, k.Part) {
				return Config{}, nil, fmt.Errorf("%q: a DETR with %s is not supported", name, k.What)
			}
		}
	}
	for arg, want := range map[string]string{"args.pre_norm": "false", "args.masks": "false", "args.position_embedding": "sine"} {
		if v, ok := w.Metadata(arg); ok && !strings.EqualFold(v, want) {
			return Config{}, nil, fmt.Errorf("%s: expected %s, found %s", arg, want, v)
		}
	}
	body, err := backbone.ConfigOf(w, "backbone.0.body.")
	if err != nil {
		return Config{}, nil, fmt.Errorf("backbone: %w", err)
	}
	dilation, stated := w.Metadata("args.dilation")
	body.Dilated = strings.EqualFold(dilation, "true") || !stated && strings.Contains(path.Base(w.Name()), "dc5")
	c := detrConfig(body)
	o := c.DETR
	o.TimmNames = backbone.NameOf(body) != ""
	table := detrNames(*o)
	find := table.Finder(w)
	rows := func(param string) (int, error) {
		t, ok := find(param)
		if !ok || len(t.Shape) < 1 {
			return 0, fmt.Errorf("expected the tensor %s, found none", table.Tensors(param)[0][0])
		}
		return t.Shape[0], nil
	}
	sized := func(to *int, param string) {
		if err == nil {
			*to, err = rows(param)
		}
	}
	sized(&o.NumQueries, "Queries.Weight")
	sized(&o.DModel, "Projection.Weight")
	sized(&o.EncoderFFNDim, "Encoder.0.MLP.FC1.Weight")
	sized(&o.DecoderFFNDim, "Decoder.0.MLP.FC1.Weight")
	if err != nil {
		return c, nil, err
	}
	for _, part := range []struct {
		to     *int
		format string
	}{{&o.EncoderLayers, "Encoder.%d.Norm1.Weight"}, {&o.DecoderLayers, "Decoder.%d.Norm1.Weight"}} {
		for *part.to = 0; ; *part.to++ {
			if _, ok := find(fmt.Sprintf(part.format, *part.to)); !ok {
				break
			}
		}
	}
	heads := 8
	if v, ok := w.Metadata("args.nheads"); ok {
		if heads, err = strconv.Atoi(v); err != nil {
			return c, nil, fmt.Errorf("args.nheads: expected a number, found %q", v)
		}
	}
	o.EncoderAttentionHeads, o.DecoderAttentionHeads = heads, heads
	if w, err = rewritten(w, func(name string) string { return name }); err != nil {
		return c, nil, err
	}
	return c, w, nil
}

// rewritten returns the tensors of a file under other names, without those whose new name is "". It divides the joined projections of
// PyTorch's attention in three: in_proj_weight becomes q_proj.weight, k_proj.weight and v_proj.weight.
func rewritten(w *checkpoint.File, rename func(name string) string) (*checkpoint.File, error) {
	var entries []checkpoint.Entry
	room := int64(1 << 20) // of bytes: tensors of a file can be views of the same ones
	for _, p := range w.Parts() {
		room += 16 * int64(p.Size) // the file may be compressed
	}
	for t := range w.Tensors() {
		name := rename(t.Name)
		if name == "" {
			continue
		}
		if room -= 4 * int64(t.Len()); room < 0 {
			return nil, fmt.Errorf("%s: its tensors are much larger than the file", t.Name)
		}
		stem, kind, joined := strings.Cut(name, "in_proj_")
		if !joined {
			e := t.Entry()
			e.Name = name
			entries = append(entries, e)
			continue
		}
		if len(t.Shape) == 0 || t.Shape[0]%3 != 0 {
			return nil, fmt.Errorf("%s: expected rows of queries, keys and values, found the shape %v", t.Name, t.Shape)
		}
		values := make([]float32, t.Len())
		if err := t.Floats(values); err != nil {
			return nil, err
		}
		shape := slices.Clone(t.Shape)
		shape[0] /= 3
		for i, part := range []string{"q", "k", "v"} {
			n := len(values) / 3
			entries = append(entries, checkpoint.Entry{Name: stem + part + "_proj." + kind, Shape: shape, Floats: values[i*n:][:n]})
		}
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name(), err)
	}
	return checkpoint.Parse(w.Name(), b.Bytes(), checkpoint.OpenOptions{})
}
