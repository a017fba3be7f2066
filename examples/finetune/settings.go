package main

import (
	"errors"
	"flag"
	"io"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// settings are the values of the flags.
type settings struct {
	model, data, out string
	threads          int
	json             bool
}

// answer is the result in JSON.
type answer struct {
	Epoch    int            `json:"epoch"`
	Accuracy console.Double `json:"accuracy"`
	Chance   console.Double `json:"chance_accuracy"`
	Out      console.Name   `json:"out"`
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (s settings, err error) {
	f := flag.NewFlagSet("finetune", flag.ContinueOnError)
	f.StringVar(&s.model, "model", "", "pretrained Vision Transformer: a `folder`, a file of weights, or owner/name on the hub")
	f.StringVar(&s.data, "data", "", "`folder` of images with one sub-folder for each class")
	f.StringVar(&s.out, "out", "finetuned", "write the classifier to `folder`")
	f.IntVar(&s.threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.BoolVar(&s.json, "json", false, "print one JSON value on standard output, and lines on standard error")
	if err = console.ParseFlags(f, args, stdout, "Trains a classifier of your own images: finetune -model MODEL -data DIR [flags]"); err != nil {
		return s, err
	}
	if s.model == "" || s.data == "" {
		return s, errors.New("expected -model and -data; -h lists the flags")
	}
	return s, console.CheckThreads(s.threads)
}
