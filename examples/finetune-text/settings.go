package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

// settings are the values of the flags. The fields with a JSON name determine the result of a run. They are saved, and
// a resumed run has the same values. The other fields may change when a run is resumed.
type settings struct {
	Model      string    `json:"model"` // "" is a small BERT from scratch
	Data       string    `json:"data"`  // "" are the embedded reviews
	Test       string    `json:"test"`  // "" takes a part of the data
	Text       string    `json:"text"`
	Label      string    `json:"label"`
	Epochs     int       `json:"epochs"`
	Batch      int       `json:"batch"`
	Rate       float64   `json:"rate"` // 0 is the recipe's
	Tokens     int       `json:"max-tokens"`
	LayerDecay float64   `json:"layer-decay"`
	Freeze     int       `json:"freeze"`
	Rank       int       `json:"lora"`
	Balance    bool      `json:"balance"`
	Patience   int       `json:"patience"`
	Seed       uint64    `json:"seed"`
	Math       simd.Math `json:"math"`

	Out     string `json:"-"`
	Resume  bool   `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`
}

const about = `Trains a classifier of texts from a pretrained BERT, on a table of texts and labels, and shows its accuracy beside baselines.`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "start from BERT or a variant: a `folder` of transformers, or owner/name on the hub (default: a small BERT from scratch)")
	f.StringVar(&s.Data, "data", "", "train on the rows of a `file`, .csv, .tsv or .jsonl (default: the embedded movie reviews)")
	f.StringVar(&s.Test, "test", "", "test on the rows of a `file` (default: a fifth of the rows of -data)")
	f.StringVar(&s.Text, "text", "text", "`name` of the column of texts")
	f.StringVar(&s.Label, "label", "label", "`name` of the column of labels")
	f.IntVar(&s.Epochs, "epochs", 0, "train for at most `N` epochs (default: 4, from scratch 15)")
	f.IntVar(&s.Batch, "batch", 16, "train on `N` texts in each step")
	f.Float64Var(&s.Rate, "rate", 0, "highest learning `rate` (default: 5e-5, with -lora 5e-4, from scratch 1e-3)")
	f.IntVar(&s.Tokens, "max-tokens", 0, "cut texts to `N` tokens (default: what the model takes)")
	f.Float64Var(&s.LayerDecay, "layer-decay", 1, "multiply the rate by `x` for each layer below the last")
	f.IntVar(&s.Freeze, "freeze", 0, "do not train the embeddings and the first `N` layers; -1 trains the head alone")
	f.IntVar(&s.Rank, "lora", 0, "train adapters of rank `N` and the head alone")
	f.BoolVar(&s.Balance, "balance", false, "let the texts of rare classes count more, and validate by the mean over classes")
	f.IntVar(&s.Patience, "patience", 2, "end after `N` epochs without a better validation; 0 never does")
	f.StringVar(&s.Out, "out", "finetuned-text", "write results to `DIR`")
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
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if s.Resume {
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
	case s.Test != "" && s.Data == "":
		return errors.New("-test needs -data")
	case s.Text == s.Label:
		return fmt.Errorf("-text and -label: expected two columns, found %q for both", s.Text)
	case s.Epochs < 0 || s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected 0 to 1000000, found %d", s.Epochs)
	case s.Batch < 1 || s.Batch > 1<<16:
		return fmt.Errorf("-batch: expected 1 to 65536, found %d", s.Batch)
	case !(s.Rate >= 0 && s.Rate <= 1):
		return fmt.Errorf("-rate: expected 0, the default, to 1, found %v", s.Rate)
	case s.Tokens < 0 || s.Tokens > 0 && s.Tokens < 3:
		return fmt.Errorf("-max-tokens: expected 0, the default, or at least 3, found %d", s.Tokens)
	case !(s.LayerDecay > 0 && s.LayerDecay <= 1):
		return fmt.Errorf("-layer-decay: expected a number above 0 and at most 1, found %v", s.LayerDecay)
	case s.Freeze < -1:
		return fmt.Errorf("-freeze: expected at least -1, found %d", s.Freeze)
	case s.Rank < 0 || s.Rank > 4096:
		return fmt.Errorf("-lora: expected 0 to 4096, found %d", s.Rank)
	case s.Rank > 0 && s.Freeze != 0:
		return errors.New("-lora trains adapters and the head alone: it does not go with -freeze")
	case s.Rank > 0 && s.Model == "":
		return errors.New("-lora needs -model: adapters change a pretrained model")
	case s.Patience < 0:
		return fmt.Errorf("-patience: expected at least 0, found %d", s.Patience)
	}
	if err := console.CheckTrainingMath(s.Math); err != nil {
		return err
	}
	return console.CheckThreads(s.Threads)
}
