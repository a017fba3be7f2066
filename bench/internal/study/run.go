package study

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// Outcome holds the losses and accuracies of one run, of Fovea or of PyTorch.
type Outcome struct {
	Losses     []float64 `json:"losses"`             // of each step
	Accuracies []float64 `json:"accuracies"`         // on the test data after each epoch
	Averaged   []float64 `json:"averaged,omitempty"` // the same with the moving average of the weights
	Notes      []string  `json:"notes,omitempty"`    // what to know of a comparison
	Versions   string    `json:"versions"`
}

// Both returns the outcomes of both sides of a run. They are kept in file-fovea.json and file-torch.json; where there is no
// such file, the side runs. Runs of different lengths are an error.
func Both(file string, fovea, torch func() (Outcome, error)) (ours, theirs Outcome, err error) {
	if ours, err = Kept(file+"-fovea.json", fovea); err != nil {
		return ours, theirs, err
	}
	if theirs, err = Kept(file+"-torch.json", torch); err != nil {
		return ours, theirs, err
	}
	if a, b := len(ours.Losses), len(theirs.Losses); a != b {
		return ours, theirs, fmt.Errorf("%s: %d steps of Fovea and %d of PyTorch: remove the runs of another recipe", file, a, b)
	}
	return ours, theirs, nil
}

// Kept returns the outcome in a file. Where there is no such file, it calls run and writes the file.
func Kept(name string, run func() (Outcome, error)) (o Outcome, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if o, err = run(); err != nil {
			return o, err
		}
		if text, err = json.Marshal(o); err != nil {
			return o, err
		}
		return o, atomicfile.WriteFile(name, text)
	}
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}

// Reference runs a script of PyTorch's side, which reads a plan in JSON from a file and prints its outcome. The file is
// removed afterwards. feed, if not nil, writes to the script's standard input.
func Reference(ctx context.Context, python, script, file string, plan any, feed func(io.Writer) error) (o Outcome, err error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return o, err
	}
	if err := atomicfile.WriteFile(file, text); err != nil {
		return o, err
	}
	c := exec.CommandContext(ctx, python, script, file)
	c.Stderr = os.Stderr
	fed := make(chan error, 1)
	if feed == nil {
		fed <- nil
	} else {
		in, err := c.StdinPipe()
		if err != nil {
			return o, err
		}
		go func() {
			defer in.Close()
			fed <- feed(in)
		}()
	}
	text, err = c.Output()
	if err = cmp.Or(ctx.Err(), errors.Join(err, <-fed)); err != nil {
		return o, fmt.Errorf("%s: %w", script, err)
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}

// Difference returns the largest difference between the losses of the same step, as a share of PyTorch's.
func Difference(ours, theirs Outcome) float64 {
	worst := 0.0
	for i, l := range ours.Losses {
		worst = max(worst, math.Abs(l-theirs.Losses[i])/theirs.Losses[i])
	}
	return worst
}
