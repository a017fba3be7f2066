package clip

import (
	"strings"

	"github.com/fovea-ml/fovea/models/internal/tower"
)

// stack is the part of a tower that layer-wise decay counts.
type stack struct {
	tower  string // the path of the tower
	blocks string // the path of its blocks
	count  int
	before []string // the paths of what lies before the blocks
}

// stacks returns those of both towers, as far as they are known.
func (m *Model) stacks() []stack {
	var s []stack
	embedding := func(encoder string) []string {
		return []string{encoder + ".Patch", encoder + ".ClassToken", encoder + ".Positions", encoder + ".PreNorm"}
	}
	switch v := m.Vision.(type) {
	case *VisionTransformer:
		s = append(s, stack{"Vision", "Vision.Encoder.Blocks", len(v.Encoder.Blocks), embedding("Vision.Encoder")})
	case *SigLIP:
		s = append(s, stack{"Vision", "Vision.Encoder.Blocks", len(v.Encoder.Blocks), embedding("Vision.Encoder")})
	case *NaFlex:
		s = append(s, stack{"Vision", "Vision.Blocks", len(v.Blocks), embedding("Vision")})
	case *ResNet:
		s = append(s, stack{"Vision", "Vision.Stages", len(v.Stages), []string{"Vision.Stem"}})
	}
	switch x := m.Text.(type) {
	case *TextTransformer:
		s = append(s, stack{"Text", "Text.Blocks", len(x.Blocks), []string{"Text.Tokens", "Text.Positions"}})
	case *BERT:
		s = append(s, stack{"Text", "Text.Encoder.Layers", len(x.Encoder.Layers), []string{"Text.Encoder.Embeddings"}})
	}
	return s
}

// Layers returns the number of blocks of the deeper tower: train.GroupOptions.Layers for [Model.Layer]. The four stages
// of a ResNet count as blocks.
func (m *Model) Layers() int {
	n := 0
	for _, s := range m.stacks() {
		n = max(n, s.count)
	}
	return n
}

// Layer returns the layer of a parameter for layer-wise learning-rate decay, by a path that nn.Parameters yields. The
// last blocks of both towers have one number, [Model.Layers], and what follows them the next. Blocks count down from
// there, and the embeddings of a tower follow its first block. The method serves as train.GroupOptions.Layer.
func (m *Model) Layer(path string) int {
	depth := m.Layers()
	for _, s := range m.stacks() {
		if strings.HasPrefix(path, s.tower+".") {
			return depth - s.count + tower.Layer(path, s.blocks, s.count, s.before...)
		}
	}
	return depth + 1
}

// NoDecay reports whether a parameter is trained without weight decay although it has several dimensions: the class
// token, which is a vector in other libraries. path is one that nn.Parameters yields. The method serves as
// train.GroupOptions.NoDecay.
func (m *Model) NoDecay(path string) bool { return path == "Vision.Encoder.ClassToken" }
