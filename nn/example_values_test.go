package nn_test

import (
	"bytes"
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// A file holds the buffers of a model beside its parameters, the statistics under PyTorch's names.
func ExampleValues() {
	type net struct {
		Norm *nn.BatchNorm
		Head *nn.Linear
	}
	model := &net{Norm: nn.NewBatchNorm(4, true), Head: nn.NewLinear(4, 2, true)}
	names := &checkpoint.Names{Rules: []checkpoint.Rule{{"Norm", "bn1"}, {"Head", "fc"}}}

	var file bytes.Buffer
	if err := checkpoint.Encode(&file, checkpoint.Entries(names, nn.Values(model)), checkpoint.WriteOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	f, err := checkpoint.Parse("net", file.Bytes(), checkpoint.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for t := range f.Tensors() {
		fmt.Println(t.Name, t.Shape)
	}
	// Output:
	// bn1.bias [4]
	// bn1.running_mean [4]
	// bn1.running_var [4]
	// bn1.weight [4]
	// fc.bias [2]
	// fc.weight [2 4]
}
