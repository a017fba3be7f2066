package train

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
)

// A resume file is a safetensors file. Its tensors are
//
//	parameters/PATH    the model's parameters
//	buffers/PATH       its buffers
//	optimiser/KIND/PATH  the buffers of the optimizer
//	average/parameters/PATH, average/buffers/PATH  the EMA
//	optimizer-counts   int64: the steps each parameter of the optimizer has had, in the order of paths
//
// Its metadata holds header as JSON, and a checksum (CRC-32C) of the header and all tensors. A truncated file is found
// by its length, a file with changed bytes by its checksum.
const (
	headerKey   = "fovea.train"
	checksumKey = "fovea.train.crc32c"
	countsName  = buffersName + "-counts"
	buffersName = "optimiser" // as the first version of the format spells it

	resumeVersion = 1
)

// header is the metadata of a resume file.
type header struct {
	Version  int               `json:"version"`
	State    state             `json:"state"`
	Setup    map[string]string `json:"setup"`
	Schedule []number          `json:"schedule"` // at scheduleSamples steps of the run
	Extra    json.RawMessage   `json:"extra,omitempty"`
}

// ErrCorrupt reports a file that is corrupted, truncated, or no resume file.
var ErrCorrupt = errors.New("not a resume file, or corrupted")

// A ResumeError reports a resume file of another run. Nothing was changed.
type ResumeError struct {
	File        string
	Differences []string // each names a setting or tensor, its value in the file and its value in this run
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
		b.WriteString("\n\t" + d)
	}
	return b.String()
}

// tensors yields all float32 tensors of the file.
func (r *run) tensors() iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		for path, p := range r.Params {
			if !yield("parameters/"+path, p) {
				return
			}
		}
		if r.Buffers != nil {
			for path, b := range r.Buffers {
				if !yield("buffers/"+path, b) {
					return
				}
			}
		}
		for name, b := range r.Optimizer.Memory() {
			if !yield(buffersName+"/"+name, b) {
				return
			}
		}
		if r.EMA != nil {
			for name, b := range r.EMA.Memory() {
				if !yield("average/"+name, b) {
					return
				}
			}
		}
	}
}

// byPath returns the optimizer's parameters, as indices, in the order of their paths.
func (r *run) byPath() []int {
	var paths []string
	var order []int
	for path := range r.Optimizer.Parameters() {
		order = append(order, len(order))
		paths = append(paths, path)
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(paths[a], paths[b]) })
	return order
}

// setup describes the run, for comparison.
func (r *run) setup() map[string]string {
	s := map[string]string{
		"seed":                fmt.Sprint(r.Seed),
		"epochs":              fmt.Sprint(r.Epochs),
		"steps an epoch":      fmt.Sprint(r.StepsPerEpoch),
		"accumulated batches": fmt.Sprint(r.Accumulate),
		"clipping norm":       fmt.Sprint(max(0, r.ClipNorm)),
		"average":             "none",
	}
	if r.EMA != nil {
		s["average"] = r.EMA.Describe()
	}
	maps.Copy(s, r.Optimizer.Describe())
	for k, v := range r.Identity {
		s["identity: "+k] = v
	}
	return s
}

const scheduleSamples = 33

// sampled returns learning rates at steps of the run: a function cannot be stored, but its values can be compared.
func (r *run) sampled() []number {
	s := make([]number, scheduleSamples)
	for i := range s {
		step := i * (r.steps() - 1) / (scheduleSamples - 1)
		s[i] = number(r.Schedule(float64(step) / float64(r.StepsPerEpoch)))
	}
	return s
}

// save writes the resume file, if the run has one.
func (r *run) save() error {
	if r.File == "" {
		return nil
	}
	if r.EMA != nil && r.EMA.Swapped() {
		return errors.New("train: save: the model holds the average; swap back first")
	}
	h := header{Version: resumeVersion, State: r.state, Setup: r.setup(), Schedule: r.sampled()}
	if r.EMA != nil {
		h.State.Updates = r.EMA.updates
	}
	if r.Extra != nil {
		extra, err := json.Marshal(r.Extra)
		if err != nil {
			return fmt.Errorf("train: save: Extra: %w", err)
		}
		h.Extra = extra
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("train: save: %w", err)
	}
	return r.write(head)
}

// write writes the resume file with the given header.
func (r *run) write(head []byte) error {
	counts := []int64{}
	for _, i := range r.byPath() {
		counts = append(counts, r.Optimizer.Counts()[i])
	}
	entries := []checkpoint.Entry{{Name: countsName, Shape: []int{len(counts)}, Ints: counts}}
	for name, v := range r.tensors() {
		entries = append(entries, checkpoint.Entry{Name: name, Shape: v.Shape(), Floats: notNil(v.Values())})
	}
	slices.SortFunc(entries, func(a, b checkpoint.Entry) int { return strings.Compare(a.Name, b.Name) })
	sum := newSum(head)
	for i := range entries {
		sum.entry(&entries[i])
	}
	err := checkpoint.Write(r.File, entries, checkpoint.WriteOptions{Metadata: map[string]string{
		headerKey: string(head), checksumKey: sum.String()}})
	if err != nil {
		return fmt.Errorf("train: save: %w", err)
	}
	return nil
}

func notNil(v []float32) []float32 {
	if v == nil {
		return []float32{}
	}
	return v
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
	head, ok := f.Metadata(headerKey)
	if !ok {
		return damaged("expected metadata %q", headerKey)
	}
	sum := newSum([]byte(head))
	for t := range f.Tensors() {
		sum.tensor(t)
	}
	if want, _ := f.Metadata(checksumKey); want != sum.String() {
		return damaged("expected the checksum %q, found %q", want, sum)
	}
	var h header
	if err := json.Unmarshal([]byte(head), &h); err != nil {
		return damaged("metadata %q: %w", headerKey, err)
	}
	if h.Version != resumeVersion {
		return fmt.Errorf("train: resume: %s: expected version %d of the format, found %d", r.File, resumeVersion, h.Version)
	}

	differences := r.compareSetup(&h)
	differences = append(differences, r.compareTensors(f)...)
	if len(differences) > 0 {
		return &ResumeError{File: r.File, Differences: differences}
	}
	counts := make([]int64, len(r.Optimizer.Counts()))
	if t, _ := f.Tensor(countsName); t.Ints(counts) != nil {
		return damaged("expected %d counts of steps", len(counts))
	}
	s := &h.State
	if s.Step < 0 || s.Step > r.steps() || s.EpochsDone < 0 || s.EpochsDone > s.Step/r.StepsPerEpoch || s.EpochsDone < (s.Step-1)/r.StepsPerEpoch ||
		len(s.Losses) != s.EpochsDone || s.Updates < 0 || slices.ContainsFunc(counts, func(n int64) bool { return n < 0 || n > int64(s.Step) }) {
		return damaged("impossible position: step %d, %d epochs done", s.Step, s.EpochsDone)
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

// compareSetup lists the settings that differ between the file and this run.
func (r *run) compareSetup(h *header) (differences []string) {
	here := r.setup()
	keys := maps.Clone(here)
	maps.Copy(keys, h.Setup)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, inFile := h.Setup[k]
		is, inRun := here[k]
		switch {
		case !inFile:
			differences = append(differences, fmt.Sprintf("%s: not in the file, %s in this run", k, is))
		case !inRun:
			differences = append(differences, fmt.Sprintf("%s: %s in the file, not in this run", k, was))
		case was != is:
			differences = append(differences, fmt.Sprintf("%s: %s in the file, %s in this run", k, was, is))
		}
	}
	now := r.sampled()
	if len(differences) > 0 || len(h.Schedule) != len(now) {
		return differences // runs of different length sample different steps
	}
	for i, was := range h.Schedule {
		is := now[i]
		// Cosines may differ in the last bit between processors.
		if math.Abs(float64(was-is)) > 1e-9*math.Abs(float64(is)) {
			step := i * (r.steps() - 1) / (scheduleSamples - 1)
			return append(differences, fmt.Sprintf("schedule: learning rate %v at step %d in the file, %v in this run", float64(was), step, float64(is)))
		}
	}
	return differences
}

// compareTensors lists the tensors that are missing, unexpected, or of another type or shape.
func (r *run) compareTensors(f *checkpoint.File) (differences []string) {
	want := map[string]bool{countsName: true}
	for name, v := range r.tensors() {
		want[name] = true
		t, ok := f.Tensor(name)
		switch {
		case !ok:
			differences = append(differences, fmt.Sprintf("%s: not in the file", name))
		case t.DType != checkpoint.F32 || !slices.Equal(t.Shape, v.Shape()):
			differences = append(differences, fmt.Sprintf("%s: %s %v in the file, F32 %v in this run", name, t.DType, t.Shape, v.Shape()))
		}
	}
	for name := range f.Names() {
		if !want[name] {
			differences = append(differences, fmt.Sprintf("%s: not in this run", name))
		}
	}
	return differences
}

// sum is the checksum of a resume file: of its header, then of each tensor's name and little-endian bytes, in the order
// of names.
type sum struct {
	hash.Hash32
	buf []byte
}

func newSum(head []byte) *sum {
	s := &sum{crc32.New(crc32.MakeTable(crc32.Castagnoli)), make([]byte, 0, 64<<10)}
	s.Write(head)
	return s
}

func (s *sum) String() string { return fmt.Sprintf("%08x", s.Sum32()) }

func (s *sum) tensor(t checkpoint.Tensor) {
	s.Write([]byte(t.Name))
	s.Write(t.Bytes())
}

// entry adds the bytes that tensor adds when the entry is read back.
func (s *sum) entry(e *checkpoint.Entry) {
	s.Write([]byte(e.Name))
	for _, x := range e.Ints {
		s.buf = binary.LittleEndian.AppendUint64(s.buf[:0], uint64(x))
		s.Write(s.buf)
	}
	for x := e.Floats; len(x) > 0; {
		n := min(len(x), cap(s.buf)/4)
		s.buf = s.buf[:4*n]
		for i, v := range x[:n] {
			binary.LittleEndian.PutUint32(s.buf[4*i:], math.Float32bits(v))
		}
		s.Write(s.buf)
		x = x[n:]
	}
}
