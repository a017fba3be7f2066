package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

// The methods, from the fastest to the slowest.
const (
	headOnly = "head" // logistic regression on features, which are computed once
	adapters = "lora" // low-rank adapters of attention and MLP, and the head
	full     = "full" // all weights
)

var methods = []string{headOnly, adapters, full}

// settings are the values of the flags. The fields with a JSON name determine the result of a run. They are saved, and a
// run is continued with the same values. The other fields may change then.
type settings struct {
	Model     string        `json:"model"` // "" is a small ViT from scratch
	Data      string        `json:"data"`
	Test      string        `json:"test"` // "" takes a part of the data
	Method    string        `json:"method"`
	Budget    time.Duration `json:"budget"` // 0 is none
	Epochs    int           `json:"epochs"` // 0 is the recipe's
	Batch     int           `json:"batch"`
	Rate      float64       `json:"rate"` // 0 is the recipe's
	Size      int           `json:"size"` // 0 is the model's
	Rank      int           `json:"rank"`
	Freeze    int           `json:"freeze"`
	Augment   string        `json:"augment"`
	Balance   bool          `json:"balance"`
	Recompute bool          `json:"recompute"`
	Patience  int           `json:"patience"`
	Seed      uint64        `json:"seed"`
	Math      simd.Math     `json:"math"`

	Out     string `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`

	given []string // the names of the flags on the command line
}

const about = `Trains a Vision Transformer to classify your own images, in a folder with one sub-folder for each class: finetune -model MODEL -data DIR [flags]`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "start from a Vision Transformer: a `folder`, a file of weights, or owner/name on the hub (default: a small one from scratch)")
	f.StringVar(&s.Data, "data", "", "`folder` of images with one sub-folder for each class, or with the sub-folders train, val and test of such folders; or a table of images and labels, .csv or .tsv")
	f.StringVar(&s.Test, "test", "", "test on the images in a `folder` or table (default: a fifth of each class)")
	f.StringVar(&s.Method, "method", "", "train by `M`: head, lora or full (default: as -budget says, or the head; from scratch, full)")
	f.DurationVar(&s.Budget, "budget", 0, "choose the method, and the epochs, that fit into a `time` such as 30m or 2h")
	f.IntVar(&s.Epochs, "epochs", 0, "train for at most `N` epochs (default: 20, from scratch 40, or what fits -budget)")
	f.IntVar(&s.Batch, "batch", 32, "train on `N` images in each step")
	f.Float64Var(&s.Rate, "rate", 0, "highest learning `rate` (default: 5e-4, with lora or from scratch 1e-3)")
	f.IntVar(&s.Size, "size", 0, "train on images of `N`×N pixels (default: those of the model; from scratch 64, or 32 for small images)")
	f.IntVar(&s.Rank, "rank", 8, "`N`umber of rows of each adapter of -method lora")
	f.IntVar(&s.Freeze, "freeze", 0, "with -method full, do not train the embeddings and the first `N` blocks")
	f.StringVar(&s.Augment, "augment", "light", "change training images `HOW`: none, light (parts and mirrored images), or strong (also colors, shapes, erased parts, Mixup and CutMix, drop path and averaged weights)")
	f.BoolVar(&s.Balance, "balance", false, "let rare classes count as much as others, and validate by the mean over classes")
	f.BoolVar(&s.Recompute, "recompute", false, "need less memory and a third more time (gradient checkpointing)")
	f.IntVar(&s.Patience, "patience", 5, "end after `N` epochs without a better validation; 0 never does")
	f.StringVar(&s.Out, "out", "finetuned", "write results to `DIR`")
	f.Uint64Var(&s.Seed, "seed", 1, "seed of all random numbers; the same seed gives the same run")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output, and everything else on standard error")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.TextVar(&s.Math, "math", simd.Strict, console.TrainingMathUsage)
	if err := console.ParseFlags(f, args, stdout, about); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("expected flags only, found %q", f.Arg(0))
	}
	f.Visit(func(f *flag.Flag) { s.given = append(s.given, f.Name) })
	return s, s.check()
}

// method returns the method that the flags name or imply, or "" where -budget chooses it.
func (s *settings) method() string {
	switch {
	case s.Method != "":
		return s.Method
	case s.Model == "":
		return full
	case s.Budget == 0:
		return headOnly
	}
	return ""
}

// takers are the methods on which a flag has an effect. Flags that are not here have one on all methods.
var takers = map[string][]string{
	"augment": {adapters, full}, "batch": {adapters, full}, "epochs": {adapters, full}, "patience": {adapters, full},
	"rate": {adapters, full}, "recompute": {adapters, full}, "rank": {adapters},
}

// unused returns the flags on the command line that have no effect on a method.
func (s *settings) unused(method string) (names []string) {
	for _, name := range s.given {
		if list, ok := takers[name]; ok && !slices.Contains(list, method) {
			names = append(names, name)
		}
	}
	return names
}

// check returns an error for the first invalid setting.
func (s *settings) check() error {
	switch {
	case s.Data == "":
		return errors.New("-data: expected a folder of images; -h lists the flags")
	case s.Out == "":
		return errors.New("-out: expected a folder")
	case s.Method != "" && !slices.Contains(methods, s.Method):
		return fmt.Errorf("-method: expected head, lora or full, found %q", s.Method)
	case s.Model == "" && s.Method != "" && s.Method != full:
		return fmt.Errorf("-method %s needs -model: it adds to what a pretrained model knows", s.Method)
	case s.Budget < 0:
		return fmt.Errorf("-budget: expected a time such as 30m, found %v", s.Budget)
	case s.Epochs < 0 || s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected 0 to 1000000, found %d", s.Epochs)
	case s.Batch < 1 || s.Batch > 1<<16:
		return fmt.Errorf("-batch: expected 1 to 65536, found %d", s.Batch)
	case !(s.Rate >= 0 && s.Rate <= 1):
		return fmt.Errorf("-rate: expected a number above 0 and at most 1, found %v", s.Rate)
	case s.Size < 0 || s.Size > 4096:
		return fmt.Errorf("-size: expected 0 to 4096, found %d", s.Size)
	case s.Model == "" && s.Size%8 != 0:
		return fmt.Errorf("-size: expected a multiple of 8 for a model from scratch, found %d", s.Size)
	case s.Rank < 1 || s.Rank > 4096:
		return fmt.Errorf("-rank: expected 1 to 4096, found %d", s.Rank)
	case s.Freeze < 0 || s.Freeze > 0 && s.Method != full:
		return errors.New("-freeze: expected a number of blocks, beside -method full")
	case !slices.Contains([]string{"none", "light", "strong"}, s.Augment):
		return fmt.Errorf("-augment: expected none, light or strong, found %q", s.Augment)
	case s.Patience < 0:
		return fmt.Errorf("-patience: expected at least 0, found %d", s.Patience)
	}
	if method := s.method(); method != "" && len(s.unused(method)) > 0 {
		name := s.unused(method)[0]
		return fmt.Errorf("-%s: it has no effect on the method %s, expected -method %s beside it", name, method, strings.Join(takers[name], " or "))
	}
	if err := console.CheckTrainingMath(s.Math); err != nil {
		return err
	}
	return console.CheckThreads(s.Threads)
}
