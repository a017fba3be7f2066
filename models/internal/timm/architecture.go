package timm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/vision"
)

// Architecture is told by the name of a model and not by its weights.
type Architecture struct {
	Heads int // 0 where the width tells
	Act   string
	Eps   float32
	Mean  bool // pools by the mean of the patches
	// NoNorm leaves out the norm after the last block.
	NoNorm bool
	// BranchNorm normalizes what the branches of blocks give.
	BranchNorm bool
	// Eva says that timm's class Eva makes the model: its mlp_ratio is that of the width after a gate, and its factors of
	// residual branches have names of their own.
	Eva bool
	// SplitGate says that the two projections of gated layers are two tensors.
	SplitGate bool
	// Relative says that blocks have relative positions, and there are no others. With RelativeLayers, layers compute them, and with
	// SharedRelative all blocks have the same.
	Relative, RelativeLayers, SharedRelative bool
	// SplitQKV says that the projections to queries, keys and values are three tensors.
	SplitQKV bool
	// PoolHeads is the number of heads of attention pooling; 0 is that of the blocks.
	PoolHeads int
	// Rope is the base of rotary positions, 0 for none; vit.Config says what the others mean.
	Rope          float64
	RopeOrder     string
	RopeReference int
	RopeOffset    float64
	RopePositions bool
	// ImageSize is that of models with rotary or relative positions, in pixels, where config.json states none.
	ImageSize int
}

// ArchitectureOf reads the name of a Vision Transformer.
func ArchitectureOf(name string) (Architecture, error) {
	name, _, _ = strings.Cut(name, ".") // a tag of the weights may follow
	has := func(part string) bool { return strings.Contains(name, part) }
	a := Architecture{Act: "gelu", Eps: 1e-6, Mean: has("_gap_")}
	if !slices.ContainsFunc([]string{"vit_", "deit_", "deit3_", "flexivit_", "eva_large_", "eva_giant_", "eva02_", "beit_", "beitv2_", "beit3_", "test_vit"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return a, fmt.Errorf("architecture: %q is not supported: expected a plain Vision Transformer (vit_…, deit_… or deit3_…)", name)
	}
	if err := Supported(name); err != nil {
		return a, err
	}
	if has("_clip_") && !strings.HasPrefix(name, "eva") || has("beit3_") {
		a.Eps = 1e-5
	}
	switch {
	case has("_quickgelu_"):
		a.Act = "quick_gelu"
	case slices.ContainsFunc([]string{"vit_base_patch32_siglip", "vit_giantopt_patch16_siglip", "vit_so400m_patch16_siglip",
		"vit_large_patch16_siglip_512", "vit_large_patch16_siglip_gap_512"}, has):
		a.Act = "gelu_pytorch_tanh"
	}
	a.Mean = a.Mean || strings.HasPrefix(name, "eva_large_")
	a.rotary(name)
	a.SharedRelative = has("_srelpos_")
	a.RelativeLayers = has("_relpos_") || a.SharedRelative || name == "test_vit_relpos"
	a.Relative = strings.HasPrefix(name, "beit_") || strings.HasPrefix(name, "beitv2_") || a.RelativeLayers
	a.Mean = a.Mean || a.RelativeLayers && !has("_cls_")
	a.Eva = strings.HasPrefix(name, "eva_giant_") || strings.HasPrefix(name, "eva02_") || a.Rope != 0
	a.SplitQKV = strings.HasPrefix(name, "eva02_base_") || strings.HasPrefix(name, "eva02_large_")
	a.SplitGate = has("_dinov3") || has("_lingbot") || a.SplitQKV
	a.BranchNorm = has("_rpn_") || has("eva02_enormous_")
	a.NoNorm = has("vit_pe_lang_") || has("vit_pe_spatial_") || has("_intern300m_") || has("_radio_")
	switch {
	case has("vit_pe_") && has("_gigantic_") || has("eva02_enormous_") || has("_giantopt_") || name == "vit_base_patch16_gap_224":
		a.Heads = 16
	case has("_huge_plus_"):
		a.Heads = 20
	case strings.HasPrefix(name, "vit_7b_"):
		a.Heads = 32
	}
	return a, nil
}

// rotary reads the rotary positions of a name, and what else the models that have them share.
func (a *Architecture) rotary(name string) {
	has := func(part string) bool { return strings.Contains(name, part) }
	a.ImageSize = 224
	if name == "test_vit_relpos" {
		a.ImageSize = 160
	}
	if size, err := strconv.Atoi(name[strings.LastIndex(name, "_")+1:]); err == nil {
		a.ImageSize = size
	}
	switch {
	case has("_dinov3") || has("_lingbot"):
		a.Eps, a.Mean, a.Rope, a.ImageSize = 1e-5, has("_dinov3"), 100, 256
	case strings.HasPrefix(name, "eva02_") && !has("_enormous_"):
		a.Rope, a.RopeOrder, a.RopeReference, a.RopePositions = 10000, "rows", 16, true
	case has("_rope_reg"):
		a.Rope, a.RopeOrder, a.RopeReference = 10000, "rows", 16
	case has("_rope_mixed_"):
		a.Rope, a.RopeOrder, a.RopePositions = 10, "mixed", has("_ape_")
	case has("_rope_"):
		a.Rope, a.RopeOrder, a.RopePositions = 100, "columns", has("_ape_")
	case has("vit_pe_"):
		a.Eps, a.Mean, a.PoolHeads = 1e-5, !has("_core_"), 8
		a.Rope, a.RopeOrder, a.RopeReference, a.RopeOffset, a.RopePositions = 10000, "columns", 32, 1, true
		switch {
		case has("_gigantic_"):
			a.RopeOffset = 0
		case has("_core_base_"):
			a.RopeReference = 14
		case has("_core_"):
			a.RopeReference = 24
		}
	}
}

// Supported returns an error for the name of a model that is no plain Vision Transformer although it may look like one.
func Supported(name string) error {
	for _, k := range unsupported {
		if strings.Contains(name, k.part) {
			return fmt.Errorf("architecture: %q has %s, which is not supported", name, k.what)
		}
	}
	return nil
}

// unsupported are parts of names of timm's models that are no plain Vision Transformers although their weights may
// have the same names and shapes.
var unsupported = []struct{ part, what string }{
	{"_sapiens2", "queries that share keys"},
}

// plain are the Vision Transformers that timm knows by name, for images of 224 pixels.
var plain = []knownSize{
	{"vit_base_patch16_224", 768, 12, 12, 16}, // the one from which the others differ
	{"vit_tiny_patch16_224", 192, 12, 3, 16},
	{"vit_small_patch16_224", 384, 12, 6, 16},
	{"vit_base_patch32_224", 768, 12, 12, 32},
	{"vit_large_patch16_224", 1024, 24, 16, 16},
	{"vit_huge_patch14_224", 1280, 32, 16, 14},
}

type knownSize struct {
	name                        string
	width, layers, heads, patch int
}

// Model describes a Vision Transformer as timm sees it.
type Model struct {
	ImageSize                    config.Size
	PatchSize, Channels          int
	Width, Depth, Heads, Hidden  int
	QKVBias, ClassToken, PreNorm bool
	Registers                    int
	RegisterPositions            bool
	Distilled, Gated             bool
	QKNorm, NoNorm               bool
	LayerScale                   float32 // 0 for none
	Eps                          float32
	Act                          string // Hugging Face's name
	Pool                         string // token, map or avg, which is also ""
	FCNorm                       bool   // of the mean; the tokens are not normalized before
	Classes                      models.Classes
	Outputs                      int // of the classifier
	// Name is an architecture that has all options but the sizes. "" is a plain Vision Transformer, or one of the names that
	// Describe knows for its options.
	Name string
	// Positions says that there are position embeddings.
	Positions bool
	// RelativeHidden is the hidden width of layers that compute relative positions, 0 for none.
	RelativeHidden int
	// Hybrid says that convolutions come before the patches: timm then counts a patch in their results, as the name says.
	Hybrid bool
}

// Describe returns the config.json from which timm makes the model, which prepares images by p. Of norms, timm has the
// epsilons 1e-6, used also for a smaller one, and 1e-5; another is an error.
func (m Model) Describe(p *vision.Preprocess) (*Config, error) {
	if m.Name != "" {
		return m.named(p)
	}
	at := slices.IndexFunc(plain, func(s knownSize) bool {
		return s.width == m.Width && s.layers == m.Depth && s.heads == m.Heads && s.patch == m.PatchSize
	})
	name := plain[max(0, at)].name
	no, yes := false, true
	args := &Args{ImageSize: m.ImageSize}
	switch {
	case m.Eps <= 1e-6:
		if m.PreNorm {
			args.PreNorm = &yes
		}
	case m.Eps == 1e-5: // CLIP's towers
		name, at = "vit_base_patch16_clip_224", -1
		if !m.PreNorm {
			args.PreNorm = &no
		}
	default:
		return nil, fmt.Errorf("layer_norm_eps: timm has 1e-6 and 1e-5, found %v", m.Eps)
	}
	if at < 0 {
		args.PatchSize = config.Size{Height: m.PatchSize, Width: m.PatchSize}
		args.Width, args.Depth, args.Heads = m.Width, m.Depth, m.Heads
	}
	if m.Channels != 3 {
		args.Channels = m.Channels
	}
	if m.Hidden != 4*m.Width {
		args.Ratio = ratio(m.Width, m.Hidden)
	}
	if !m.QKVBias {
		args.QKVBias = &no
	}
	if !m.ClassToken {
		args.ClassToken = &no
	}
	if m.LayerScale > 0 {
		args.LayerScale = &m.LayerScale
	}
	pool := cmp.Or(m.Pool, "avg")
	if pool != "token" {
		args.GlobalPool = &pool
	}
	if pool == "avg" && !m.FCNorm {
		args.FCNorm = &no
	}
	if m.Registers > 0 {
		args.Registers = m.Registers
		if !m.RegisterPositions {
			args.NoEmbedClass = &yes
		}
	}
	if m.QKNorm {
		args.QKNorm = &yes
	}
	if m.NoNorm {
		args.FinalNorm = &no
	}
	if m.Distilled {
		if name != plain[0].name && at < 0 || m.PreNorm || m.Registers > 0 {
			return nil, errors.New("timm has no such model with a distillation token")
		}
		name = "deit_base_distilled_patch16_224"
		args.PatchSize = config.Size{Height: m.PatchSize, Width: m.PatchSize}
		args.Width, args.Depth, args.Heads = m.Width, m.Depth, m.Heads
	}
	if m.Gated {
		if m.Distilled || m.Eps > 1e-6 || m.Act != "silu" || m.LayerScale == 0 {
			return nil, errors.New("timm has no such model with gated feed-forward layers")
		}
		name = "vit_giant_patch14_dinov2"
		args.PatchSize = config.Size{Height: m.PatchSize, Width: m.PatchSize}
		args.Width, args.Depth, args.Heads = m.Width, m.Depth, m.Heads
		args.Ratio = ratio(m.Width, 2*m.Hidden)
		m.Act = "gelu" // the name tells
	}
	if m.Act != "gelu" {
		var err error
		if args.Act, err = ActLayer(m.Act); err != nil {
			return nil, err
		}
	}
	return m.file(name, pool, args, p), nil
}

// named describes a model whose name tells everything but the sizes.
func (m Model) named(p *vision.Preprocess) (*Config, error) {
	a, err := ArchitectureOf(m.Name)
	if err != nil {
		return nil, err
	}
	hidden, pool := m.Hidden, cmp.Or(m.Pool, "avg")
	if m.Gated && !a.Eva {
		hidden *= 2
	}
	args := &Args{
		ImageSize: m.ImageSize, Channels: m.Channels,
		Width: m.Width, Depth: m.Depth, Heads: m.Heads, Ratio: ratio(m.Width, hidden), GlobalPool: &pool, RelativeHidden: m.RelativeHidden,
	}
	if m.Positions && (m.ClassToken || m.Registers > 0) {
		args.NoEmbedClass = new(m.Registers > 0 && !m.RegisterPositions)
	}
	if !m.Hybrid {
		args.PatchSize = config.Size{Height: m.PatchSize, Width: m.PatchSize}
	}
	return m.file(m.Name, pool, args, p), nil
}

// file returns the config.json.
func (m Model) file(name, pool string, args *Args, p *vision.Preprocess) *Config {
	return &Config{
		Architecture: name, NumClasses: m.Outputs, NumFeatures: m.Width, GlobalPool: pool, LabelNames: Labels(m.Classes.ID2Label), Problem: m.Classes.Problem,
		ModelArgs: args, Pretrained: prepared(p, m.Channels, m.ImageSize, m.Outputs),
	}
}
