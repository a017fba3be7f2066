package backbone

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// DLA is a network with deep layer aggregation (Yu et al., arXiv 1707.06484; timm/models/dla.py). Its levels are at strides
// 4, 8, 16 and 32.
type DLA struct {
	Stem   *nn.ConvNorm   // 7×7
	Levels []*nn.ConvNorm // two 3×3 convolutions, at strides 1 and 2
	Trees  []*Tree
}

// Tree is a tree of residual blocks (figure 3 of the paper): two halves, and a root that aggregates them, and whatever the
// parents hand down.
type Tree struct {
	Project *nn.ConvNorm // 1×1, of the residual of the first block; nil where the channels do not change
	First   *Block       // the two halves of a tree of depth 1; nil in a deeper one
	Second  *Block
	Root    *nn.ConvNorm // 1×1, over all that is aggregated
	Left    *Tree        // the two halves of a deeper tree, whose root is the right one's
	Right   *Tree

	pool bool // the tree halves the size
	root bool // the pooled input goes to the root too
}

// NewDLA returns a network of zeros, and gains of one. The configuration must be valid.
func NewDLA(c Config) *DLA {
	act := c.act()
	d := &DLA{Stem: nn.NewConvNorm(c.NumChannels, c.EmbeddingSize, 7, act, autograd.Conv2dOptions{Padding: [2]int{3, 3}})}
	in := c.EmbeddingSize
	for i, out := range c.HiddenSizes {
		if i < 2 {
			stride := i + 1
			d.Levels = append(d.Levels, nn.NewConvNorm(in, out, 3, act, autograd.Conv2dOptions{Padding: same, Stride: [2]int{stride, stride}}))
		} else {
			d.Trees = append(d.Trees, newTree(c.Depths[i], in, out, 0, 2, i > 2, act))
		}
		in = out
	}
	return d
}

// newTree returns a tree. passed is the number of channels that the parents hand to its root.
func newTree(depth, in, out, passed, stride int, root bool, act autograd.Activation) *Tree {
	t := &Tree{pool: stride > 1, root: root}
	if root {
		passed += in
	}
	if depth > 1 {
		t.Left = newTree(depth-1, in, out, 0, stride, false, act)
		t.Right = newTree(depth-1, out, out, passed+out, 1, false, act)
		return t
	}
	c := Config{LayerType: Basic}
	t.First, t.Second = newBlock(c, in, out, stride, [2]int{1, 1}, act), newBlock(c, out, out, 1, [2]int{1, 1}, act)
	t.First.Down = nil // Project is at its place, after a max pooling
	if in != out {
		t.Project = nn.NewConvNorm(in, out, 1, autograd.ActNone, autograd.Conv2dOptions{})
	}
	t.Root = nn.NewConvNorm(2*out+passed, out, 1, act, autograd.Conv2dOptions{})
	return t
}

// Channels returns the channels of the levels.
func (d *DLA) Channels() []int {
	var out []int
	for _, t := range d.Trees {
		for t.Right != nil {
			t = t.Right
		}
		out = append(out, t.Root.Conv.Weight.Shape()[0])
	}
	return out
}

// Forward maps pixels, [n, channels, h, w], to the features of the levels.
func (d *DLA) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	x := pixels.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor { return chain(d.Levels, d.Stem.Forward(x)) }, pixels)
	var levels []*autograd.Tensor
	for _, t := range d.Trees {
		x = x.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor { return t.Forward(x, nil) }, x)
		levels = append(levels, x.Keep())
	}
	return levels
}

// Forward maps [n, in, h, w], and what the parents hand to the root, to [n, out, h', w'].
func (t *Tree) Forward(x *autograd.Tensor, passed []autograd.Operand) *autograd.Tensor {
	bottom := x
	if t.pool {
		bottom = autograd.MaxPool2d(x, autograd.PoolOptions{Kernel: half, Stride: half})
	}
	if t.root {
		passed = append(passed, bottom)
	}
	if t.Left != nil {
		x = t.Left.Forward(x, nil)
		return t.Right.Forward(x, append(passed, x))
	}
	residual := bottom
	if t.Project != nil {
		residual = t.Project.Forward(bottom)
	}
	first := t.First.Convs[1].ForwardAdd(t.First.Convs[0].Forward(x), residual)
	second := t.Second.Forward(first)
	return t.Root.Forward(autograd.Concat(1, append([]autograd.Operand{second, first}, passed...)...))
}

// dlaNames are the names of the parameters of a [DLA] in timm, in the release of its authors and, below "base", in
// CenterNet's files. depths are those of the trees.
func dlaNames(depths []int) []checkpoint.Rule {
	rules := []checkpoint.Rule{{"Stem.Conv", "base_layer.0"}, {"Stem.Norm", "base_layer.1"}}
	for i := range 2 {
		rules = append(rules, checkpoint.Rule{fmt.Sprintf("Levels.%d.Conv", i), fmt.Sprintf("level%d.0", i)},
			checkpoint.Rule{fmt.Sprintf("Levels.%d.Norm", i), fmt.Sprintf("level%d.1", i)})
	}
	for i, depth := range depths {
		rules = append(rules, checkpoint.Nest(fmt.Sprintf("Trees.%d", i), []string{fmt.Sprintf("level%d", i+2)}, treeNames(depth, true)...)...)
	}
	return rules
}

// treeNames are the names in a tree. One whose input has as many channels as its output has no projection.
func treeNames(depth int, project bool) []checkpoint.Rule {
	if depth > 1 {
		left, right := treeNames(depth-1, project), treeNames(depth-1, false)
		return append(checkpoint.Nest("Left", []string{"tree1"}, left...), checkpoint.Nest("Right", []string{"tree2"}, right...)...)
	}
	rules := []checkpoint.Rule{
		{"First.Convs.{}.Conv", "tree1.conv{+1}"},
		{"First.Convs.{}.Norm", "tree1.bn{+1}"},
		{"Second.Convs.{}.Conv", "tree2.conv{+1}"},
		{"Second.Convs.{}.Norm", "tree2.bn{+1}"},
		{"Root.Conv", "root.conv"},
		{"Root.Norm", "root.bn"},
	}
	if project {
		rules = append(rules, checkpoint.Rule{"Project.Conv", "project.0"}, checkpoint.Rule{"Project.Norm", "project.1"})
	}
	return rules
}
