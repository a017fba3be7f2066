package main

import (
	"strconv"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// result is the value that -json prints.
type result struct {
	Loss      []console.Number    `json:"loss"`
	ZeroShot  *console.Number     `json:"zeroshot_accuracy"` // with prompts that training did not use
	Seen      *console.Number     `json:"seen_prompts_accuracy"`
	Linear    *console.Number     `json:"linear_accuracy"`
	Pixels    *console.Number     `json:"pixels_accuracy"`
	Chance    *console.Number     `json:"chance_accuracy"`
	Retrieval *retrieval          `json:"retrieval"`
	Before    *console.Number     `json:"before"` // zeroshot_accuracy, or recall@1 of images by captions, of the model of -init
	Math      *console.Arithmetic `json:"math,omitempty"`
	Out       console.Name        `json:"out"`
}

// retrieval holds recall@k by k.
type retrieval struct {
	Images  int                       `json:"images"`
	ToText  map[string]console.Number `json:"image_to_text"`
	ToImage map[string]console.Number `json:"text_to_image"`
	Chance  map[string]console.Number `json:"chance"`
}

// resultOf converts an outcome for -json.
func resultOf(o *outcome, s *settings) result {
	r := result{Loss: []console.Number{}, Math: console.ArithmeticOf(s.Math), Out: console.Name(s.Out)}
	for _, l := range o.Loss {
		r.Loss = append(r.Loss, console.Number(l))
	}
	number := func(v float64) *console.Number { return new(console.Number(v)) }
	if o.Before != nil {
		r.Before = number(*o.Before)
	}
	if a := o.Accuracies; a != nil {
		r.ZeroShot, r.Seen, r.Linear, r.Pixels, r.Chance = number(a.Unseen), number(a.Seen), number(a.Linear), number(a.Pixels), number(a.Chance)
	}
	if t := o.Recalls; t != nil {
		byK := func(values [len(cutoffs)]float64) map[string]console.Number {
			m := map[string]console.Number{}
			for i, k := range cutoffs {
				m[strconv.Itoa(k)] = console.Number(values[i])
			}
			return m
		}
		r.Retrieval = &retrieval{t.Images, byK(t.ToText), byK(t.ToImage), byK(t.Chance)}
	}
	return r
}
