package nn

import "github.com/fovea-ml/fovea/autograd"

// ConvTranspose2d is a transposed convolution over [n, in, height, width], which makes features larger.
type ConvTranspose2d struct {
	Weight *autograd.Parameter // [in, out/groups, kernel, kernel]
	Bias   *autograd.Parameter // [out], or nil
	autograd.ConvTranspose2dOptions
}

// NewConvTranspose2d returns a layer of zeros with a square kernel. A kernel of twice the stride, and a padding of half the
// stride, make an image that many times as large. The numbers of channels are multiples of o.Groups. Forward panics with an
// autograd.ShapeError otherwise.
func NewConvTranspose2d(in, out, kernel int, bias bool, o autograd.ConvTranspose2dOptions) *ConvTranspose2d {
	c := &ConvTranspose2d{Weight: autograd.NewParameter(in, out/max(1, o.Groups), kernel, kernel), ConvTranspose2dOptions: o}
	if bias {
		c.Bias = autograd.NewParameter(out)
	}
	return c
}

// Forward maps [n, in, h, w] to [n, out, h', w']. autograd.ConvTranspose2d gives h' and w'.
func (c *ConvTranspose2d) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.ConvTranspose2d(x, c.Weight, c.Bias, c.ConvTranspose2dOptions)
}

// DeformConv2d is a deformable convolution, version 2 (Zhu et al., arXiv 1811.11168): another convolution of the same input
// says where each tap reads, and how much it counts.
type DeformConv2d struct {
	Offset *Conv2d             // to 3·kernel·kernel channels: the offsets down and right of each tap, and then the logits of the factors
	Weight *autograd.Parameter // [out, in, kernel, kernel]
	Bias   *autograd.Parameter // [out]
	Act    autograd.Activation // is applied to the result in the same pass
}

// NewDeformConv2d returns a layer of zeros with a square kernel of odd size, which keeps the size of the image. Offsets of
// zeros, as DCNv2 initializes them, read the places of a convolution, and count each tap half.
func NewDeformConv2d(in, out, kernel int) *DeformConv2d {
	o := autograd.Conv2dOptions{Padding: [2]int{kernel / 2, kernel / 2}}
	return &DeformConv2d{
		Offset: NewConv2d(in, 3*kernel*kernel, kernel, true, o),
		Weight: autograd.NewParameter(out, in, kernel, kernel), Bias: autograd.NewParameter(out),
	}
}

// Forward maps [n, in, h, w] to [n, out, h, w].
func (d *DeformConv2d) Forward(x *autograd.Tensor) *autograd.Tensor {
	points := d.Offset.Forward(x)
	taps := points.Dim(1) / 3
	offset, factor := autograd.Slice(points, 1, 0, 2*taps), autograd.Sigmoid(autograd.Slice(points, 1, 2*taps, 3*taps))
	o := d.Offset.Conv2dOptions
	o.Act = d.Act
	return autograd.DeformConv2d(x, offset, factor, d.Weight, d.Bias, o)
}
