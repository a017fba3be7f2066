// Command maestudy measures the figures in docs/masked-autoencoders.md, on the embedded Fashion-MNIST.
//
//	go run ./bench/maestudy -out mae-study [-only labels,mask,pixels,time] [-seeds 3] [-epochs N]
//
// The parts of the study are:
//
//   - labels: accuracy for different numbers of labels
//   - mask: accuracy for different shares of hidden patches
//   - pixels: accuracy when normalized and when raw pixels are predicted
//   - time: time of a step with the encoder on the visible patches and on all patches
//
// It runs examples/mae for each row and seed, and prints Markdown tables. With three seeds it pre-trains 21 models, which
// takes one to two hours on two cores.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/models/mae"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("maestudy: ")
	s := study{}
	only := flag.String("only", "labels,mask,pixels,time", "`parts` of the study")
	flag.StringVar(&s.out, "out", "mae-study", "`folder` for the runs")
	flag.IntVar(&s.seeds, "seeds", 3, "number of seeds for each measurement")
	flag.IntVar(&s.epochs, "epochs", -1, "epochs of pre-training (default: the example's)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for part := range strings.SplitSeq(*only, ",") {
		var err error
		switch part {
		case "labels":
			err = s.byLabels(ctx)
		case "mask":
			err = s.byMask(ctx)
		case "pixels":
			err = s.byPixels(ctx)
		case "time":
			err = steps(ctx)
		default:
			err = fmt.Errorf("-only: unknown part %q", part)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

type study struct {
	out           string
	seeds, epochs int
	program       string
}

// result is the JSON output of examples/mae.
type result struct {
	PretrainLoss []float64 `json:"pretrain_loss"`
	Finetune     float64   `json:"finetune_accuracy"`
	Scratch      float64   `json:"scratch_accuracy"`
	Baseline     float64   `json:"baseline_accuracy"`
	Neighbors    float64   `json:"neighbors_accuracy"`
	Probe        float64   `json:"probe_accuracy"`
	SelfTrain    float64   `json:"selftrain_accuracy"`
}

// run runs examples/mae with its results in the named folder. It keeps the JSON output there; a second call with the
// same name returns it.
func (s *study) run(ctx context.Context, name string, args ...string) (r result, err error) {
	out := filepath.Join(s.out, name)
	kept := filepath.Join(out, "result.json")
	data, err := os.ReadFile(kept)
	if err != nil {
		if s.program == "" {
			if err := os.MkdirAll(s.out, 0o777); err != nil {
				return r, err
			}
			s.program = filepath.Join(s.out, "mae.exe")
			build := exec.CommandContext(ctx, "go", "build", "-o", s.program, "github.com/fovea-ml/fovea/examples/mae")
			build.Stderr = os.Stderr
			if err := build.Run(); err != nil {
				return r, err
			}
			if s.program, err = filepath.Abs(s.program); err != nil {
				return r, err
			}
		}
		c := exec.CommandContext(ctx, s.program, append(args, "-json", "-out", out)...)
		c.Stderr = os.Stderr
		if data, err = c.Output(); err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(kept, data, 0o666); err != nil {
			return r, err
		}
	}
	return r, json.Unmarshal(data, &r)
}

// pretrained returns the folder of the model that the standard run with a seed pre-trains.
func (s *study) pretrained(ctx context.Context, seed int) (string, error) {
	name := fmt.Sprint("base-", seed)
	_, err := s.run(ctx, name, s.args(seed)...)
	return filepath.Join(s.out, name, "pretrained"), err
}

func (s *study) args(seed int, more ...string) []string {
	args := append([]string{"-seed", fmt.Sprint(seed)}, more...)
	if s.epochs >= 0 {
		args = append(args, "-epochs", fmt.Sprint(s.epochs))
	}
	return args
}

// byLabels trains classifiers from the same pre-trained models on different numbers of labels.
func (s *study) byLabels(ctx context.Context) error {
	fmt.Print("\n| labels a class | logistic regression on pixels | from scratch | frozen, neighbors | frozen, logistic regression | fine-tuned | self-trained |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{1, 2, 5, 10, 20, 50, 100} {
		columns := make([][]float64, 6)
		for seed := 1; seed <= s.seeds; seed++ {
			from, err := s.pretrained(ctx, seed)
			if err != nil {
				return err
			}
			r, err := s.run(ctx, fmt.Sprintf("labels-%d-%d", n, seed), "-init", from, "-epochs", "0", "-labels", fmt.Sprint(n), "-seed", fmt.Sprint(seed))
			if err != nil {
				return err
			}
			for i, share := range []float64{r.Baseline, r.Scratch, r.Neighbors, r.Probe, r.Finetune, r.SelfTrain} {
				columns[i] = append(columns[i], 100*share)
			}
		}
		fmt.Printf("| %d |", n)
		for _, c := range columns {
			fmt.Printf(" %s |", spread(c))
		}
		fmt.Println()
	}
	return nil
}

// byMask pre-trains with different shares of hidden patches.
func (s *study) byMask(ctx context.Context) error {
	fmt.Print("\n| hidden | loss in the last epoch | frozen, logistic regression | fine-tuned |\n|---|---|---|---|\n")
	for _, share := range []string{"0.25", "0.55", "0.75", "0.9"} {
		if err := s.row(ctx, share, "mask-"+share, "-mask", share); err != nil {
			return err
		}
	}
	return nil
}

// byPixels pre-trains to predict normalized and raw pixels.
func (s *study) byPixels(ctx context.Context) error {
	fmt.Print("\n| predicts | loss in the last epoch | frozen, logistic regression | fine-tuned |\n|---|---|---|---|\n")
	from, err := s.pretrained(ctx, 1)
	if err != nil {
		return err
	}
	base, err := mae.Load(os.DirFS(from), mae.LoadOptions{})
	if err != nil {
		return err
	}
	for _, normalized := range []bool{true, false} {
		name := map[bool]string{true: "normalized", false: "raw"}[normalized]
		c := base.Config
		c.NormPixLoss = normalized
		m := mae.New(c, generator(1))
		m.Preprocess = base.Preprocess
		dir := filepath.Join(s.out, "start-"+name)
		if err := m.Save(dir, mae.SaveOptions{}); err != nil {
			return err
		}
		if err := s.row(ctx, name+" pixels", "pixels-"+name, "-init", dir); err != nil {
			return err
		}
	}
	return nil
}

// row runs one setting with all seeds and prints a row of the table.
func (s *study) row(ctx context.Context, title, name string, args ...string) error {
	var frozen, fine, losses []float64
	for seed := 1; seed <= s.seeds; seed++ {
		r, err := s.run(ctx, fmt.Sprintf("%s-%d", name, seed), s.args(seed, args...)...)
		if err != nil {
			return err
		}
		frozen, fine = append(frozen, 100*r.Probe), append(fine, 100*r.Finetune)
		losses = append(losses, r.PretrainLoss[len(r.PretrainLoss)-1])
	}
	fmt.Printf("| %s | %.3f | %s | %s |\n", title, mean(losses), spread(frozen), spread(fine))
	return nil
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// spread formats a mean, with the minimum and maximum if there are several values.
func spread(v []float64) string {
	if len(v) == 1 {
		return fmt.Sprintf("%.1f %%", v[0])
	}
	return fmt.Sprintf("%.1f %% (%.1f to %.1f)", mean(v), slices.Min(v), slices.Max(v))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return math.NaN()
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
