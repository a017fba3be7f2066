package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/simd"
)

// ErrCorrupt reports a file that is corrupted, truncated, or no resume file.
var ErrCorrupt = errors.New("not a resume file, or corrupted")

// A ResumeError reports a resume file of another run. Nothing was changed.
type ResumeError struct {
	File        string
	Differences []Difference // without the ones that Config.Accept names
}

// A Difference is a setting or tensor that differs between a resume file and the run that resumes it.
type Difference struct {
	Name      string // as in Config.Accept
	File, Run string // the value in the file and in this run
}

// String returns the difference as one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s in the file, %s in this run", d.Name, d.File, d.Run)
}

// Error lists the first maxListed differences.
func (e *ResumeError) Error() string {
	const maxListed = 20
	var b strings.Builder
	fmt.Fprintf(&b, "train: resume: %s is of another run:", e.File)
	for i, d := range e.Differences {
		if i == maxListed {
			fmt.Fprintf(&b, "\n\tand %d more", len(e.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t%s", d)
	}
	b.WriteString("\nConfig.Accept names settings that may differ")
	return b.String()
}

// start prepares File as Config.Start says, and loads it to resume.
func (r *run) start() error {
	if r.File == "" {
		return nil
	}
	if err := r.checkAccept(); err != nil {
		return err
	}
	info, err := os.Stat(r.File)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("train: %w", err)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("train: config: File: %s is a folder, a device or a pipe, expected a file", r.File)
	case r.Start == Resume && err != nil:
		return fmt.Errorf("train: resume: %w", err)
	case r.Start == NewRun && err == nil:
		return fmt.Errorf("train: %s: %w: Config.Start says whether to resume or to replace it", r.File, fs.ErrExist)
	}
	if err := writable(filepath.Dir(r.File)); err != nil {
		return fmt.Errorf("train: config: File: %s: no file can be made in its folder: %w", r.File, err)
	}
	if err == nil && r.Start != Replace {
		return r.load()
	}
	kept, err := r.keptFiles()
	switch {
	case err != nil:
		return err
	case r.Start != Replace && r.Keep > 0 && len(kept) > 0:
		return fmt.Errorf("train: %s: %w: a save of another run, which Keep would mix with those of this one; Config.Start may replace it",
			kept[0], fs.ErrExist)
	case r.Start == Replace:
		return forget(kept)
	}
	return nil
}

// writable returns an error for a folder in which no file can be made. Without it, the first save would tell, after hours.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".fovea-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// forget removes the kept saves of the run that is replaced, so that they do not look like this one's. File stays until
// the first save.
func forget(kept []string) error {
	for _, name := range kept {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// checkAccept returns an error for names in Accept that no setting has, or that cannot be accepted.
func (r *run) checkAccept() error {
	for _, name := range r.Accept {
		_, known := r.described[name]
		switch {
		case slices.Contains(fixed, name):
			return fmt.Errorf("train: config: Accept: %q cannot change within a run", name)
		case !known && name != scheduleSetting && name != mathSetting && name != allSettings && !strings.Contains(name, ": ") && !strings.HasPrefix(name, settingsOf):
			names := []string{scheduleSetting, allSettings}
			for k := range r.described {
				if !strings.HasPrefix(k, settingsOf) && !slices.Contains(fixed, k) {
					names = append(names, k)
				}
			}
			slices.Sort(names)
			return fmt.Errorf("train: config: Accept: expected one of %q, found %q", names, name)
		}
	}
	return nil
}

// load reads the resume file into the model, the optimizer and the average. With an error it changes nothing.
func (r *run) load() error {
	f, err := checkpoint.Open(r.File, checkpoint.OpenOptions{})
	if err != nil {
		if bad := (*checkpoint.FormatError)(nil); errors.As(err, &bad) {
			return fmt.Errorf("train: resume: %w: %w", ErrCorrupt, err)
		}
		return fmt.Errorf("train: resume: %w", err)
	}
	defer f.Close()
	damaged := func(format string, args ...any) error {
		return fmt.Errorf("train: resume: %s: %w: %w", r.File, ErrCorrupt, fmt.Errorf(format, args...))
	}
	h, err := r.readHeader(f, damaged)
	if err != nil {
		return err
	}
	differences := r.compareSetup(h)
	differences = append(differences, r.compareTensors(f)...)
	if len(differences) > 0 {
		return &ResumeError{File: r.File, Differences: differences}
	}
	counts := make([]int64, len(r.Optimizer.Counts()))
	if t, _ := f.Tensor(countsName); t.Ints(counts) != nil {
		return damaged("expected %d counts of steps", len(counts))
	}
	s := &h.State
	if s.Step < 0 || h.Steps < s.Step || s.EpochsDone < 0 || s.Updates < 0 {
		return damaged("impossible position: step %d of %d, %d epochs done", s.Step, h.Steps, s.EpochsDone)
	}
	if s.Step > r.steps() {
		return fmt.Errorf("train: resume: %s: its run has done %d steps, expected at most the %d of this run", r.File, s.Step, r.steps())
	}
	n := r.stepsPerEpoch()
	impossible := func(step int) bool { return step < 0 || step > s.Step }
	if slices.ContainsFunc(s.Kept, impossible) || s.EpochsDone > s.Step/n || s.EpochsDone < (s.Step-1)/n || len(s.Losses) != s.EpochsDone || s.Best < -1 || s.Best >= max(0, len(s.Scores)) ||
		len(s.Scores) > s.EpochsDone || slices.ContainsFunc(counts, func(n int64) bool { return n < 0 || n > int64(s.Step) }) {
		return damaged("impossible position: step %d, %d epochs done", s.Step, s.EpochsDone)
	}
	if r.Validate != nil && len(s.Scores) != s.EpochsDone {
		return fmt.Errorf("train: resume: %s: its run had no Validate, so that %d epochs have no score", r.File, s.EpochsDone-len(s.Scores))
	}
	if r.Validate == nil && len(s.Scores) > 0 {
		return fmt.Errorf("train: resume: %s: its run had Validate, this run has none", r.File)
	}
	if r.Extra != nil && h.Extra != nil {
		// Into another value first: a mistake in the JSON would leave Extra half filled.
		for _, to := range []any{reflect.New(reflect.TypeOf(r.Extra).Elem()).Interface(), r.Extra} {
			if err := json.Unmarshal(h.Extra, to); err != nil {
				return fmt.Errorf("train: resume: %s: Extra: %w", r.File, err)
			}
		}
	}

	for i, at := range r.byPath() {
		r.Optimizer.Counts()[at] = counts[i]
	}
	for name, v := range r.tensors() {
		t, _ := f.Tensor(name)
		var err error
		if v.Update(func(dst []float32) { err = t.Floats(dst) }); err != nil {
			return fmt.Errorf("train: resume: %w", err)
		}
	}
	if r.EMA != nil {
		r.EMA.updates = s.Updates
	}
	r.state = *s
	return nil
}

// readHeader reads and checks the metadata of a resume file. damaged makes the error of a corrupted file.
func (r *run) readHeader(f *checkpoint.File, damaged func(format string, args ...any) error) (*header, error) {
	head, ok := f.Metadata(headerKey)
	if !ok {
		return nil, damaged("expected metadata %q", headerKey)
	}
	sum := newSum([]byte(head))
	for t := range f.Tensors() {
		sum.tensor(t)
	}
	if want, _ := f.Metadata(checksumKey); want != sum.String() {
		return nil, damaged("expected the checksum %q, found %q", want, sum)
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal([]byte(head), &version); err != nil {
		return nil, damaged("metadata %q: %w", headerKey, err)
	}
	if version.Version != resumeVersion {
		return nil, fmt.Errorf("train: resume: %s: expected version %d of the format, found %d", r.File, resumeVersion, version.Version)
	}
	h := new(header)
	if err := json.Unmarshal([]byte(head), h); err != nil {
		return nil, damaged("metadata %q: %w", headerKey, err)
	}
	return h, nil
}

// compareSetup lists the settings that differ between the file and this run, without the accepted ones.
func (r *run) compareSetup(h *header) (differences []Difference) {
	keys := maps.Clone(r.described)
	maps.Copy(keys, h.Setup)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, inFile := h.Setup[k]
		is, inRun := r.described[k]
		none := "none"
		if k == mathSetting {
			none = simd.Strict.String()
		}
		if !inFile {
			was = none
		}
		if !inRun {
			is = none
		}
		if was != is && !r.accepts(k) {
			differences = append(differences, Difference{k, was, is})
		}
	}
	if h.Setup[batchesSetting] != r.described[batchesSetting] || h.Setup[accumulateSetting] != r.described[accumulateSetting] {
		return differences // a step has another position in the schedule
	}
	if d, differ := r.compareSchedule(h); differ && !r.accepts(scheduleSetting) {
		differences = append(differences, d)
	}
	return differences
}

// compareTensors lists the tensors that are missing, unexpected, or of another type or shape.
func (r *run) compareTensors(f *checkpoint.File) (differences []Difference) {
	const none = "none"
	want := map[string]bool{countsName: true}
	for name, v := range r.tensors() {
		want[name] = true
		t, ok := f.Tensor(name)
		is := fmt.Sprintf("F32 %v", v.Shape())
		switch {
		case !ok:
			differences = append(differences, Difference{name, none, is})
		case t.DType != checkpoint.F32 || !slices.Equal(t.Shape, v.Shape()):
			differences = append(differences, Difference{name, fmt.Sprintf("%s %v", t.DType, t.Shape), is})
		}
	}
	for name := range f.Names() {
		if !want[name] {
			t, _ := f.Tensor(name)
			differences = append(differences, Difference{name, fmt.Sprintf("%s %v", t.DType, t.Shape), none})
		}
	}
	return differences
}
