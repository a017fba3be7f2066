package nn

import "github.com/fovea-ml/fovea/autograd"

// FPN is a feature pyramid network (Lin et al., arXiv 1612.03144; torchvision/ops/feature_pyramid_network.py). A 1×1
// convolution brings each level to the same number of channels. From the coarsest level on, each is enlarged by nearest
// neighbor and added to the next finer one. A 3×3 convolution smooths each sum.
//
// Coarser levels may follow: one by Pool, or two by P6 and P7.
type FPN struct {
	Inner []*Conv2d // 1×1, one a level, finest first
	Layer []*Conv2d // 3×3, one a level
	// InnerNorm and LayerNorm normalize the results of the convolutions, or are nil. The convolutions then have no biases in
	// torchvision.
	InnerNorm, LayerNorm []*BatchNorm
	// P6 and P7 are 3×3 convolutions of stride 2, or nil: of RetinaNet (arXiv 1708.02002) and FCOS. P6 takes the coarsest
	// level of the pyramid when it has as many inputs as that has channels, and otherwise that of the backbone. A ReLU lies
	// between the two.
	P6, P7 *Conv2d
	Pool   bool // adds every second pixel of the coarsest level as a level, as Faster R-CNN does
}

// NewFPN returns a pyramid of zeros over levels of the given channels, finest first.
func NewFPN(in []int, out int) *FPN {
	f := &FPN{}
	for _, c := range in {
		f.Inner = append(f.Inner, NewConv2d(c, out, 1, true, autograd.Conv2dOptions{}))
		f.Layer = append(f.Layer, NewConv2d(out, out, 3, true, autograd.Conv2dOptions{Padding: [2]int{1, 1}}))
	}
	return f
}

// AddP6P7 adds two levels by convolutions, of zeros. in is the number of channels that P6 takes: those of the pyramid, or of
// the coarsest level of the backbone.
func (f *FPN) AddP6P7(in int) {
	out := f.channels()
	half := autograd.Conv2dOptions{Padding: [2]int{1, 1}, Stride: [2]int{2, 2}}
	f.P6, f.P7 = NewConv2d(in, out, 3, true, half), NewConv2d(out, out, 3, true, half)
}

// AddNorms puts a batch normalization behind each convolution of the levels, and takes their biases away.
func (f *FPN) AddNorms() {
	for i, inner := range f.Inner {
		f.InnerNorm, f.LayerNorm = append(f.InnerNorm, NewBatchNorm(f.channels(), true)), append(f.LayerNorm, NewBatchNorm(f.channels(), true))
		inner.Bias, f.Layer[i].Bias = nil, nil
	}
}

// normed normalizes level i, where there are norms.
func normed(x *autograd.Tensor, norms []*BatchNorm, i int) *autograd.Tensor {
	if len(norms) == 0 {
		return x
	}
	return norms[i].Forward(x)
}

func (f *FPN) channels() int { return f.Layer[0].Weight.Shape()[0] }

// Forward maps the levels of a backbone, [n, in, h, w], finest first, to as many levels [n, out, h, w], and those that
// follow. It panics with an autograd.ShapeError when the pyramid has another number of levels.
func (f *FPN) Forward(levels []*autograd.Tensor) []*autograd.Tensor {
	if len(levels) != len(f.Inner) {
		panic(&autograd.ShapeError{Op: "fpn", Shapes: [][]int{{len(levels)}, {len(f.Inner)}}, Reason: "expected as many levels"})
	}
	out := make([]*autograd.Tensor, len(levels))
	var top *autograd.Tensor
	for i := len(levels) - 1; i >= 0; i-- {
		lateral := normed(f.Inner[i].Forward(levels[i]), f.InnerNorm, i)
		if top == nil {
			top = lateral
		} else {
			up := autograd.Resize2d(top, lateral.Dim(2), lateral.Dim(3), autograd.ResizeOptions{Mode: autograd.Nearest})
			top = autograd.Add(lateral, up)
		}
		out[i] = normed(f.Layer[i].Forward(top), f.LayerNorm, i)
	}
	last := len(levels) - 1
	if f.Pool {
		out = append(out, autograd.MaxPool2d(out[last], autograd.PoolOptions{Kernel: [2]int{1, 1}, Stride: [2]int{2, 2}}))
	}
	if f.P6 != nil {
		from := levels[last]
		if f.P6.Weight.Shape()[1] == f.channels() {
			from = out[last]
		}
		p6 := f.P6.Forward(from)
		out = append(out, p6, f.P7.Forward(autograd.Relu(p6)))
	}
	return out
}
