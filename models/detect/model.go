package detect

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// Network is the part of a detector that differs from one to another: a *[FastestDet], *[FCOS], *[RetinaNet],
// *[FasterRCNN], *[YOLOv1], *[CenterNet], *[Darknet], *[DETR], *[YOLOS] or *[RTDETR].
type Network interface {
	// find returns the candidates in images of any size, with scores above the least of the limits.
	find(t *autograd.Tape, images []*vision.Image, l limits) []candidates
	// defaults are those of Options.
	defaults() limits
	// batch is the number of images that are searched at once.
	batch() int
}

// Model is a detector. Any number of goroutines may use it at once, as long as none changes its parameters.
type Model struct {
	Config  Config
	Network Network
	Classes int // number of classes
	// LabelsAssumed says that nothing named the classes, and that they are taken for COCO's because of their number.
	LabelsAssumed bool
	// NormEpsAssumed says that the weights were taken for torchvision's first ones because of the names of their tensors. The
	// backbone's normalizations then have no epsilon.
	NormEpsAssumed bool
	// PreprocessAssumed says that the folder of a [DETR], a [YOLOS] or an [RTDETR] did not tell how images are prepared. Its
	// Preprocess is then that of the released models.
	PreprocessAssumed bool

	// Options say which candidates are detections.
	Options Options
	// Workers runs Detect in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder. Small networks lose objects in Int8: package
	// nn/quant has figures of FastestDet. A layer whose weight has a limit (autograd.Parameter.LimitMath) stays more precise:
	// package nn/quant sets it by rule.
	Math simd.Math

	runner   *run.Runner
	training autograd.Arenas // of Prepare
}

// New returns a model with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. It panics when the
// configuration is not valid, or there are no classes.
func New(c Config, classes int, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("detect: " + err.Error())
	}
	if classes < 1 {
		panic("detect: a detector has at least one class")
	}
	return &Model{Config: c, Network: kindOf(c.ModelType).network(c, classes, rng), Classes: classes, Workers: simd.NewWorkers(0), runner: run.New()}
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// Detect finds the objects in each image, in the order of the images, which may have any size. ctx ends it between blocks
// and batches with an error that matches the context's; the model stays usable. It is safe for concurrent use.
//
// It returns an error for an image without pixels, which it names by its position.
func (m *Model) Detect(ctx context.Context, images ...image.Image) ([]Detections, error) {
	limits := m.Options.or(m.Network.defaults())
	labels := m.Config.LabelsOf(m.Classes)
	found := make([]Detections, 0, len(images))
	err := run.OverSizes(ctx, m.runner, m.tape(), images, func(image.Image) int { return 1 }, m.Network.batch(), func(t *autograd.Tape, some []image.Image, first int) error {
		batch := make([]*vision.Image, len(some))
		for i, img := range some {
			var err error
			if batch[i], err = vision.FromImage(img); err == nil {
				err = preparable(m.Network, batch[i])
			}
			if err != nil {
				return &vision.BatchError{Index: first + i, Err: err}
			}
		}
		for _, c := range m.Network.find(t, batch, limits) {
			found = append(found, c.detections(limits, labels))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	return found, nil
}

// Labels returns the names of the classes. One without a name is called LABEL_0 and so on.
func (m *Model) Labels() []string { return m.Config.LabelsOf(m.Classes) }

// SetLabels names the classes. LabelsAssumed is then false.
func (m *Model) SetLabels(labels []string) error {
	if len(labels) != m.Classes {
		return fmt.Errorf("detect: expected the names of %d classes, found %d", m.Classes, len(labels))
	}
	m.Config.Classes, m.LabelsAssumed = models.Classes{}, false
	m.Config.SetLabels(labels)
	return nil
}
