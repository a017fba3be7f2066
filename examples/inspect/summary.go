package main

import (
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// A summary describes a checkpoint. It is the value that -json prints.
type summary struct {
	Path       console.Name      `json:"path"`
	Files      []file            `json:"files"`
	Tensors    int               `json:"tensors"`
	Parameters int64             `json:"parameters"` // floating-point values; tied tensors count once
	Bytes      int64             `json:"bytes"`      // of the values; tied tensors count once
	Types      []typeCount       `json:"types"`      // sorted by bytes, largest first
	Metadata   map[string]string `json:"metadata"`
	Root       []string          `json:"root"`   // the keys of a PyTorch file that lead to the tensors
	Roots      [][]string        `json:"roots"`  // all that the file has
	Config     *config           `json:"config"` // null without a model folder
	Family     *guess            `json:"family"`
	Images     *images           `json:"images"` // null for a model that no package loads
	Tied       [][]string        `json:"tied"`   // groups of names that share data
	List       []tensor          `json:"list"`
}

type file struct {
	Name   console.Name `json:"name"`
	Format string       `json:"format"`
	Size   int64        `json:"size"`
}

type typeCount struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Bytes   int64  `json:"bytes"`
}

type tensor struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
	Stats *stats `json:"stats,omitempty"`
}

// summarize describes a checkpoint; numbers may be nil.
func summarize(in *input, numbers map[string]*stats) (*summary, error) {
	f := in.file
	s := &summary{Path: console.Name(in.path), Files: in.parts(), Tensors: f.Len(), Metadata: map[string]string{}, Tied: f.Tied(), List: []tensor{}, Types: []typeCount{}}
	for key := range f.MetadataKeys() {
		s.Metadata[key], _ = f.Metadata(key)
	}
	s.Root, s.Roots = append([]string{}, f.Root()...), append([][]string{}, f.Roots()...)
	if s.Tied == nil {
		s.Tied = [][]string{}
	}
	counted := map[string]bool{} // counted under another name
	for _, group := range s.Tied {
		for _, name := range group[1:] {
			counted[name] = true
		}
	}
	counts := map[string]*typeCount{}
	for t := range f.Tensors() {
		bytes := int64(t.Len() * t.DType.Size())
		s.List = append(s.List, tensor{t.Name, t.DType.String(), append([]int{}, t.Shape...), bytes, numbers[t.Name]})
		c := counts[t.DType.String()]
		if c == nil {
			c = &typeCount{Type: t.DType.String()}
			counts[c.Type] = c
		}
		c.Tensors++
		if counted[t.Name] {
			continue
		}
		c.Bytes += bytes
		s.Bytes += bytes
		if t.DType.IsFloat() {
			s.Parameters += int64(t.Len())
		}
	}
	for _, c := range counts {
		s.Types = append(s.Types, *c)
	}
	sortTypes(s.Types)
	s.Family = guessFamily(shapesOf(f))
	if in.dir == "" {
		return s, nil
	}
	var err error
	if s.Config, err = readConfig(in.dir); err != nil {
		return nil, err
	}
	if s.Config != nil && s.Family != nil && len(s.Family.Towers) == 1 && s.Config.Heads > 0 {
		s.Family.Towers[0].Heads, s.Family.Towers[0].sure = s.Config.Heads, true
	}
	return s, nil
}

// shapesOf returns the shapes of a checkpoint's tensors by name.
func shapesOf(f *checkpoint.File) map[string][]int {
	shapes := map[string][]int{}
	for t := range f.Tensors() {
		shapes[t.Name] = t.Shape
	}
	return shapes
}
