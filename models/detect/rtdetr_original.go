package detect

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// rtdetrOriginal turns the names of the paper's code (lyuwenyu/RT-DETR: rtdetr_pytorch and rtdetrv2_pytorch, src/nn/backbone/
// presnet.py, src/zoo/rtdetr) into those of transformers. The first that fits a name counts; a replacement of "" drops the tensor.
var rtdetrOriginal = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^decoder\.(anchors|valid_mask)$`), ""}, // made anew for each size of images
	{regexp.MustCompile(`\.num_batches_tracked$`), ""},
	{regexp.MustCompile(`^backbone\.conv1\.conv1_1\.`), "model.backbone.model.embedder.embedder.0."},
	{regexp.MustCompile(`^backbone\.conv1\.conv1_2\.`), "model.backbone.model.embedder.embedder.1."},
	{regexp.MustCompile(`^backbone\.conv1\.conv1_3\.`), "model.backbone.model.embedder.embedder.2."},
	{regexp.MustCompile(`^backbone\.res_layers\.(\d+)\.blocks\.(\d+)\.short\.conv\.(conv|norm)\.`), "model.backbone.model.encoder.stages.$1.layers.$2.shortcut.1.$3."},
	{regexp.MustCompile(`^backbone\.res_layers\.(\d+)\.blocks\.(\d+)\.short\.`), "model.backbone.model.encoder.stages.$1.layers.$2.shortcut."},
	{regexp.MustCompile(`^backbone\.res_layers\.(\d+)\.blocks\.(\d+)\.branch2a\.`), "model.backbone.model.encoder.stages.$1.layers.$2.layer.0."},
	{regexp.MustCompile(`^backbone\.res_layers\.(\d+)\.blocks\.(\d+)\.branch2b\.`), "model.backbone.model.encoder.stages.$1.layers.$2.layer.1."},
	{regexp.MustCompile(`^backbone\.res_layers\.(\d+)\.blocks\.(\d+)\.branch2c\.`), "model.backbone.model.encoder.stages.$1.layers.$2.layer.2."},
	{regexp.MustCompile(`^(encoder|decoder)\.input_proj\.(\d+)\.(?:conv|0)\.`), "model.${1}_input_proj.$2.0."},
	{regexp.MustCompile(`^(encoder|decoder)\.input_proj\.(\d+)\.(?:norm|1)\.`), "model.${1}_input_proj.$2.1."},
	{regexp.MustCompile(`^decoder\.decoder\.layers\.(\d+)\.`), "model.decoder.layers.$1."},
	{regexp.MustCompile(`^decoder\.dec_score_head\.`), "model.decoder.class_embed."},
	{regexp.MustCompile(`^decoder\.dec_bbox_head\.`), "model.decoder.bbox_embed."},
	{regexp.MustCompile(`^decoder\.enc_output\.proj\.`), "model.enc_output.0."},
	{regexp.MustCompile(`^decoder\.enc_output\.norm\.`), "model.enc_output.1."},
	{regexp.MustCompile(`^decoder\.query_pos_head\.`), "model.decoder.query_pos_head."},
	{regexp.MustCompile(`^decoder\.(enc_output|enc_score_head|enc_bbox_head|denoising_class_embed)\.`), "model.$1."},
	{regexp.MustCompile(`^encoder\.`), "model.encoder."},
}

// The names inside the backbone, and inside the blocks of the encoder and of the decoder.
var (
	rtdetrBody    = strings.NewReplacer(".conv.", ".convolution.", ".norm.", ".normalization.")
	rtdetrEncoder = strings.NewReplacer(".linear", ".fc", ".norm1.", ".self_attn_layer_norm.", ".norm2.", ".final_layer_norm.")
	rtdetrDecoder = strings.NewReplacer(".linear", ".fc", ".norm1.", ".self_attn_layer_norm.", ".norm2.", ".encoder_attn_layer_norm.",
		".norm3.", ".final_layer_norm.", ".cross_attn.num_points_scale", ".encoder_attn.n_points_scale", ".cross_attn.", ".encoder_attn.")
)

// renameRTDETR returns the name of transformers for a tensor of the paper's code, or "" for one that no output uses.
func renameRTDETR(name string) string {
	for _, prefix := range []string{"module.", "_orig_mod."} {
		name = strings.TrimPrefix(name, prefix)
	}
	for _, r := range rtdetrOriginal {
		if !r.from.MatchString(name) {
			continue
		}
		if r.to == "" {
			return ""
		}
		name = r.from.ReplaceAllString(name, r.to)
		switch {
		case strings.HasPrefix(name, "model.backbone."):
			return rtdetrBody.Replace(name)
		case strings.HasPrefix(name, "model.encoder.encoder."):
			return rtdetrEncoder.Replace(name)
		case strings.HasPrefix(name, "model.decoder.layers."):
			return rtdetrDecoder.Replace(name)
		}
		return name
	}
	return name
}

// originalRTDETR returns the configuration of weights under the names of the paper's code, and the weights under those of
// transformers. The file tells the sizes. What it does not tell is that of the released models: 8 heads, 300 queries, the last
// block's predictions, and the discrete attention of the second version by "dsp" in the name of the file.
func originalRTDETR(f *modelfolder.Folder) (Config, *checkpoint.File, error) {
	w, err := rewritten(f.Weights, renameRTDETR)
	if err != nil {
		return Config{}, nil, err
	}
	fail := error(nil)
	dim := func(name string, i int) int {
		t, ok := w.Tensor(name)
		if ok && len(t.Shape) > i {
			return t.Shape[i]
		}
		if fail == nil {
			fail = fmt.Errorf("an RT-DETR: expected the tensor %s, found none of its dimensions", name)
		}
		return 1
	}
	count := func(format string) (n int) {
		for {
			if _, ok := w.Tensor(fmt.Sprintf(format, n)); !ok {
				return n
			}
			n++
		}
	}
	if _, learned := w.Tensor("decoder.tgt_embed.weight"); learned {
		return Config{}, nil, fmt.Errorf("decoder.tgt_embed.weight: learned initial queries are not supported")
	}

	const body = "model.backbone.model."
	net := backbone.ResNet50()
	net.EmbeddingSize = dim(body+"embedder.embedder.2.convolution.weight", 0)
	last := 2
	if _, bottleneck := w.Tensor(body + "encoder.stages.0.layers.0.layer.2.convolution.weight"); !bottleneck {
		net, last = backbone.ResNet18(), 1
		net.EmbeddingSize = dim(body+"embedder.embedder.2.convolution.weight", 0)
	}
	for s := range net.HiddenSizes {
		net.HiddenSizes[s] = dim(fmt.Sprintf(body+"encoder.stages.%d.layers.0.layer.%d.convolution.weight", s, last), 0)
		net.Depths[s] = count(fmt.Sprintf(body+"encoder.stages.%d.layers.%%d.layer.0.convolution.weight", s))
	}
	c := rtdetrConfig(net, 1, count("model.decoder.layers.%d.self_attn_layer_norm.weight"))
	r := c.RTDETR
	levels := count("model.encoder_input_proj.%d.0.weight")
	if levels < 1 || levels > len(net.HiddenSizes) {
		return Config{}, nil, fmt.Errorf("model.encoder_input_proj: expected 1 to %d levels, found %d", len(net.HiddenSizes), levels)
	}
	r.Levels, r.EncoderInChannels, r.FeatStrides = nil, nil, nil
	for s := len(net.HiddenSizes) - levels; s < len(net.HiddenSizes); s++ {
		r.Levels, r.EncoderInChannels = append(r.Levels, s+1), append(r.EncoderInChannels, net.HiddenSizes[s])
	}
	r.EncoderHiddenDim = dim("model.encoder_input_proj.0.0.weight", 0)
	if levels > 1 {
		inner := dim("model.encoder.fpn_blocks.0.conv1.conv.weight", 0)
		r.HiddenExpansion = float64(inner) / float64(max(1, r.EncoderHiddenDim))
		if r.inner() < inner { // the quotient was rounded down
			r.HiddenExpansion = math.Nextafter(r.HiddenExpansion, math.Inf(1))
		}
	}
	r.EncodeProjLayers, r.EncoderLayers = []int{levels - 1}, count("model.encoder.encoder.0.layers.%d.fc1.weight")
	r.EncoderFFNDim = dim("model.encoder.encoder.0.layers.0.fc1.weight", 0)
	r.DModel, r.DecoderFFNDim = dim("model.enc_output.0.weight", 0), dim("model.decoder.layers.0.fc1.weight", 0)
	r.DecoderInChannels = nil
	for range levels {
		r.DecoderInChannels = append(r.DecoderInChannels, r.EncoderHiddenDim)
	}
	r.NumFeatureLevels = count("model.decoder_input_proj.%d.0.weight")
	for i := range r.NumFeatureLevels {
		r.FeatStrides = append(r.FeatStrides, 4<<r.Levels[0]>>1<<i)
	}
	if each := 2 * r.DecoderAttentionHeads * r.NumFeatureLevels; each > 0 {
		r.DecoderPoints = dim("model.decoder.layers.0.encoder_attn.sampling_offsets.weight", 0) / each
	}
	if _, noise := w.Tensor("model.denoising_class_embed.weight"); !noise {
		r.NumDenoising = 0
	}
	if _, second := w.Tensor("model.decoder.layers.0.encoder_attn.n_points_scale"); second {
		if c = RTDETRv2(c); strings.Contains(path.Base(w.Name()), "dsp") {
			c.RTDETR.DecoderMethod = "discrete"
		}
	}
	return c, w, fail
}
