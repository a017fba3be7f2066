package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// planes are the pixels of an image as a network takes it, [3, height, width].
type planes struct {
	pixels        []float32
	height, width int
}

// batched puts images into the upper left corners of a batch, [n, 3, h, w], with zeros right of them and below. A
// number divides h and w. It reuses the memory of dst.
func batched(dst []float32, images []planes, multiple int) (pixels []float32, h, w int) {
	for _, p := range images {
		h, w = max(h, p.height), max(w, p.width)
	}
	h, w = (h+multiple-1)/multiple*multiple, (w+multiple-1)/multiple*multiple
	size := len(images) * 3 * h * w
	pixels = slices.Grow(dst[:0], size)[:size]
	clear(pixels)
	for i, p := range images {
		for line := range 3 * p.height {
			c, y := line/p.height, line%p.height
			copy(pixels[((i*3+c)*h+y)*w:], p.pixels[line*p.width:][:p.width])
		}
	}
	return pixels, h, w
}

// input is an image as a network takes it.
type input struct {
	planes
	// A point of the image lies at scale · point + offset of the pixels, x before y.
	scale, offset [2]float64
}

// stretched is an input that covers its pixels with the whole image.
func stretched(pixels []float32, height, width int, m *vision.Image) input {
	return input{planes: planes{pixels, height, width},
		scale: [2]float64{float64(width) / float64(m.Width), float64(height) / float64(m.Height)}}
}

// Prepared is an image with its objects as a network takes it.
type Prepared struct {
	Pixels        []float32 // [3, Height, Width]
	Height, Width int
	Truth         Truth // boxes in these pixels
}

// leastObject is the side in pixels of the network's input below which an object does not count in training.
const leastObject = 1

// Prepare prepares an image and the objects in it for training, as [Model.Detect] prepares an image. size is the side
// of the square to which the network stretches images, or else the length of the shorter side; the limit of the longer
// one changes in proportion. 0 means that of Config.
//
// The classes of the objects are numbers of the model: [Model.ClassesOf] gives them. Crowds do not count. Boxes are cut to the
// image; what then has a side of less than a pixel does not count. The image stays as it is.
//
// It returns an error for a network without a loss, for an image without pixels, for a size that the network does not
// take, for a class that the model does not have, and for more than 4,096 objects in an image for an RT-DETR with
// denoising.
func (m *Model) Prepare(img *vision.Image, objects []boxes.Object, size int) (Prepared, error) {
	n, err := m.trainable()
	if err == nil {
		err = img.Validate()
	}
	if err == nil {
		err = preparable(m.Network, img)
	}
	if err == nil {
		err = m.checkSize(size)
	}
	if err != nil {
		return Prepared{}, fmt.Errorf("detect: prepare: %w", err)
	}
	arena := m.training.Get()
	defer m.training.Put(arena)
	tape := autograd.NewTape(autograd.Options{Arena: arena})
	var in input
	if err := tape.Try(func() error { in = n.input(tape, img, size); return nil }); err != nil {
		return Prepared{}, fmt.Errorf("detect: prepare: %w", err)
	}
	p := Prepared{Pixels: in.pixels, Height: in.height, Width: in.width}
	for i, o := range objects {
		if o.Label < n.background() || o.Label >= m.Classes {
			return Prepared{}, fmt.Errorf("detect: prepare: object %d: expected a class from %d to %d, found %d", i, n.background(), m.Classes-1, o.Label)
		}
		if o.Crowd {
			continue
		}
		x := func(v float64) float32 {
			return float32(in.offset[0] + float64(in.scale[0]*min(max(v, 0), float64(img.Width))))
		}
		y := func(v float64) float32 {
			return float32(in.offset[1] + float64(in.scale[1]*min(max(v, 0), float64(img.Height))))
		}
		b := Box{X0: x(o.Box.X0), Y0: y(o.Box.Y0), X1: x(o.Box.X1), Y1: y(o.Box.Y1)}.Clip(float32(in.width), float32(in.height))
		if !(b.X1-b.X0 >= leastObject && b.Y1-b.Y0 >= leastObject) { // also for NaN
			continue
		}
		p.Truth.Boxes, p.Truth.Classes = append(p.Truth.Boxes, b), append(p.Truth.Classes, o.Label)
	}
	if d, ok := m.Network.(*RTDETR); ok && d.config.NumDenoising > 0 && len(p.Truth.Boxes) > maxDenoising {
		return Prepared{}, fmt.Errorf("detect: prepare: expected at most %d objects in an image, which denoising repeats, found %d", maxDenoising, len(p.Truth.Boxes))
	}
	return p, nil
}

// checkSize returns an error for a size of images that the network does not take in training. 0 is that of the configuration.
func (m *Model) checkSize(size int) error {
	if size == 0 {
		return nil
	}
	return kindOf(m.Config.ModelType).fits(m.Config, size)
}

// trainable returns the network, or an error when it has no loss.
func (m *Model) trainable() (Trainable, error) {
	if n, ok := m.Network.(Trainable); ok {
		return n, nil
	}
	return nil, fmt.Errorf("the model_type %s has no loss", m.Config.ModelType)
}

// Losses returns the parts of the loss of a batch, as [Trainable] says. It returns an error for a network without a loss.
func (m *Model) Losses(b Batch, rng *rand.Rand) (Losses, error) {
	n, err := m.trainable()
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	return n.Losses(b, rng), nil
}

// backgroundLabel is the name of torchvision's class 0.
const backgroundLabel = "__background__"

// NewHead draws the layers anew that depend on the classes, for objects with the given names; all others keep their
// weights. Faster R-CNN gets a class for the background before them. The new parameters are not frozen, also where the
// old ones were. Make optimizers afterwards: they would still hold the old ones. It panics without labels or rng.
//
// It returns an error for a network without a loss, and for a name that is given twice.
func (m *Model) NewHead(labels []string, rng *rand.Rand) error {
	if len(labels) == 0 || rng == nil {
		panic("detect: a new head needs labels and a random number generator")
	}
	n, err := m.trainable()
	if err != nil {
		return fmt.Errorf("detect: new head: %w", err)
	}
	for i, name := range labels {
		if first := slices.Index(labels, name); first < i {
			return fmt.Errorf("detect: new head: the classes %d and %d have the same name, %q", first, i, name)
		}
	}
	all := append(slices.Repeat([]string{backgroundLabel}, n.background()), labels...)
	n.newHead(len(all), rng)
	nn.LimitAdded(m.Network)
	m.Classes, m.LabelsAssumed = len(all), false
	m.Config.Classes = models.Classes{}
	m.Config.SetLabels(all)
	return nil
}

// ClassesOf returns the numbers of the classes with the given names, such as those of a data set. The error lists the
// names that the model does not have.
func (m *Model) ClassesOf(names []string) ([]int, error) {
	labels := m.Labels()
	classes := make([]int, len(names))
	var missing []string
	for i, name := range names {
		if classes[i] = slices.Index(labels, name); classes[i] < 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("detect: the model has no class named %q: NewHead makes new classes", missing)
	}
	return classes, nil
}
