package main

import "github.com/fovea-ml/fovea/examples/internal/console"

// result is the value that -json prints.
type result struct {
	PretrainLoss     []console.Number `json:"pretrain_loss"`
	FinetuneAccuracy console.Number   `json:"finetune_accuracy"`
	ScratchAccuracy  console.Number   `json:"scratch_accuracy"`
	Out              console.Name     `json:"out"`
}

// resultOf converts an outcome for -json.
func resultOf(o *outcome, out string) result {
	r := result{
		PretrainLoss:     []console.Number{},
		FinetuneAccuracy: console.Number(o.Finetune.accuracy()),
		ScratchAccuracy:  console.Number(o.Scratch.accuracy()),
		Out:              console.Name(out),
	}
	for _, l := range o.PretrainLoss {
		r.PretrainLoss = append(r.PretrainLoss, console.Number(l))
	}
	return r
}
