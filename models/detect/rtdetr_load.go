package detect

import (
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// rtdetrNames are the names of transformers. Its files have those of its older versions, which come first.
func rtdetrNames(c Config) checkpoint.Names {
	r := c.RTDETR
	var rules []checkpoint.Rule
	for _, rule := range backbone.ResNetNames(r.Backbone) {
		rules = append(rules, checkpoint.Rule{"Body." + rule[0], "model.backbone.model." + rule[1]})
	}
	convNorm := func(path, name string) {
		rules = append(rules, checkpoint.Rule{path + ".Conv", name + ".conv"}, checkpoint.Rule{path + ".Norm", name + ".norm"})
	}
	for _, pair := range [][2]string{{"Projections.{}", "model.encoder_input_proj.{}"}, {"Memory.{}", "model.decoder_input_proj.{}"}} {
		rules = append(rules, checkpoint.Rule{pair[0] + ".Conv", pair[1] + ".0"}, checkpoint.Rule{pair[0] + ".Norm", pair[1] + ".1"})
	}
	for _, pair := range [][2]string{{"Lateral", "lateral_convs"}, {"Stride", "downsample_convs"}} {
		convNorm("Encoder."+pair[0]+".{}", "model.encoder."+pair[1]+".{}")
	}
	for _, pair := range [][2]string{{"Down", "fpn_blocks"}, {"Up", "pan_blocks"}} {
		path, name := "Encoder."+pair[0]+".{}", "model.encoder."+pair[1]+".{}"
		convNorm(path+".Deep", name+".conv1")
		convNorm(path+".Direct", name+".conv2")
		convNorm(path+".Blocks.{}.Wide", name+".bottlenecks.{}.conv1")
		convNorm(path+".Blocks.{}.Point", name+".bottlenecks.{}.conv2")
		if r.inner() != r.EncoderHiddenDim {
			convNorm(path+".Last", name+".conv3")
		}
	}
	rule := func(path string, names ...string) {
		rules = append(rules, append(checkpoint.Rule{path}, names...))
	}
	rules = append(rules, checkpoint.Nest("Encoder.Blocks.{}.{}",
		[]string{"model.encoder.encoder.{}.layers.{}", "model.encoder.aifi.{}.layers.{}"}, rtdetrBlock("Attention", "Norm2")...)...)
	rules = append(rules, checkpoint.Nest("Blocks.{}", []string{"model.decoder.layers.{}", "model.decoder.layers.{}"},
		rtdetrBlock("Self", "Norm3")...)...)
	rule("Blocks.{}.Norm2", "model.decoder.layers.{}.encoder_attn_layer_norm")
	cross := [][2]string{{"Offsets", "sampling_offsets"}, {"Weights", "attention_weights"}, {"Value", "value_proj"}, {"Proj", "output_proj"}}
	if r.second() {
		cross = append(cross, [2]string{"Shares", "n_points_scale"})
	}
	for _, pair := range cross {
		rule("Blocks.{}.Cross."+pair[0], "model.decoder.layers.{}.encoder_attn."+pair[1])
	}
	rule("Blocks.{}.Class", "model.decoder.class_embed.{}", "class_embed.{}")
	rule("Blocks.{}.Box.Layers.{}", "model.decoder.bbox_embed.{}.layers.{}", "bbox_embed.{}.layers.{}")
	rule("Positions.Layers.{}", "model.decoder.query_pos_head.layers.{}")
	rule("Output", "model.enc_output.0")
	rule("OutputNorm", "model.enc_output.1")
	rule("Class", "model.enc_score_head")
	rule("Box.Layers.{}", "model.enc_bbox_head.layers.{}")
	if r.NumDenoising > 0 {
		rule("Noise", "model.denoising_class_embed")
	}
	return checkpoint.Names{Columns: []string{models.HuggingFace.String()}, Rules: rules, Prefixes: []string{"module.", "_orig_mod."}}
}

// rtdetrBlock are the names of what blocks of the encoder and of the decoder share, below a block: its self-attention,
// the norm after it, the MLP, and the last norm. The second names are those of newer versions.
func rtdetrBlock(attention, last string) []checkpoint.Rule {
	return []checkpoint.Rule{
		{attention + ".Query", "self_attn.q_proj", "self_attn.q_proj"},
		{attention + ".Key", "self_attn.k_proj", "self_attn.k_proj"},
		{attention + ".Value", "self_attn.v_proj", "self_attn.v_proj"},
		{attention + ".Proj", "self_attn.out_proj", "self_attn.o_proj"},
		{"Norm1", "self_attn_layer_norm", "self_attn_layer_norm"},
		{"MLP.FC1", "fc1", "mlp.fc1"},
		{"MLP.FC2", "fc2", "mlp.fc2"},
		{last, "final_layer_norm", "final_layer_norm"},
	}
}

// rtdetrCopies returns patterns of the copies of the heads that older files have, and no output uses.
func rtdetrCopies(weights *checkpoint.File) []string {
	if _, twice := weights.Tensor("model.decoder.class_embed.0.weight"); twice {
		return []string{"class_embed.*", "bbox_embed.*"}
	}
	return nil
}

// preprocessRTDETR implements transformersFiles. LoadOptions.ImageSize is the side of squares.
func preprocessRTDETR(f *modelfolder.Folder, c *Config) (p vision.Preprocess, assumed bool, err error) {
	size := 0
	if err := f.Resize(&size, c); err != nil {
		return p, false, err
	}
	if size < 0 || size > maxSize {
		return p, false, fmt.Errorf("LoadOptions.ImageSize: expected 1 to %d, found %d", maxSize, size)
	}
	fallback := rtdetrPreprocess()
	images := modelfolder.Images{Height: fallback.Height, Width: fallback.Width, Channels: 3}
	if p, assumed, err = f.Preprocess(fallback, images); err != nil {
		return p, false, err
	}
	if size != 0 {
		p.Height, p.Width = size, size
	}
	if p.Mode != vision.Stretch || p.CropWidth != 0 {
		return p, false, fmt.Errorf("%s: expected images stretched to one size, found the mode %v and a crop to %d×%d pixels",
			vision.PreprocessorName, p.Mode, p.CropWidth, p.CropHeight)
	}
	return p, assumed, c.RTDETR.fits(p.Height, p.Width, true)
}

// fits returns an error for images of a size that the network does not take, in inference or in training.
func (c *RTDETRConfig) fits(h, w int, inference bool) error {
	places := 0
	for i := range c.NumFeatureLevels {
		level := c.Levels[min(i, len(c.Levels)-1)] + 1
		if c.Backbone.DownsampleInFirstStage {
			level++
		}
		if i >= len(c.Levels) {
			level++
		}
		height, width := ceilShift(h, level), ceilShift(w, level)
		if i+1 < len(c.Levels) && (height%2 != 0 || width%2 != 0) {
			return fmt.Errorf("images of %d×%d pixels: expected a size that can be halved %d times", w, h, level+len(c.Levels)-1-i)
		}
		if size := c.AnchorImageSize; inference && size != [2]int{} {
			if stride := c.FeatStrides[i]; size[0]/stride != height || size[1]/stride != width {
				return fmt.Errorf("anchor_image_size: expected the size of the images, %d×%d pixels, found %d×%d, whose level %d differs",
					w, h, size[1], size[0], i)
			}
		}
		places += height * width
	}
	if places < c.NumQueries {
		return fmt.Errorf("images of %d×%d pixels: expected at least as many places as num_queries, %d, found %d", w, h, c.NumQueries, places)
	}
	return nil
}

// ceilShift halves a size n times, rounding up.
func ceilShift(size, n int) int { return (size + 1<<n - 1) >> n }
