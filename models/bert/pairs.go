package bert

import "github.com/fovea-ml/fovea/text"

// Pair is two texts. An empty second text is a text all the same, as in the batches of transformers.
type Pair struct{ First, Second string }

func pairs(list []Pair) []text.Input {
	inputs := make([]text.Input, len(list))
	for i, p := range list {
		inputs[i] = text.Input{Text: p.First, Pair: &text.Input{Text: p.Second}}
	}
	return inputs
}

// texts returns texts as inputs.
func texts(list []string) []text.Input {
	inputs := make([]text.Input, len(list))
	for i, s := range list {
		inputs[i].Text = s
	}
	return inputs
}
