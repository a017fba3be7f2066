package run

import (
	"context"
	"errors"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// TestOver divides inputs into batches, and ends at the first error.
func TestOver(t *testing.T) {
	inputs := make([]int, 2*Batch+3)
	for i := range inputs {
		inputs[i] = i
	}
	var seen, firsts []int
	err := Over(context.Background(), New(), autograd.Options{}, inputs, func(t *autograd.Tape, some []int, first int) error {
		seen, firsts = append(seen, some...), append(firsts, first)
		return nil
	})
	if err != nil || !slices.Equal(seen, inputs) || !slices.Equal(firsts, []int{0, Batch, 2 * Batch}) {
		t.Errorf("found %v from %v, %v", seen, firsts, err)
	}
	broken := errors.New("broken")
	calls := 0
	err = Over(context.Background(), New(), autograd.Options{}, inputs, func(*autograd.Tape, []int, int) error { calls++; return broken })
	if !errors.Is(err, broken) || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	if err := Over(context.Background(), New(), autograd.Options{}, nil, func(*autograd.Tape, []int, int) error { return broken }); err != nil {
		t.Errorf("no inputs: %v", err)
	}
}

// TestOverErrors turns a shape panic and the end of a context into errors, lets other panics pass, and gives the
// memory back each time.
func TestOverErrors(t *testing.T) {
	r := New()
	own := r.arenas.Get()
	r.arenas.Put(own)
	ctx, cancel := context.WithCancel(context.Background())
	over := func(pass func(t *autograd.Tape) error) error {
		return Over(ctx, r, autograd.Options{}, []int{1}, func(t *autograd.Tape, _ []int, _ int) error { return pass(t) })
	}
	var shape *autograd.ShapeError
	if err := over(func(t *autograd.Tape) error { t.Input(nil, 1); return nil }); !errors.As(err, &shape) {
		t.Errorf("a shape that does not fit: %v", err)
	}
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic did not pass")
			}
		}()
		over(func(*autograd.Tape) error { panic("mine") })
	}()
	cancel()
	called := false
	if err := over(func(*autograd.Tape) error { called = true; return nil }); !errors.Is(err, context.Canceled) || called {
		t.Errorf("a context that has ended: %v", err)
	}
	if r.arenas.Get() != own {
		t.Error("a call did not give its memory back")
	}
}

// TestImages hands out pixels of the model's size, and names what does not fit.
func TestImages(t *testing.T) {
	half := vision.Half(8)
	images := []image.Image{image.NewGray(image.Rect(0, 0, 5, 9)), image.NewRGBA(image.Rect(0, 0, 40, 30))}
	var shape []int
	images3 := ImageInput{Preprocess: &half, Channels: 3, Height: 8, Width: 8, Patch: 4}
	err := Images(context.Background(), New(), autograd.Options{}, images, images3, func(pixels *autograd.Tensor, first int) error {
		shape = append(slices.Clone(pixels.Shape()), first)
		return nil
	})
	if err != nil || !slices.Equal(shape, []int{2, 3, 8, 8, 0}) {
		t.Errorf("found %v, %v", shape, err)
	}
	high := ImageInput{Preprocess: &vision.Preprocess{Height: 8, Width: 4}, Channels: 3, Patch: 4}
	err = Images(context.Background(), New(), autograd.Options{}, images, high, func(pixels *autograd.Tensor, first int) error {
		shape = append(slices.Clone(pixels.Shape()), first)
		return nil
	})
	if err != nil || !slices.Equal(shape, []int{2, 3, 8, 4, 0}) {
		t.Errorf("higher than wide: found %v, %v", shape, err)
	}
	for want, c := range map[string]struct {
		in     ImageInput
		images []image.Image
	}{
		"images are prepared with 3 channels, the model takes 1":                  {ImageInput{Preprocess: &half, Channels: 1}, images},
		"vision: image 1: image of 0×0 pixels":                                    {images3, []image.Image{images[0], image.NewGray(image.Rectangle{})}},
		"preprocessing gives 8×8 pixels, the model takes 16×16":                   {ImageInput{Preprocess: &half, Channels: 3, Height: 16, Width: 16}, images},
		"preprocessing gives 8×8 pixels, expected multiples of the patch size 3":  {ImageInput{Preprocess: &half, Channels: 3, Patch: 3}, images},
		"preprocessing gives 8×8 pixels, expected multiples of the patch size 16": {ImageInput{Preprocess: &half, Channels: 3, Patch: 16}, images},
		"vision: image 20: image of 0×0 pixels":                                   {images3, append(slices.Repeat(images[:1], 20), image.NewGray(image.Rectangle{}))},
	} {
		err := Images(context.Background(), New(), autograd.Options{}, c.images, c.in, func(*autograd.Tensor, int) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// TestRows returns a row for each image of several batches, in order, and no rows with an error.
func TestRows(t *testing.T) {
	half := vision.Half(2)
	in := ImageInput{Preprocess: &half, Channels: 3}
	var images []image.Image
	for i := range Batch + 3 {
		m := image.NewGray(image.Rect(0, 0, 2, 2))
		m.Pix = slices.Repeat([]byte{uint8(i)}, 4)
		images = append(images, m)
	}
	forward := func(x *autograd.Tensor) *autograd.Tensor { return autograd.Reshape(x, x.Dim(0), -1) }
	rows, err := Rows(context.Background(), New(), autograd.Options{}, images, in, forward)
	if err != nil || len(rows) != len(images) {
		t.Fatalf("found %d rows, %v", len(rows), err)
	}
	for i, row := range rows {
		if want := (float32(i)/255 - 0.5) / 0.5; len(row) != 12 || row[0] < want-1e-6 || row[0] > want+1e-6 {
			t.Errorf("row %d: expected 12 values of %v, found %v", i, want, row)
		}
	}
	images[Batch+1] = image.NewGray(image.Rectangle{})
	if rows, err := Rows(context.Background(), New(), autograd.Options{}, images, in, forward); err == nil || rows != nil {
		t.Errorf("found %d rows, %v", len(rows), err)
	}
}
