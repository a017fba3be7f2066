package main

import (
	"encoding/json"
	"math"
	"strconv"
)

// result is what -json prints.
type result struct {
	PretrainLoss     []number `json:"pretrain_loss"`
	FinetuneAccuracy number   `json:"finetune_accuracy"`
	ScratchAccuracy  number   `json:"scratch_accuracy"`
	Out              string   `json:"out"`
}

// jsonOf is an outcome in the form that -json prints.
func jsonOf(o *outcome, out string) ([]byte, error) {
	r := result{
		PretrainLoss:     []number{},
		FinetuneAccuracy: number(o.Finetune.accuracy()),
		ScratchAccuracy:  number(o.Scratch.accuracy()),
		Out:              out,
	}
	for _, l := range o.PretrainLoss {
		r.PretrainLoss = append(r.PretrainLoss, number(l))
	}
	return json.Marshal(r)
}

// number is a float32 in JSON: in full, or null when it is not finite.
type number float32

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 32), nil
}
