// Command detectstudy trains detectors with Fovea and with PyTorch, by the same recipe, and compares the results.
//
//	go run ./bench/detectstudy -cells DIR -python PYTHON -out detect-study
//
// PYTHON is a Python with torch, torchvision and safetensors. The images are the photographs of BCCD, a data set of blood cells:
// 205 for training and 72 for testing, stretched to squares of 224 pixels. The detectors are FCOS, CenterNet with plain
// transposed convolutions, and YOLOv1 without fully connected layers. Each is on a ResNet-18 of a quarter of the width, from
// scratch. PyTorch's FCOS is torchvision's, and the others are in detectors.py.
//
// The recipe is detect.Model.Training: AdamW, warm-up and half a cosine wave, clipped gradients, crops and flips. Both sides begin
// with the same weights and see the same batches: Fovea prepares them for both. Each side finds objects by its own code, and
// package metrics evaluates the detections of both. The study of a detector has two parts:
//
//   - 50 steps of SGD, whose losses are compared one by one
//   - full runs for several seeds, whose average precisions on the test images are compared
//
// Fovea also trains Faster R-CNN by this recipe. A table shows the precision and the time of all detectors.
//
// The program prints Markdown tables and writes curves.png. The runs are kept in the folder of -out: the same command continues
// an interrupted study. It builds as one static binary, which needs reference.py and detectors.py (-script), and with -jobs trains
// several models at once.
//
// curves.png beside this file is of a run with -epochs 20 and -device cuda: Fovea on one core of an Intel Xeon with AVX-512 for
// each model, and PyTorch 2.11 with torchvision 0.26 on an NVIDIA H200, without TF32. Test AP50 of three seeds in percent:
//
//	FCOS       72.3 73.6 74.8 with Fovea, 74.6 73.4 70.6 with PyTorch; the means differ by  0.7, with a standard error of 1.4
//	CenterNet  57.5 57.9 57.9 with Fovea, 58.3 58.1 57.7 with PyTorch; the means differ by -0.3, with a standard error of 0.2
//	YOLOv1     49.3 39.3 42.5 with Fovea, 42.7 51.5 47.9 with PyTorch; the means differ by -3.7, with a standard error of 3.9
//
// The AP50 of YOLOv1 varies by about 5 points from seed to seed after 20 epochs, on both sides, and these runs of PyTorch's side chose
// in float64 which box learns an object; it now does so in float32, as Fovea does. With -models yolov1 -epochs 40 -threads 1 on an
// AMD EPYC with AVX-512, beside PyTorch 2.15 on the same processor:
//
//	YOLOv1     51.7 50.3 55.9 with Fovea, 53.1 53.6 56.6 with PyTorch; the means differ by -1.8, with a standard error of 2.0
//
// With the same trained weights of YOLOv1, and of CenterNet, both sides find objects with the same twelve figures of COCO, to the
// three digits printed.
//
// Step by step, beside PyTorch 2.15 on a processor, the losses differ by at most 3.3e-5 of the loss with FCOS, 5.1e-4 with
// CenterNet, and 1.3e-5 with YOLOv1. In step 25 of YOLOv1, two boxes fit an object equally well, and rounding decides which one
// learns it. Their overlaps (IoU) with the object, from the predictions of each side in that step:
//
//	PyTorch    0.174582794 and 0.174585640    in float64 0.174582901 and 0.174585654: the second box
//	Fovea      0.174604535 and 0.174601391    in float64 0.174604537 and 0.174601377: the first box
//
// The sides differ by seven times as much as the boxes. So Fovea writes its predictions in each of the 50 steps, and PyTorch's side
// takes the box that Fovea took where the overlaps differ by less than 1e-5 on both sides; the program prints such a step. When each side
// chose for itself, the losses of that step differed by 1.5e-3, and those of the other steps by at most 1.5e-5. TestYOLOTie of
// models/detect shows how the last bit of one prediction changes the choice, and the loss.
//
// Beside YOLOv1, with 43.7 % on average, Faster R-CNN has an AP50 of 88.3 and 87.3 % in two seeds of the same 20 epochs. On one
// core of a busy AMD EPYC with AVX-512, an image takes 14 ms with YOLOv1, 24 ms with FCOS, 26 ms with CenterNet, and 78 ms with
// Faster R-CNN, whose weights were new.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fovea-ml/fovea/bench/internal/study"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("detectstudy: ")
	s := setting{}
	cells := flag.String("cells", "", "`folder` of BCCD, with Annotations, ImageSets and JPEGImages")
	models := flag.String("models", strings.Join(names(), ","), "the `detectors` to train")
	flag.StringVar(&s.python, "python", "python3", "`program` that runs Python with torch and torchvision")
	flag.StringVar(&s.script, "script", "bench/detectstudy/reference.py", "the `file` of PyTorch's side")
	flag.StringVar(&s.device, "device", "cpu", "where PyTorch runs: cpu or cuda")
	flag.StringVar(&s.out, "out", "detect-study", "`folder` for the runs")
	flag.IntVar(&s.seeds, "seeds", 3, "number of seeds")
	flag.IntVar(&s.epochs, "epochs", 40, "epochs of a run")
	flag.IntVar(&s.threads, "threads", 2, "cores of each run")
	flag.IntVar(&s.jobs, "jobs", 1, "runs of Fovea at a time")
	flag.IntVar(&s.torchJobs, "torch-jobs", 1, "runs of PyTorch at a time, beside those of Fovea unless both are 1")
	flag.Parse()
	if *cells == "" {
		log.Fatal("expected -cells, the folder of BCCD")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.all(ctx, *cells, strings.Split(*models, ",")); err != nil {
		log.Fatal(err)
	}
}

// setting holds the flags, which all parts use.
type setting struct {
	python, script, device, out             string
	seeds, epochs, threads, jobs, torchJobs int
}

// part is the study of one detector.
type part struct {
	setting
	detector
	cells
}

// all runs what has not been run, prints the tables and draws the curves.
func (s setting) all(ctx context.Context, folder string, models []string) error {
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return err
	}
	photographs, err := prepare(folder, filepath.Join(s.out, "cells"))
	if err != nil {
		return err
	}
	var parts []*part
	for _, name := range models {
		k := slices.IndexFunc(detectors, func(d detector) bool { return d.name == name })
		if k < 0 {
			return fmt.Errorf("unknown detector %q, expected some of %s", name, strings.Join(names(), ","))
		}
		parts = append(parts, &part{s, detectors[k], photographs})
	}
	if err := s.run(ctx, parts); err != nil {
		return err
	}
	var curves []study.Curves
	for _, p := range parts {
		if p.alone {
			continue
		}
		c, err := p.compare(ctx, os.Stdout)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		curves = append(curves, c)
	}
	if s.seeds == 0 {
		return nil
	}
	if len(curves) > 0 {
		if err := study.Draw(filepath.Join(s.out, "curves.png"), curves...); err != nil {
			return err
		}
	}
	return table(ctx, os.Stdout, parts)
}

// run runs all runs that are not in the folder of -out, several at a time. An error does not end the others.
func (s setting) run(ctx context.Context, parts []*part) error {
	var exact, ours, theirs []func() error
	for seed := range s.seeds + 1 { // 0 is the comparison step by step
		for _, p := range parts {
			if p.alone && seed == 0 {
				continue
			}
			r := run{p, seed}
			keep := func(side string, train func(context.Context) (study.Outcome, error)) func() error {
				return func() error {
					_, err := study.Kept(r.file()+side, func() (study.Outcome, error) { return train(ctx) })
					return err
				}
			}
			a, b := keep("-fovea.json", r.fovea), keep("-torch.json", r.torch)
			switch {
			case seed == 0: // PyTorch's side may read what ours wrote
				exact = append(exact, a, b)
				continue
			case !p.alone:
				theirs = append(theirs, b)
			}
			ours = append(ours, a)
		}
	}
	compared := atOnce(ctx, 1, exact)
	if s.jobs == 1 && s.torchJobs == 1 { // not beside each other, either
		return errors.Join(compared, atOnce(ctx, 1, append(ours, theirs...)), ctx.Err())
	}
	first := make(chan error)
	go func() { first <- atOnce(ctx, s.jobs, ours) }()
	second := atOnce(ctx, s.torchJobs, theirs)
	return errors.Join(compared, <-first, second, ctx.Err())
}

// atOnce calls functions in order, several at a time.
func atOnce(ctx context.Context, most int, all []func() error) error {
	errs := make([]error, len(all))
	slots := make(chan struct{}, max(1, most))
	var wait sync.WaitGroup
	for i, f := range all {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			errs[i] = f()
			<-slots
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// compare prints the tables of a part.
func (p *part) compare(ctx context.Context, w io.Writer) (c study.Curves, err error) {
	ours, theirs, err := run{p, 0}.both(ctx)
	if err != nil {
		return c, err
	}
	fmt.Fprintf(w, "%s\n%s\n\n", ours.Versions, theirs.Versions)
	fmt.Fprintf(w, "%s: the losses of %d steps differ by at most %.1e of the loss.\n\n", p.name, len(ours.Losses), study.Difference(ours, theirs))
	for _, note := range theirs.Notes {
		fmt.Fprintf(w, "%s: %s.\n\n", p.name, note)
	}
	if p.seeds == 0 {
		return c, nil
	}
	c = study.Curves{Title: p.title, Loss: "loss", Test: "AP50, %", Every: p.every()}
	for seed := 1; seed <= p.seeds; seed++ {
		ours, theirs, err := run{p, seed}.both(ctx)
		if err != nil {
			return c, err
		}
		c.Runs[0], c.Runs[1] = append(c.Runs[0], ours), append(c.Runs[1], theirs)
	}
	last := func(o study.Outcome) []float64 { return o.Accuracies }
	study.Report(w, p.title, "test AP50", study.Final(c.Runs[0], last), study.Final(c.Runs[1], last))
	return c, nil
}
