package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/index"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/simd"
)

// A saved index holds the vectors of a file's lines in a folder. The id of a vector is the number of its line.
type saved struct {
	*index.Index
	path string // of the state
	state
}

// A state says which lines are in the index, and where they come from.
type state struct {
	Model  string    `json:"model"`
	Prompt string    `json:"prompt"`
	Math   simd.Math `json:"math"`
	Lines  int       `json:"lines"` // that were read whole
	Bytes  int64     `json:"bytes"` // where the next line begins
}

// stateName is the file of the state, beside those of the index.
const stateName = "lines.json"

// openSaved opens the index in the folder, or makes one. The caller closes it.
func openSaved(s settings, dim int) (*saved, error) {
	x, err := index.Open(s.Index, index.OpenOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		x, err = index.Create(s.Index, index.Options{Dim: dim})
	}
	if err != nil {
		return nil, err
	}
	x.Workers = simd.NewWorkers(s.Threads)
	v := &saved{Index: x, path: filepath.Join(s.Index, stateName)}
	if err := v.check(s, dim); err != nil {
		x.Close()
		return nil, err
	}
	return v, nil
}

// check reads the state, and compares it with the flags.
func (v *saved) check(s settings, dim int) error {
	data, err := os.ReadFile(v.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && v.Len() == 0:
		v.state = state{Model: s.Model, Prompt: s.Passage, Math: s.mode}
		return v.save()
	case err != nil:
		return err
	}
	if err := json.Unmarshal(data, &v.state); err != nil || v.Lines < 0 || v.Bytes < 0 {
		return fmt.Errorf("%s: expected the state of an index of lines, found %q", v.path, data[:min(len(data), 60)])
	}
	switch {
	case v.Model != s.Model:
		return fmt.Errorf("%s holds vectors of the model %s, not of %s", s.Index, v.Model, s.Model)
	case v.Prompt != s.Passage:
		return fmt.Errorf("%s holds vectors with the passage prompt %q, not %q", s.Index, v.Prompt, s.Passage)
	case v.Math != s.mode:
		return fmt.Errorf("%s holds vectors computed in %v, not in %v: choose by -math", s.Index, v.Math, s.mode)
	case v.Options().Dim != dim:
		return fmt.Errorf("%s holds vectors of %d values, not of %d", s.Index, v.Options().Dim, dim)
	}
	return nil
}

// save replaces the state in one step.
func (v *saved) save() error {
	data, err := json.Marshal(v.state)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(v.path, data)
}

// addAtOnce is the number of lines that are added together. A run that is killed loses about as many.
const addAtOnce = 256

// add adds the lines that follow those in the index. The state is saved after the vectors: lines that were added before
// the program was killed are added once more, in the place of themselves.
func (v *saved) add(ctx context.Context, e *bert.Embedder, from io.Reader, size int64, out *console.Console) error {
	progress := out.Phase("reading", console.Bytes, size)
	defer progress.End()
	var ids []int64
	var vectors [][]float32
	next := v.state
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		if err := v.Add(ids, vectors); err != nil {
			return err
		}
		ids, vectors, v.state = ids[:0], vectors[:0], next
		return v.save()
	}
	for l, err := range embed(ctx, e, lines(from, v.Lines, v.Bytes)) {
		if err != nil {
			return errors.Join(err, flush())
		}
		ids, vectors = append(ids, int64(l.number)), append(vectors, l.vector)
		if l.whole { // a last line without a line break may go on later
			next.Lines, next.Bytes = l.number, l.end
		}
		if len(ids) == addAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
		progress.At(l.end)
	}
	return flush()
}

// search returns the lines that are closest to each query, without their texts.
func (v *saved) search(ctx context.Context, queries [][]float32, s settings) ([][]found, error) {
	o := index.SearchOptions{}
	if s.Among != nil {
		o.Filter = s.Among.has
	}
	hits, err := v.SearchMany(ctx, queries, s.Top, o)
	if err != nil {
		return nil, err
	}
	best := make([][]found, len(hits))
	for i, list := range hits {
		for _, h := range list {
			best[i] = append(best[i], found{line: int(h.ID), score: float64(h.Score)})
		}
	}
	return best, nil
}

// fill reads the texts of lines from the file.
func fill(best [][]found, from io.Reader) error {
	wanted := map[int][]*found{}
	for i := range best {
		for k := range best[i] {
			f := &best[i][k]
			wanted[f.line] = append(wanted[f.line], f)
		}
	}
	for l, err := range lines(from, 0, 0) {
		if err != nil || len(wanted) == 0 {
			return err
		}
		for _, f := range wanted[l.number] {
			f.text = l.text
		}
		delete(wanted, l.number)
	}
	return nil
}

// forget removes lines from the index.
func (v *saved) forget(which ranges) (removed int, err error) {
	const atOnce = 1 << 16
	for _, r := range which {
		for first := r[0]; first <= min(r[1], v.Lines+1); first += atOnce {
			var ids []int64
			for id := first; id <= min(r[1], v.Lines+1, first+atOnce-1); id++ {
				ids = append(ids, int64(id))
			}
			n, err := v.Delete(ids...)
			if err != nil {
				return removed, err
			}
			removed += n
		}
	}
	return removed, nil
}

// searchSaved brings the index of -index up to date with the file, and searches it.
func searchSaved(ctx context.Context, e *bert.Embedder, s settings, queries [][]float32, stdout io.Writer, out *console.Console) error {
	file, err := os.Open(s.File)
	if err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	v, err := openSaved(s, e.Width())
	if err != nil {
		return fmt.Errorf("-index: %w", err)
	}
	defer v.Close()
	if info.Size() < v.Bytes {
		return fmt.Errorf("-index: %s holds lines of %d bytes, and %s has %d: the file may only grow", s.Index, v.Bytes, s.File, info.Size())
	}
	if _, err := file.Seek(v.Bytes, io.SeekStart); err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	if err := v.add(ctx, e, file, info.Size(), out); err != nil {
		return err
	}
	if s.Forget != nil {
		n, err := v.forget(s.Forget)
		if err != nil {
			return err
		}
		out.Line("removed %d lines from the index, %d are left", n, v.Len())
	}
	best, err := v.search(ctx, queries, s)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	if err := fill(best, file); err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	return printFound(s, best, stdout)
}
