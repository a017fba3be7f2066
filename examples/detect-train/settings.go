package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

// settings are the values of the flags. The fields with a JSON name determine the result of a run. They are saved, and
// a resumed run has the same values. The other fields may change when a run is resumed.
type settings struct {
	Data     string        `json:"data"`
	Model    string        `json:"model"`
	Init     string        `json:"init"`   // "" starts from random weights
	Freeze   string        `json:"freeze"` // "" is the recipe's
	Size     int           `json:"size"`   // 0 is the recipe's
	Epochs   int           `json:"epochs"` // 0 is the recipe's, or what fits Budget
	Budget   time.Duration `json:"budget"` // 0 is none
	Batch    int           `json:"batch"`
	Rate     float64       `json:"rate"` // 0 is the recipe's
	Augment  string        `json:"augment"`
	Scales   bool          `json:"scales"`
	EMA      bool          `json:"ema"`
	Patience int           `json:"patience"`
	Skip     bool          `json:"skip-errors"`
	Seed     uint64        `json:"seed"`
	Math     simd.Math     `json:"math"`

	Out     string `json:"-"`
	Resume  bool   `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`

	planned int // epochs of the run
}

const about = `Trains a detector on your own images with boxes, in the format of PASCAL VOC, COCO or YOLO: detect-train -data DIR [flags]`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&s.Data, "data", "", "`folder` of images with boxes in the layout of PASCAL VOC, COCO or YOLO, or a JSON file of COCO")
	f.StringVar(&s.Model, "model", "", "train a detector of this `type`: from scratch "+strings.Join(types(), ", ")+"; with -init the type that it must be (default: fcos, or that of -init)")
	f.StringVar(&s.Init, "init", "", "start from the detector in a `path`, a folder or a file of weights, or owner/name on the hub (default: a small one from scratch)")
	f.StringVar(&s.Freeze, "freeze", "", "do not train a `part` of the backbone: none, all, or the number of first stages of a ResNet (default: none, with -init 1 stage)")
	f.IntVar(&s.Size, "size", 0, "resize images so that the shorter side has `N` pixels, or to squares of N pixels where the detector takes these (default: that of -init; from scratch 256)")
	f.IntVar(&s.Epochs, "epochs", 0, "train for at most `N` epochs (default: 60, with -init 20, or what fits -budget)")
	f.DurationVar(&s.Budget, "budget", 0, "train for as many epochs as fit into a `time` such as 30m or 2h")
	f.IntVar(&s.Batch, "batch", 8, "train on `N` images in each step")
	f.Float64Var(&s.Rate, "rate", 0, "highest learning `rate` (default: 1e-3, with -init 2e-4)")
	f.StringVar(&s.Augment, "augment", "light", "change training images `HOW`: none, light (parts, mirrored images, colors), or strong (also mosaics, smaller images and mixed ones)")
	f.BoolVar(&s.Scales, "scales", false, "let the size of images differ from step to step, from three quarters to five quarters of -size")
	f.BoolVar(&s.EMA, "ema", false, "validate and keep an average of the weights")
	f.IntVar(&s.Patience, "patience", 10, "end after `N` epochs without a better validation; 0 never does")
	f.BoolVar(&s.Skip, "skip-errors", false, "leave out annotations and images that cannot be used, and list the first; otherwise the first is an error")
	f.StringVar(&s.Out, "out", "detector", "write results to `DIR`")
	f.BoolVar(&s.Resume, "resume", false, "continue the unfinished run in the folder of -out, with its flags")
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
	if s.Resume {
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if err := s.restore(given); err != nil {
			return s, err
		}
	}
	return s, s.check()
}

// types returns the detectors that -model names.
func types() []string { return slices.Sorted(maps.Keys(scratch)) }

// check returns an error for the first invalid setting.
func (s *settings) check() error {
	switch {
	case s.Data == "":
		return errors.New("-data: expected a folder of images with boxes; -h lists the flags")
	case s.Out == "":
		return errors.New("-out: expected a folder")
	case s.Model != "" && s.Init == "" && scratch[s.Model] == nil:
		return fmt.Errorf("-model: expected one of %s without -init, found %q", strings.Join(types(), ", "), s.Model)
	case s.Size != 0 && (s.Size < 32 || s.Size > 2048):
		return fmt.Errorf("-size: expected 32 to 2048, found %d", s.Size)
	case s.Epochs < 0 || s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected 0 to 1000000, found %d", s.Epochs)
	case s.Budget < 0:
		return fmt.Errorf("-budget: expected a time such as 30m, found %v", s.Budget)
	case s.Budget > 0 && s.Epochs > 0:
		return errors.New("-budget: expected no -epochs beside it")
	case s.Batch < 1 || s.Batch > 1<<12:
		return fmt.Errorf("-batch: expected 1 to 4096, found %d", s.Batch)
	case !(s.Rate >= 0 && s.Rate <= 1):
		return fmt.Errorf("-rate: expected a number above 0 and at most 1, found %v", s.Rate)
	case !slices.Contains([]string{"none", "light", "strong"}, s.Augment):
		return fmt.Errorf("-augment: expected none, light or strong, found %q", s.Augment)
	case s.Patience < 0:
		return fmt.Errorf("-patience: expected at least 0, found %d", s.Patience)
	}
	if _, err := s.frozen(); err != nil {
		return err
	}
	if err := console.CheckTrainingMath(s.Math); err != nil {
		return err
	}
	return console.CheckThreads(s.Threads)
}

// frozen returns the number of stages to freeze, as detect.TrainOptions counts them: -1 for all.
func (s *settings) frozen() (int, error) {
	switch s.Freeze {
	case "none", "":
		return 0, nil
	case "all":
		if s.Init == "" {
			return 0, errors.New("-freeze all: expected -init: a backbone from scratch must be trained")
		}
		return -1, nil
	}
	n, err := strconv.Atoi(s.Freeze)
	if err != nil || n < 1 || n > 4 {
		return 0, fmt.Errorf("-freeze: expected none, all, or a number of stages from 1 to 4, found %q", s.Freeze)
	}
	if s.Init == "" {
		return 0, fmt.Errorf("-freeze %d: expected -init: a backbone from scratch must be trained", n)
	}
	return n, nil
}
