package checkpoint_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
)

// weight has the methods of *autograd.Parameter that this package needs.
type weight struct {
	shape  []int
	values []float32
}

func (w *weight) Shape() []int             { return w.shape }
func (w *weight) Values() []float32        { return w.values }
func (w *weight) Update(f func([]float32)) { f(w.values) }

func parameters(m map[string]*weight) iter.Seq2[string, *weight] { return maps.All(m) }

// A model with a joined projection is written as three tensors and read back from them.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, checkpoint.SafetensorsName)

	names := &checkpoint.Names{
		Rules: []checkpoint.Rule{
			{"blocks.{}.attn.qkv", "encoder.layer.{}.attention.{query,key,value}", "blocks.{}.attn.qkv"},
			{"head", "classifier", "head"},
		},
	}
	model := map[string]*weight{
		"blocks.0.attn.qkv.bias": {[]int{6}, []float32{1, 2, 3, 4, 5, 6}},
		"head.weight":            {[]int{1, 2}, []float32{7, 8}},
	}
	if err := checkpoint.Save(path, names, parameters(model), checkpoint.WriteOptions{DType: checkpoint.BF16}); err != nil {
		fmt.Println(err)
		return
	}

	f, err := checkpoint.Open(path, checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for t := range f.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}

	fresh := map[string]*weight{
		"blocks.0.attn.qkv.bias": {[]int{6}, make([]float32, 6)},
		"head.weight":            {[]int{1, 2}, make([]float32, 2)},
	}
	report, err := checkpoint.Load(f, names, parameters(fresh), checkpoint.LoadOptions{})
	fmt.Println(report.Loaded, err, fresh["blocks.0.attn.qkv.bias"].values)

	// Output:
	// classifier.weight BF16 [1 2]
	// encoder.layer.0.attention.key.bias BF16 [2]
	// encoder.layer.0.attention.query.bias BF16 [2]
	// encoder.layer.0.attention.value.bias BF16 [2]
	// 2 <nil> [1 2 3 4 5 6]
}

// Two towers in one file share one table of a block, which lies below other paths and names in each.
func ExampleNest() {
	block := []checkpoint.Rule{
		{"Norm1", "layer_norm1"},
		{"Attention.QKV", "self_attn.{q,k,v}_proj"},
	}
	tower := checkpoint.Nest("Blocks.{}", []string{"encoder.layers.{}"}, block...)
	names := checkpoint.Names{Rules: slices.Concat(
		checkpoint.Nest("Text", []string{"text_model"}, tower...),
		checkpoint.Nest("Vision", []string{"vision_model"}, tower...),
	)}
	for _, r := range names.Rules {
		fmt.Println(r[0], "=", r[1])
	}
	// Output:
	// Text.Blocks.{}.Norm1 = text_model.encoder.layers.{}.layer_norm1
	// Text.Blocks.{}.Attention.QKV = text_model.encoder.layers.{}.self_attn.{q,k,v}_proj
	// Vision.Blocks.{}.Norm1 = vision_model.encoder.layers.{}.layer_norm1
	// Vision.Blocks.{}.Attention.QKV = vision_model.encoder.layers.{}.self_attn.{q,k,v}_proj
}

// A checkpoint of a training script, as torch.save writes it: {'model': …, 'model_ema': {'state_dict': …},
// 'optimizer': …, 'epoch': 7, 'args': Namespace(…)}.
func ExampleOpen_pytorch() {
	f, err := checkpoint.Open("testdata/torch/training.pt", checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for t := range f.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	epoch, _ := f.Metadata("epoch")
	name, _ := f.Metadata("args.model")
	fmt.Println(epoch, name)
	fmt.Println(f.Root(), "of", f.Roots())

	trained, err := checkpoint.Open("testdata/torch/training.pt", checkpoint.OpenOptions{Root: []string{"model"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for name := range trained.Names() {
		fmt.Println(name)
		break
	}
	_, err = checkpoint.Open("testdata/torch/training.pt", checkpoint.OpenOptions{Root: []string{"ema"}})
	fmt.Println(err)

	// Output:
	// module.0.bias F32 [3]
	// module.0.weight F32 [3 4]
	// module.1.bias F32 [3]
	// module.1.num_batches_tracked I64 []
	// module.1.running_mean F32 [3]
	// module.1.running_var F32 [3]
	// module.1.weight F32 [3]
	// 7 vit_tiny
	// [model_ema state_dict] of [[model] [model_ema state_dict]]
	// 0.bias
	// checkpoint: testdata/torch/training.pt: expected the key "ema" of the wanted root, found "model", "model_ema", "optimizer", "lr_scheduler", "epoch", "args", "scaler", "tags", "history", "rng", "array"
}

// Errors tell a broken file from a whole file of another model.
func ExampleMismatchError() {
	f, err := checkpoint.Parse("tiny", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	model := map[string]*weight{"head.weight": {[]int{1}, make([]float32, 1)}}
	_, err = checkpoint.Load(f, &checkpoint.Names{}, parameters(model), checkpoint.LoadOptions{})
	var mismatch *checkpoint.MismatchError
	fmt.Println(errors.As(err, &mismatch), mismatch.Missing)

	_, err = checkpoint.Parse("broken", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{"), checkpoint.OpenOptions{})
	fmt.Println(err)

	// Output:
	// true [head.weight (as head.weight)]
	// checkpoint: broken: header of 2 bytes goes past the end of the file of 9 bytes
}

// A string of go:embed is used in place, in the program's own file. Here the string is made by hand.
func ExampleParseString() {
	weights := "\x50\x00\x00\x00\x00\x00\x00\x00" +
		`{"scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}                      ` +
		"\x00\x00\x80\x3f\x00\x00\x00\x40"
	f, err := checkpoint.ParseString("embedded", weights, checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, _ := f.Tensor("scale")
	values := make([]float32, t.Len())
	fmt.Println(t.Floats(values), values)
	// Output: <nil> [1 2]
}

// A file is copied tensor by tensor: one is rounded to half precision, the other keeps its type. The tensors do not fit
// into ShardSize bytes, so they go into several files with an index, which Open reads like one file.
func ExampleWrite() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	err = checkpoint.Write(path, []checkpoint.Entry{
		{Name: "positions", Shape: []int{3}, Ints: []int64{0, 1, 2}, DType: checkpoint.I32},
		{Name: "weight", Shape: []int{2, 2}, Floats: []float32{1, 2, 3, 4}},
	}, checkpoint.WriteOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := checkpoint.Open(path, checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var entries []checkpoint.Entry
	for t := range f.Tensors() {
		e := t.Entry()
		if t.DType.IsFloat() {
			e.DType = checkpoint.F16
		}
		entries = append(entries, e)
	}
	half := filepath.Join(dir, "half.safetensors")
	if err := checkpoint.Write(half, entries, checkpoint.WriteOptions{ShardSize: 16}); err != nil {
		fmt.Println(err)
		return
	}
	if f, err = checkpoint.Open(half+".index.json", checkpoint.OpenOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range f.Parts() {
		fmt.Println(filepath.Base(p.Name), p.Format)
	}
	for t := range f.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	// Output:
	// half-00001-of-00002.safetensors safetensors
	// half-00002-of-00002.safetensors safetensors
	// positions I32 [3]
	// weight F16 [2 2]
}
