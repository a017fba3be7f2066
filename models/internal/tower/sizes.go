package tower

import (
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Sizes are the sizes of an encoder, as the shapes of its weights tell them.
type Sizes struct {
	Stack
	Channels, Patch int
	Grid            Grid // that the positions are for
	ClassToken      bool
	Distillation    bool // a token of its own
	Registers       int
	// RegisterPositions says that registers have positions too.
	RegisterPositions bool
	PreNorm           bool
	Norm              bool  // after the last block, and not only before the head
	Pool              bool  // by attention
	PoolHidden        int   // of the pooling's feed-forward layer, 0 for none
	Relative          bool  // position biases in the blocks
	SharedRelative    bool  // one table of them for all blocks
	RelativeHidden    int   // of the layers that compute them, 0 for learned ones
	Stem              *Stem // nil but in hybrids; Patch counts its stride
}

// Stack holds the sizes of a stack of blocks.
type Stack struct {
	Width, Layers, Hidden int // Hidden is the width after the gate of gated layers
	Gated                 bool
	QKVBias, NoKeyBias    bool // NoKeyBias: only queries and values have one
	QKNorm                bool
	LayerScale            bool
	AttentionNorm         bool // before the last projection of attention
	MLPNorm               bool // and of feed-forward layers
	Parallel              bool // attention and feed-forward layer on one projection
	Branches              int  // side by side; 0 for one
}

// A Finder finds a parameter's tensor, as checkpoint.Names.Finder does.
type Finder = func(param string) (checkpoint.Tensor, bool)

// ReadTower is [ReadSizes] for an encoder without position embeddings: it leaves the grid at zero.
func ReadTower(find Finder) (Sizes, error) {
	s, err := readTower(find)
	if t, ok := find("Encoder.Positions"); ok && err == nil {
		err = fmt.Errorf("%s: expected no position embeddings beside rotary or relative positions", t.Name)
	}
	return s, err
}

// ReadSizes reads an encoder's sizes off its weights. Their number of positions does not tell the grid: it is the one that
// a configuration states where that has as many patches, and otherwise square. The error names the tensor that is
// missing or that no encoder can have.
func ReadSizes(find Finder, stated func(patch int) Grid) (Sizes, error) {
	s, err := readTower(find)
	if err != nil {
		return s, err
	}
	return s, s.readGrid(find, stated)
}

// readTower reads everything but the grid.
func readTower(find Finder) (Sizes, error) {
	var s Sizes
	kernel, ok := find("Encoder.Patch.Weight")
	switch {
	case !ok:
		return s, fmt.Errorf("holds no Vision Transformer: expected a patch projection, patch_embed.proj.weight or embeddings.patch_embeddings.projection.weight")
	case len(kernel.Shape) != 4 || kernel.Shape[2] != kernel.Shape[3] || kernel.Len() == 0:
		return s, fmt.Errorf("%s: expected the shape [width channels patch patch], found %v", kernel.Name, kernel.Shape)
	}
	s.Channels, s.Patch = kernel.Shape[1], kernel.Shape[2]
	stem, channels, err := readStem(find)
	if err != nil {
		return s, err
	}
	if stem != nil {
		s.Stem, s.Channels, s.Patch = stem, channels, s.Patch*stem.Stride()
	}
	if s.Stack, err = ReadStack(find, "Encoder.Blocks"); err != nil {
		return s, err
	}
	if s.Width != kernel.Shape[0] {
		return s, fmt.Errorf("%s: expected as many rows as the blocks are wide, %d, found %d", kernel.Name, s.Width, kernel.Shape[0])
	}
	_, s.ClassToken = find("Encoder.ClassToken")
	_, s.Distillation = find("Encoder.Distillation")
	_, s.Pool = find("Pool.Probe")
	_, s.SharedRelative = find("Encoder.Relative.Table")
	_, s.Relative = find("Encoder.Blocks.0.Attention.Relative.Table")
	for _, name := range []string{"Encoder.Blocks.0.Attention.Relative.MLP.FC1.Weight", "Encoder.Relative.MLP.FC1.Weight"} {
		if t, ok := find(name); ok {
			if len(t.Shape) != 2 || t.Shape[0] == 0 {
				return s, fmt.Errorf("%s: expected the shape [hidden 2], found %v", t.Name, t.Shape)
			}
			s.Relative, s.RelativeHidden = true, t.Shape[0]
			s.SharedRelative = s.SharedRelative || name == "Encoder.Relative.MLP.FC1.Weight"
		}
	}
	s.Relative = s.Relative || s.SharedRelative
	if t, ok := find("Pool.MLP.FC1.Weight"); ok && len(t.Shape) == 2 {
		s.PoolHidden = t.Shape[0]
	}
	if t, ok := find("Encoder.Registers"); ok {
		if len(t.Shape) != 3 || t.Shape[1] == 0 {
			return s, fmt.Errorf("%s: expected the shape [1 registers %d], found %v", t.Name, s.Width, t.Shape)
		}
		s.Registers = t.Shape[1]
	}
	_, s.PreNorm = find("Encoder.PreNorm.Weight")
	norm, ok := find("Encoder.Norm.Weight")
	s.Norm = ok && !strings.HasSuffix(norm.Name, "fc_norm.weight")
	return s, nil
}

// readGrid finds the grid that the position embeddings are for, and which tokens before the patches have one.
func (s *Sizes) readGrid(find Finder, stated func(patch int) Grid) error {
	table, ok := find("Encoder.Positions")
	if !ok {
		return fmt.Errorf("holds no position embeddings, pos_embed or embeddings.position_embeddings")
	}
	if last := len(table.Shape) - 1; last == 1 || last == 2 {
		var own Grid
		if stated != nil {
			own = stated(s.Patch)
		}
		tokens := 0
		for _, there := range []bool{s.ClassToken, s.Distillation} {
			if there {
				tokens++
			}
		}
		rows := table.Shape[last-1]
		// Rows for the class token, for none before the patches, or for all. A file may hold one for a class token that it lacks.
		counts := []int{rows - tokens, rows, rows - tokens - s.Registers, rows - 1}
		found := func(g Grid) error {
			s.Grid = g
			s.RegisterPositions = s.Registers > 0 && g.Patches() == counts[2]
			return nil
		}
		if own.Patches() > 0 && slices.Contains(counts, own.Patches()) {
			return found(own)
		}
		for _, patches := range counts {
			if side := int(math.Round(math.Sqrt(float64(max(0, patches))))); side > 0 && side*side == patches {
				return found(Grid{side, side})
			}
		}
	}
	return fmt.Errorf("%s: expected positions of a square grid, [1 1+patches %d], found the shape %v: the number of patches tells no other grid, so give a config.json that states the image size",
		table.Name, s.Width, table.Shape)
}

// ReadStack reads the sizes of the blocks under a path.
func ReadStack(find Finder, path string) (Stack, error) {
	var s Stack
	for {
		if _, ok := find(path + "." + strconv.Itoa(s.Layers) + ".Norm1.Weight"); !ok {
			break
		}
		s.Layers++
	}
	if in, ok := find(path + ".0.In.Weight"); ok && s.Layers > 0 {
		if len(in.Shape) != 2 || in.Shape[1] == 0 || in.Shape[0] <= 3*in.Shape[1] {
			return s, fmt.Errorf("%s: expected the shape [hidden+3·width width], found %v", in.Name, in.Shape)
		}
		s.Parallel, s.Width, s.Hidden = true, in.Shape[1], in.Shape[0]-3*in.Shape[1]
		_, s.QKVBias = find(path + ".0.In.Bias")
		s.readOptions(find, path)
		return s, nil
	}
	fc1, ok := find(path + ".0.MLP.FC1.Weight")
	if s.Layers == 0 || !ok {
		return s, fmt.Errorf("holds no transformer block that Fovea knows: expected blocks.0.norm1.weight and blocks.0.mlp.fc1.weight, or their names at Hugging Face")
	}
	if len(fc1.Shape) != 2 || fc1.Len() == 0 {
		return s, fmt.Errorf("%s: expected a matrix, found the shape %v", fc1.Name, fc1.Shape)
	}
	s.Hidden, s.Width = fc1.Shape[0], fc1.Shape[1]
	fc2, ok := find(path + ".0.MLP.FC2.Weight")
	s.Gated = separate(fc1) || ok && len(fc2.Shape) == 2 && 2*fc2.Shape[1] == s.Hidden
	if s.Gated && !separate(fc1) {
		s.Hidden /= 2
	}
	_, s.QKVBias = find(path + ".0.Attention.QKV.Bias")
	_, s.NoKeyBias = find(path + ".0.Attention.QVBias")
	s.QKVBias = s.QKVBias || s.NoKeyBias
	s.readOptions(find, path)
	return s, nil
}

// readOptions reads what single tensors of the first block tell.
func (s *Stack) readOptions(find Finder, path string) {
	_, s.QKNorm = find(path + ".0.Attention.QueryNorm.Weight")
	_, s.LayerScale = find(path + ".0.LayerScale1")
	_, s.AttentionNorm = find(path + ".0.Attention.Norm.Weight")
	_, s.MLPNorm = find(path + ".0.MLP.Norm.Weight")
	for {
		if _, ok := find(fmt.Sprintf("%s.0.Beside.%d.Norm1.Weight", path, max(0, s.Branches-1))); !ok {
			return
		}
		s.Branches = max(1, s.Branches) + 1
	}
}

// separate reports whether the first projection of a feed-forward layer is one of two in a file, that of a gate.
func separate(fc1 checkpoint.Tensor) bool {
	return strings.HasSuffix(fc1.Name, "fc1_g.weight") || strings.HasSuffix(fc1.Name, "gate_proj.weight")
}

// WantConfig returns an error for weights under Hugging Face's names. They come with a config.json, which states the
// number of heads and the epsilon; these are not guessed where they can be read.
func WantConfig(find Finder) error {
	if t, ok := find("Encoder.Patch.Weight"); ok && strings.Contains(t.Name, "embeddings.patch_embeddings.") {
		return fmt.Errorf("the tensors have Hugging Face's names, which come with a config.json: put it beside the weights: %w", fs.ErrNotExist)
	}
	return nil
}

// Heads returns the number of attention heads of the published encoders of a width, which no weight tells: 64
// values a head, and 16 heads in the large ones, from So400m to Gigantic.
func Heads(width int) (int, error) {
	switch width {
	case 1152, 1280, 1408, 1664:
		return 16, nil
	}
	if width%64 != 0 || width == 0 {
		return 0, fmt.Errorf("the weights do not tell the number of attention heads, and a width of %d is no multiple of 64: give a config.json with it", width)
	}
	return width / 64, nil
}
