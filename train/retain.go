package train

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// keptName is the name of the save after a step, beside the resume file.
func (r *run) keptName(step int) string {
	ext := filepath.Ext(r.File)
	return fmt.Sprintf("%s.step-%08d%s", strings.TrimSuffix(r.File, ext), step, ext)
}

// isKept reports whether a file in the folder of the resume file has a name that keptName returns.
func (r *run) isKept(name string) bool {
	file := filepath.Base(r.File)
	ext := filepath.Ext(file)
	digits, ok := strings.CutPrefix(name, strings.TrimSuffix(file, ext)+".step-")
	digits, ok2 := strings.CutSuffix(digits, ext)
	step, err := strconv.Atoi(digits)
	return ok && ok2 && err == nil && name == filepath.Base(r.keptName(step))
}

// keptFiles returns the kept saves of whatever run had the resume file.
func (r *run) keptFiles() (names []string, err error) {
	list, err := os.ReadDir(filepath.Dir(r.File))
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	for _, e := range list {
		if r.isKept(e.Name()) {
			names = append(names, filepath.Join(filepath.Dir(r.File), e.Name()))
		}
	}
	return names, nil
}

// keep returns the steps whose saves stay when the present one is written, in ascending order, and those whose saves go.
func (r *run) keep() (kept, dropped []int) {
	if r.Keep == 0 {
		return r.state.Kept, nil
	}
	all := append(slices.Clone(r.state.Kept), r.Step)
	slices.Sort(all)
	all = slices.Compact(all)
	for i, step := range all {
		if i >= len(all)-r.Keep || step == r.bestStep() {
			kept = append(kept, step)
		} else {
			dropped = append(dropped, step)
		}
	}
	return kept, dropped
}

// bestStep is the step after which the best epoch ended, or -1.
func (r *run) bestStep() int {
	if r.state.Best < 0 {
		return -1
	}
	return (r.state.Best + 1) * r.stepsPerEpoch()
}

// retain keeps the present save under its own name, and removes the dropped ones.
func (r *run) retain(dropped []int) error {
	if r.Keep == 0 {
		return nil
	}
	if err := linkOrCopy(r.File, r.keptName(r.Step)); err != nil {
		return err
	}
	for _, step := range dropped {
		if err := os.Remove(r.keptName(step)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// linkOrCopy gives a saved file a second name. The file itself is never written again, only replaced, so a link keeps its
// contents. It is no symbolic link, because saving replaces one.
func linkOrCopy(file, name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(file, name) == nil {
		return nil
	}
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	return atomicfile.Write(name, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}
