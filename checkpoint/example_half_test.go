package checkpoint_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
)

// Weights stay in half precision in a model that reads them in place, until they are trained.
func ExampleLoad_half() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, checkpoint.SafetensorsName)
	err = checkpoint.Write(path, []checkpoint.Entry{
		{Name: "head.weight", Shape: []int{2, 3}, Floats: []float32{1, 2, 3, 4, 5, 6}},
	}, checkpoint.WriteOptions{DType: checkpoint.F16})
	if err != nil {
		fmt.Println(err)
		return
	}

	head := autograd.NewParameter(2, 3)
	f, err := checkpoint.Open(path, checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	model := maps.All(map[string]*autograd.Parameter{"head.weight": head})
	if _, err := checkpoint.Load(f, nil, model, checkpoint.LoadOptions{Map: true, KeepHalf: true}); err != nil {
		fmt.Println(err)
		return
	}
	tape := autograd.NewTape(autograd.Options{})
	fmt.Println(head.DType(), autograd.Linear(tape.Full(1, 1, 3), head, nil).Floats(nil))

	head.Update(func(values []float32) { values[0] = 0.1 })
	fmt.Println(head.DType(), head.Values())
	// Output:
	// float16 [6 15]
	// float32 [0.1 2 3 4 5 6]
}
