package detect

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// TestTruth gives every loss objects that it takes, and objects that it refuses by image and number.
func TestTruth(t *testing.T) {
	const classes = 3
	box, nan := Box{X0: 4, Y0: 4, X1: 40, Y1: 40}, float32(math.NaN())
	one := func(b Box, class int) Truth { return Truth{Boxes: []Box{b}, Classes: []int{class}} }
	cases := []struct {
		second Truth // of the second image
		want   string
	}{
		{one(box, 2), ""},
		{Truth{}, ""},
		{one(box, classes), "image 1, object 0: expected a class from"},
		{one(box, -1), "image 1, object 0: expected a class from"},
		{Truth{Boxes: []Box{box, box}, Classes: []int{1, 99}}, "image 1, object 1: expected a class from"},
		{Truth{Boxes: []Box{box, box}, Classes: []int{1}}, "image 1: expected as many classes as boxes, found 1 and 2"},
		{Truth{Boxes: []Box{box}, Classes: []int{1, 2}}, "image 1: expected as many classes as boxes, found 2 and 1"},
		{one(Box{X0: 40, Y0: 4, X1: 4, Y1: 40}, 1), "image 1, object 0: expected a box"},
		{one(Box{X0: 4, Y0: 4, X1: 4, Y1: 40}, 1), "image 1, object 0: expected a box"},
		{one(Box{X0: nan, Y0: 4, X1: 40, Y1: 40}, 1), "image 1, object 0: expected a box"},
	}
	for _, c := range []Config{FCOSResNet50(), RetinaNetResNet50(), FasterRCNNResNet50()} {
		network := New(tiny(c), classes, rand.New(rand.NewPCG(1, 2))).Network
		loss := func(truth ...Truth) error {
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
			return tape.Try(func() error {
				pixels := tape.Input(make([]float32, 2*3*64*64), 2, 3, 64, 64)
				switch d := network.(type) {
				case *FCOS:
					d.Loss(pixels, truth)
				case *RetinaNet:
					d.Loss(pixels, truth)
				case *FasterRCNN:
					d.Loss(pixels, [][2]int{{64, 64}, {64, 64}}, truth, rand.New(rand.NewPCG(1, 2)))
				}
				return nil
			})
		}
		for i, each := range cases {
			err := loss(one(box, 1), each.second)
			var shape *autograd.ShapeError
			if each.want == "" && err != nil || each.want != "" && (!errors.As(err, &shape) || !strings.Contains(err.Error(), each.want)) {
				t.Errorf("%s, case %d: expected %q, found %v", c.ModelType, i, each.want, err)
			}
		}
		background := c.ModelType == rcnnType
		if err := loss(one(box, 0), Truth{}); background != (err != nil) {
			t.Errorf("%s: class 0: found %v", c.ModelType, err)
		}
	}
}
