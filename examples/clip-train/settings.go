package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// settings are the values of the flags. The fields with a JSON name determine the result of a run. They are saved, and
// a resumed run has the same values. The other fields may change when a run is resumed.
type settings struct {
	Data       string    `json:"data"` // "" is the embedded Fashion-MNIST
	Init       string    `json:"init"` // "" starts from random weights
	Epochs     int       `json:"epochs"`
	Batch      int       `json:"batch"`
	Seed       uint64    `json:"seed"`
	Math       simd.Math `json:"math"`
	SkipBroken bool      `json:"skip-broken"`

	Out     string `json:"-"`
	Resume  bool   `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`
}

const about = `Trains a small CLIP from scratch on images with captions, and shows its zero-shot accuracy or its retrieval beside baselines.`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("clip-train", flag.ContinueOnError)
	f.StringVar(&s.Data, "data", "", "train on the pairs of a `table` of images and captions (.csv or .tsv), or of tar shards such as 'pairs/{000..009}.tar', instead of the embedded Fashion-MNIST")
	f.StringVar(&s.Init, "init", "", "train further the CLIP in `DIR`, in the layout of Hugging Face or open_clip, or owner/name on the hub, with its tokenizer and a low learning rate")
	f.IntVar(&s.Epochs, "epochs", 0, "train for `N` epochs (default: about 2500 steps, with -init 500)")
	f.IntVar(&s.Batch, "batch", 64, "compare `N` images with N captions in each step")
	f.StringVar(&s.Out, "out", "clip-out", "write results to `DIR`")
	f.BoolVar(&s.Resume, "resume", false, "continue the unfinished run in the folder of -out, with its flags")
	f.Uint64Var(&s.Seed, "seed", 1, "seed of all random numbers; the same seed gives the same run")
	f.BoolVar(&s.SkipBroken, "skip-broken", false, "skip unreadable images and images without a caption, and list the first")
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

// check returns an error for the first invalid setting.
func (s *settings) check() error {
	switch {
	case s.Out == "":
		return errors.New("-out: expected a folder")
	case s.Epochs < 0 || s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected 0 to 1000000, found %d", s.Epochs)
	case s.Batch < 2 || s.Batch > 1<<16:
		return fmt.Errorf("-batch: expected 2 to 65536, found %d", s.Batch)
	}
	if err := console.CheckTrainingMath(s.Math); err != nil {
		return err
	}
	return console.CheckThreads(s.Threads)
}

// recipe holds the choices that are not flags.
type recipe struct {
	Steps       int // approximate
	Rate        float64
	Warmup      float64 // share of the run in which the learning rate rises
	WeightDecay float64
	Augment     vision.Augment
	Tokens      int // size of the tokenizer's vocabulary
	Context     int // most tokens of a caption
	Image       int // size of images
	Patch       int
	TestShare   float64 // of the images, for data without test images
	TestMost    int     // test images
	ProbeC      float64 // inverse of the penalty of the linear probe; 0 chooses it by validation
}

// fashionRecipe is the recipe for the embedded images.
func fashionRecipe() recipe {
	return recipe{
		Steps: 2500, Rate: 1e-3, Warmup: 0.1, WeightDecay: 0.1, Augment: vision.Augment{Flip: 0.5, Shift: 2},
		Tokens: 640, Context: 32, Image: 28, Patch: 7,
		ProbeC: 0.316, // that of OpenAI's example; a search would take longer than the training
	}
}

// pairsRecipe is the recipe for pairs of one's own, of any size. Captions may say where things are, so images are not
// mirrored.
func pairsRecipe() recipe {
	r := fashionRecipe()
	r.Augment = vision.Augment{Crop: true, Scale: [2]float64{0.5, 1}}
	r.Tokens, r.Context, r.Image, r.Patch = 4096, 77, 64, 8
	r.TestShare, r.TestMost = 0.1, 1000
	return r
}

// further changes a recipe for a model that is trained already.
func (r recipe) further() recipe {
	r.Steps, r.Rate = 500, 1e-5
	return r
}

// config describes the model: an image tower of 4 blocks of width 96, a text tower of 2 blocks of width 64.
func (r recipe) config(vocabulary int) clip.Config {
	c := clip.BasePatch32()
	v := &c.Vision
	v.ImageSize, v.PatchSize = r.Image, r.Patch
	v.HiddenSize, v.NumHiddenLayers, v.NumAttentionHeads, v.IntermediateSize = 96, 4, 2, 384
	t := &c.Text
	t.VocabSize, t.MaxPositionEmbeddings, t.EOSTokenID = vocabulary, r.Context, vocabulary-1
	t.HiddenSize, t.NumHiddenLayers, t.NumAttentionHeads, t.IntermediateSize = 64, 2, 2, 256
	c.ProjectionDim = 64
	return c
}
