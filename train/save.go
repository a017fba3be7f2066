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
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// A resume file is a safetensors file. Its tensors are
//
//	parameters/PATH    the model's parameters, apart from frozen ones
//	buffers/PATH       its buffers
//	optimizer/KIND/PATH  the buffers of the optimizer
//	average/parameters/PATH, average/buffers/PATH  the EMA
//	best/parameters/PATH, best/buffers/PATH  the weights of the best epoch, with Config.KeepBest
//	optimizer-counts   int64: the steps each parameter of the optimizer has had, in the order of paths
//
// Its metadata holds header as JSON, and a checksum (CRC-32C) of the header and all tensors. A truncated file is found
// by its length, a file with changed bytes by its checksum.
const (
	headerKey   = "fovea.train"
	checksumKey = "fovea.train.crc32c"
	countsName  = buffersName + "-counts"
	buffersName = "optimizer"

	resumeVersion = 2
)

// header is the metadata of a resume file.
type header struct {
	Version  int               `json:"version"`
	State    state             `json:"state"`
	Setup    map[string]string `json:"setup"`
	Steps    int               `json:"steps"`    // of the whole run
	Schedule []span            `json:"schedule"` // of its learning rates
	Extra    json.RawMessage   `json:"extra,omitempty"`
}

// value is a parameter or buffer that training changes, under its name in a resume file.
type value struct {
	name string
	checkpoint.Value
}

// changing returns what training changes in the model.
func changing(c *Config) (all []value) {
	for path, p := range nn.Parameters(c.Model) {
		if !p.Frozen {
			all = append(all, value{"parameters/" + path, p})
		}
	}
	for path, b := range nn.Buffers(c.Model) {
		all = append(all, value{"buffers/" + path, b})
	}
	return all
}

// tensors yields all float32 tensors of the file.
func (r *run) tensors() iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		for _, v := range r.model {
			if !yield(v.name, v.Value) {
				return
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
		for i, b := range r.best {
			if !yield("best/"+r.model[i].name, b) {
				return
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

// Names of settings that decide the position in a run. A resumed run cannot change them.
const (
	batchesSetting    = "batches in an epoch"
	accumulateSetting = "accumulated batches"
)

// mathSetting is the name of the arithmetic. A file without it is Strict.
const mathSetting = "math"

var fixed = []string{batchesSetting, accumulateSetting}

// setup describes the run, for comparison.
func (r *run) setup() map[string]string {
	s := map[string]string{
		"seed":            fmt.Sprint(r.Seed),
		"epochs":          fmt.Sprint(r.Epochs),
		batchesSetting:    fmt.Sprint(r.Batches),
		accumulateSetting: fmt.Sprint(r.Accumulate),
		"clipping norm":   fmt.Sprint(r.ClipNorm),
		"average":         "none",
	}
	if r.EMA != nil {
		s["average"] = r.EMA.Describe()
	}
	if r.Tape.Math != simd.Strict {
		s[mathSetting] = r.Tape.Math.String()
	}
	if r.LowerIsBetter {
		s["better scores"] = "lower"
	}
	if sum, found := r.frozen(); found {
		s["frozen parameters"] = sum
	}
	maps.Copy(s, r.Optimizer.Describe())
	if r.Data != nil {
		for k, v := range r.Data.Describe() {
			s["data: "+k] = v
		}
	}
	for k, v := range r.Identity {
		s["identity: "+k] = v
	}
	return s
}

// frozen returns the checksum of the model's frozen parameters, which the file does not hold.
func (r *run) frozen() (sum string, found bool) {
	s := newSum(nil)
	n := 0
	for path, p := range nn.Parameters(r.Model) {
		if p.Frozen {
			s.entry(&checkpoint.Entry{Name: path, Floats: p.Values()})
			n += p.Len()
		}
	}
	return fmt.Sprintf("%d values, %s", n, s), n > 0
}

// save writes the resume file, if the run has one.
func (r *run) save() error {
	if r.File == "" {
		return nil
	}
	if r.EMA != nil && r.EMA.Swapped() {
		return errors.New("train: save: the model holds the average; swap back first")
	}
	kept, dropped := r.keep()
	h := header{Version: resumeVersion, State: r.state, Setup: r.described, Steps: r.steps(), Schedule: r.schedule}
	h.State.Kept = kept
	if r.EMA != nil {
		h.State.Updates = r.EMA.updates
	}
	if r.Extra != nil {
		h.Extra = r.extra
		if h.Extra == nil {
			extra, err := json.Marshal(r.Extra)
			if err != nil {
				return fmt.Errorf("train: save: Extra: %w", err)
			}
			h.Extra = extra
		}
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("train: save: %w", err)
	}
	if err := r.write(head); err != nil {
		return err
	}
	r.state.Kept = kept
	if err := r.retain(dropped); err != nil {
		return fmt.Errorf("train: save: %w", err)
	}
	if r.OnSave != nil {
		if err := r.OnSave(r.File); err != nil && !errors.Is(err, ErrStop) {
			return fmt.Errorf("train: OnSave: %w", err)
		} else if err != nil {
			r.halt = true
		}
	}
	return nil
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
