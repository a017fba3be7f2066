package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/bert"
)

// encoder returns the configuration of a text encoder and the number of tokens of its texts: minilm (MiniLM-L6) or bert
// (BERT-base).
func encoder(name string) (c bert.Config, tokens int, err error) {
	switch name {
	case "minilm":
		return bert.MiniLM(), 64, nil
	case "bert":
		return bert.Base(), 128, nil
	}
	return c, 0, fmt.Errorf("unknown encoder %q", name)
}

// sequences returns a batch of texts of equal length.
func sequences(tokens, batch int) bert.Input {
	in := bert.Input{Starts: []int{0}}
	for i := range batch * tokens {
		in.IDs = append(in.IDs, 1000+i)
	}
	for range batch {
		in.Starts = append(in.Starts, in.Starts[len(in.Starts)-1]+tokens)
	}
	return in
}

// text computes hidden states.
func text(e engine, name string, batch int) (func(), error) {
	c, tokens, err := encoder(name)
	if err != nil {
		return nil, err
	}
	m, in := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 1))), sequences(tokens, batch)
	tape := e.tape()
	return func() {
		m.Hidden(tape, in)
		tape.Reset()
	}, nil
}

// finetune trains a classifier with two classes.
func finetune(e engine, name string, batch int) (func(), error) {
	c, tokens, err := encoder(name)
	if err != nil {
		return nil, err
	}
	m, in := bert.New(c, bert.SequenceClassification, 2, rand.New(rand.NewPCG(1, 1))), sequences(tokens, batch)
	labels := make([]int, batch)
	return step(e, m, func(t *autograd.Tape) *autograd.Tensor {
		return autograd.CrossEntropy(m.Forward(t, in), labels, autograd.CrossEntropyOptions{})
	}), nil
}
