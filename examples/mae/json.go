package main

import "github.com/fovea-ml/fovea/examples/internal/console"

// result is the value that -json prints.
type result struct {
	PretrainLoss      []console.Number    `json:"pretrain_loss"`
	FinetuneAccuracy  console.Number      `json:"finetune_accuracy"`
	ScratchAccuracy   console.Number      `json:"scratch_accuracy"`
	BaselineAccuracy  console.Number      `json:"baseline_accuracy"`  // logistic regression on pixels
	NeighborsAccuracy console.Number      `json:"neighbors_accuracy"` // on frozen features
	ProbeAccuracy     console.Number      `json:"probe_accuracy"`     // logistic regression on frozen features
	SelfTrainAccuracy console.Number      `json:"selftrain_accuracy"` // fine-tuned, then self-trained
	Math              *console.Arithmetic `json:"math,omitempty"`
	Out               console.Name        `json:"out"`
}

// resultOf converts an outcome for -json.
func resultOf(o *outcome, s *settings) result {
	r := result{
		PretrainLoss:      []console.Number{},
		FinetuneAccuracy:  console.Number(o.Finetune.accuracy()),
		ScratchAccuracy:   console.Number(o.Scratch.accuracy()),
		BaselineAccuracy:  console.Number(o.Baseline),
		NeighborsAccuracy: console.Number(o.Neighbors),
		ProbeAccuracy:     console.Number(o.Probe),
		SelfTrainAccuracy: console.Number(o.SelfTrain.accuracy()),
		Math:              console.ArithmeticOf(s.Math),
		Out:               console.Name(s.Out),
	}
	for _, l := range o.PretrainLoss {
		r.PretrainLoss = append(r.PretrainLoss, console.Number(l))
	}
	return r
}
