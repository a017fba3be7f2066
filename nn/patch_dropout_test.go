package nn

import (
	"errors"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
)

// numbered returns tokens [n, length, 1] whose values are their positions in the batch.
func numbered(t *autograd.Tape, n, length int) *autograd.Tensor {
	values := make([]float32, n*length)
	for i := range values {
		values[i] = float32(i)
	}
	return t.Input(values, n, length, 1)
}

// TestPatchDropout keeps as many tokens as open_clip does, the first ones among them, each in its place.
func TestPatchDropout(t *testing.T) {
	for _, c := range []struct {
		length, first int
		p             float64
		kept          int
	}{
		{50, 1, 0.5, 24}, {50, 1, 0.75, 12}, {197, 1, 0.1, 176}, {49, 0, 0.5, 24}, {10, 0, 0.7, 3}, {3, 1, 0.9, 1}, {2, 1, 0.5, 1},
	} {
		tape := autograd.NewTape(autograd.Options{Training: true, Debug: true})
		y, places := PatchDropout(numbered(tape, 3, c.length), c.first, c.p)
		if want := []int{3, c.first + c.kept, 1}; !slices.Equal(y.Shape(), want) {
			t.Errorf("%+v: shape %v, expected %v", c, y.Shape(), want)
			continue
		}
		var chosen [][]float32
		for i, row := range slices.Collect(slices.Chunk(y.Floats(nil), c.first+c.kept)) {
			from := float32(i * c.length)
			for k := range c.first {
				if row[k] != from+float32(k) {
					t.Errorf("%+v: token %d of sequence %d is %v, expected %v", c, k, i, row[k], from+float32(k))
				}
			}
			if !slices.IsSorted(row) || len(slices.Compact(slices.Clone(row))) != len(row) || row[0] < from || row[len(row)-1] >= from+float32(c.length) {
				t.Errorf("%+v: sequence %d has the tokens %v, expected its own in order", c, i, row)
			}
			for k := range row {
				row[k] -= from
			}
			for k, place := range places[i*len(row) : (i+1)*len(row)] {
				if row[k] != float32(place) {
					t.Errorf("%+v: token %d of sequence %d is %v, but its place is %d", c, k, i, row[k], place)
				}
			}
			chosen = append(chosen, row)
		}
		if c.kept > 5 && slices.Equal(chosen[0], chosen[1]) {
			t.Errorf("%+v: two sequences keep the same tokens", c)
		}
	}
}

// TestPatchDropoutEvenly keeps every patch equally often.
func TestPatchDropoutEvenly(t *testing.T) {
	const n, length = 4000, 8
	tape := autograd.NewTape(autograd.Options{Training: true, Seed: 1})
	counts := make([]int, length)
	y, _ := PatchDropout(numbered(tape, n, length), 0, 0.5)
	for i, v := range y.Floats(nil) {
		counts[int(v)-i/4*length]++
	}
	for k, count := range counts { // 2,000 expected, with a deviation of 32
		if count < 1850 || count > 2150 {
			t.Errorf("patch %d was kept %d times of %d, expected about half", k, count, n)
		}
	}
}

func TestPatchDropoutGradients(t *testing.T) {
	x := autograd.NewParameter(2, 6, 3)
	x.Update(func(v []float32) {
		for i := range v {
			v[i] = float32(i%7) / 3
		}
	})
	err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
		y, _ := PatchDropout(t.Use(x), 1, 0.4)
		return []*autograd.Tensor{autograd.Square(y)}
	}, []*autograd.Parameter{x}, gradcheck.Options{Training: true})
	if err != nil {
		t.Error(err)
	}
	still := autograd.NewTape(autograd.Options{})
	x0 := numbered(still, 2, 6)
	if y, places := PatchDropout(x0, 1, 0.4); y != x0 || places != nil {
		t.Error("tokens were dropped on a tape that does not train")
	}
}

func TestPatchDropoutMistakes(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{Training: true})
	for name, f := range map[string]func(){
		"dimensions":    func() { PatchDropout(tape.Full(0, 2, 3), 0, 0.5) },
		"nothing left":  func() { PatchDropout(tape.Full(0, 2, 1, 3), 1, 0.5) },
		"a share of 1":  func() { PatchDropout(tape.Full(0, 2, 3, 3), 1, 1) },
		"negative":      func() { PatchDropout(tape.Full(0, 2, 3, 3), 1, -0.1) },
		"first below 0": func() { PatchDropout(tape.Full(0, 2, 3, 3), -1, 0.1) },
	} {
		func() {
			defer func() {
				err, _ := recover().(error)
				var shape *autograd.ShapeError
				var use *autograd.UseError
				if !errors.As(err, &shape) && !errors.As(err, &use) {
					t.Errorf("%s: expected a typed panic, found %v", name, err)
				}
			}()
			f()
		}()
	}
}
