// Package run takes a trained model over many inputs, a batch at a time.
//
//	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: 3}
//	logits, err := run.Rows(ctx, m.runner, m.tape(), images, in, m.Forward) // a row for each image
//
// What every task of every model needs stands here once: the tape, its memory, batches, the context, and the errors
// that name an input by its position. [Over] serves inputs of any type, and [OverSizes] those of different sizes. [Images]
// prepares images first, and [Rows] also collects a row of values for each. [Confusion] and [DataRows] do so for a data set.
package run

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// Batch is how many inputs run at once: enough to fill the cores, few enough to stay small.
const Batch = 16

// Runner lends the memory of tapes to a model's calls. Any number of goroutines may use one at once. As many passes
// as there are cores (GOMAXPROCS, or the processors if these are fewer) run at once; others wait in the order in which
// they came.
type Runner struct {
	turns  turns
	arenas autograd.Arenas
}

// New returns a Runner.
func New() *Runner { return &Runner{} }

// Bytes returns how much memory is kept for the next passes.
func (r *Runner) Bytes() int { return r.arenas.Bytes() }

// Over calls pass with the inputs in order, up to [Batch] at a time, and the position of the first of them. Each call
// gets a tape of the options o, with an arena of r, which is reset afterwards: values leave it by copying. pass must not call
// the model's tasks, which would wait for its turn to end.
//
// ctx ends it between segments and batches. The error is the context's, an *autograd.ShapeError that pass panicked
// with, or the one that pass returned. Other panics continue; the tape's memory is given back in every case.
func Over[T any](ctx context.Context, r *Runner, o autograd.Options, inputs []T, pass func(t *autograd.Tape, some []T, first int) error) error {
	return OverSizes(ctx, r, o, inputs, func(T) int { return 1 }, Batch, pass)
}

// OverSizes is [Over] for inputs of different sizes, such as texts in tokens: as many run at once as have at most the total
// size most, or one that is larger.
func OverSizes[T any](ctx context.Context, r *Runner, o autograd.Options, inputs []T, size func(T) int, most int, pass func(t *autograd.Tape, some []T, first int) error) error {
	for first := 0; first < len(inputs); {
		end, total := first+1, size(inputs[first])
		for end < len(inputs) && total+size(inputs[end]) <= most {
			total += size(inputs[end])
			end++
		}
		some := inputs[first:end]
		if err := r.pass(ctx, o, func(t *autograd.Tape) error { return pass(t, some, first) }); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// pass runs f when it is its turn.
func (r *Runner) pass(ctx context.Context, o autograd.Options, f func(t *autograd.Tape) error) error {
	if r.turns.take(ctx) {
		defer r.turns.leave()
	}
	arena := r.arenas.Get()
	defer r.arenas.Put(arena)
	o.Arena, o.Context = arena, ctx
	tape := autograd.NewTape(o)
	return tape.Try(func() error { return f(tape) }) // the context's error, where it has ended the wait
}

// ImageInput says which pixels a model takes.
type ImageInput struct {
	Preprocess *vision.Preprocess
	Channels   int
	// Height and Width, when they are not 0, are those of the only images that the model takes.
	Height, Width int
	// Patch, when it is not 0, divides every height and width that the model takes.
	Patch int
}

// check returns an error for pixels of a size that the model does not take.
func (in *ImageInput) check(height, width int) error {
	switch {
	case in.Height != 0 && (width != in.Width || height != in.Height):
		return fmt.Errorf("preprocessing gives %d×%d pixels, the model takes %d×%d", width, height, in.Width, in.Height)
	case in.Patch != 0 && (width%in.Patch != 0 || height%in.Patch != 0 || width < in.Patch || height < in.Patch):
		return fmt.Errorf("preprocessing gives %d×%d pixels, expected multiples of the patch size %d", width, height, in.Patch)
	}
	return nil
}

// Images prepares images of any size and calls pass with the pixels of a batch, [n, channels, height, width], as [Over] does.
//
// It returns an error for a model of other channels than the Preprocess gives, for an image without pixels, and for a Preprocess whose
// output the model does not take.
func Images(ctx context.Context, r *Runner, o autograd.Options, images []image.Image, in ImageInput, pass func(pixels *autograd.Tensor, first int) error) error {
	switch have := in.Preprocess.Channels(); {
	case in.Channels == 1 && have == 3:
		return errors.New("images are prepared with 3 channels, the model takes 1: set Preprocess.Gray, with one mean and one deviation for all channels")
	case in.Channels != have:
		return fmt.Errorf("images are prepared with %d channels, the model takes %d", have, in.Channels)
	}
	var pixels []float32 // of one batch after the other
	return Over(ctx, r, o, images, func(t *autograd.Tape, some []image.Image, first int) error {
		var height, width int
		var err error
		if pixels, height, width, err = in.Preprocess.Pixels(pixels, o.Workers, some...); err != nil {
			if one := (*vision.BatchError)(nil); errors.As(err, &one) {
				err = &vision.BatchError{Index: first + one.Index, Err: one.Err}
			}
			return err
		}
		if err := in.check(height, width); err != nil {
			return err
		}
		return pass(t.Input(pixels, len(some), in.Channels, height, width), first)
	})
}

// Rows prepares images as [Images] does and gives each batch to forward, whose result is [n, width]. It returns the row
// of each image.
func Rows(ctx context.Context, r *Runner, o autograd.Options, images []image.Image, in ImageInput, forward func(pixels *autograd.Tensor) *autograd.Tensor) ([][]float32, error) {
	rows := make([][]float32, 0, len(images))
	err := Images(ctx, r, o, images, in, func(pixels *autograd.Tensor, _ int) error {
		rows = AppendRows(rows, forward(pixels))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// AppendRows appends copies of the rows of a tensor, [n, width].
func AppendRows(rows [][]float32, t *autograd.Tensor) [][]float32 {
	return slices.AppendSeq(rows, slices.Chunk(t.Floats(nil), t.Dim(1)))
}
