package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return console.Run("detect", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
}

// settings are the values of the flags.
type settings struct {
	Model      string
	Weights    string
	MinScore   float64 // negative for the detector's own
	MaxOverlap float64 // negative for the detector's own
	Most       int
	Draw       string
	Frames     string
	Track      bool
	KeepSize   bool
	Flip       bool
	Scales     []float64
	Threads    int
	Math       console.MathFlag
	JSON       bool
	Images     []string
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("detect", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "the detector that -weights must be: `name` is fastestdet, fcos, retinanet, faster_rcnn, centernet, yolov1, darknet, detr, yolos, rt_detr or rt_detr_v2 (default: any)")
	f.StringVar(&s.Weights, "weights", "", "the detector: a `path` of a file of weights or a folder, or owner/name on the hub")
	f.Float64Var(&s.MinScore, "min-score", -1, "show objects with a score above `x` (default: the detector's own, such as 0.65 for FastestDet)")
	f.Float64Var(&s.MaxOverlap, "max-overlap", -1, "of two objects of a class that overlap by an IoU above `x`, show the better (default: the detector's own)")
	f.IntVar(&s.Most, "most", 0, "show at most `N` objects of an image (default: the detector's own, such as 300 for RetinaNet)")
	f.StringVar(&s.Draw, "draw", "", "write the images with boxes to the folder `DIR`")
	f.StringVar(&s.Frames, "frames", "", "take images from standard input: `FORMAT` is mjpeg, or WIDTHxHEIGHT for raw images of 3 bytes a pixel (rgb24)")
	f.BoolVar(&s.Track, "track", false, "number the objects in frames: one that moves keeps its number")
	f.BoolVar(&s.KeepSize, "keep-size", false, "search images in their own size (CenterNet)")
	f.BoolVar(&s.Flip, "flip", false, "search the mirror image too (CenterNet)")
	scales := f.String("scales", "", "search images in several sizes: `LIST` is such as 0.5,1,1.5 (CenterNet)")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Finds objects in images: detect -weights PATH [flags] IMAGE_OR_FOLDER...\nor in frames: ffmpeg … | detect -weights PATH -frames mjpeg [flags]"); err != nil {
		return s, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	s.Images = f.Args()
	switch {
	case s.Weights == "":
		return s, errors.New("-weights: expected a detector; -h lists the flags")
	case given["min-score"] && !(s.MinScore >= 0 && s.MinScore <= 1):
		return s, fmt.Errorf("-min-score: expected 0 to 1, found %v", s.MinScore)
	case given["max-overlap"] && !(s.MaxOverlap >= 0 && s.MaxOverlap <= 1):
		return s, fmt.Errorf("-max-overlap: expected 0 to 1, found %v", s.MaxOverlap)
	case s.Most < 0:
		return s, fmt.Errorf("-most: expected at least 0, found %d", s.Most)
	case s.Frames == "" && s.Track:
		return s, errors.New("-track: expected -frames with it")
	case s.Frames != "" && len(s.Images) > 0:
		return s, fmt.Errorf("-frames: expected no image beside it, found %d", len(s.Images))
	case s.Frames == "" && len(s.Images) == 0:
		return s, errors.New("expected image files or folders after the flags, found none")
	}
	if s.Frames != "" {
		if _, err := parseFormat(s.Frames); err != nil {
			return s, err
		}
	}
	if *scales != "" {
		for part := range strings.SplitSeq(*scales, ",") {
			scale, err := strconv.ParseFloat(part, 64)
			if err != nil || !(scale > 0 && scale <= 10) {
				return s, fmt.Errorf("-scales: expected numbers above 0 and at most 10 with commas between them, found %q", part)
			}
			s.Scales = append(s.Scales, scale)
		}
	}
	return s, console.CheckThreads(s.Threads)
}

// load loads the detector, with the options of the flags.
func load(ctx context.Context, s settings, out *console.Console) (*detect.Model, error) {
	m, err := fetch.OpenFlag(ctx, "-weights", s.Weights, out, detect.Open)
	if err != nil {
		return nil, err
	}
	if s.Model != "" && s.Model != m.Config.ModelType {
		return nil, fmt.Errorf("-model: the weights are those of %s, expected %s", m.Config.ModelType, s.Model)
	}
	if d, ok := m.Network.(*detect.CenterNet); ok {
		d.KeepSize, d.Flip, d.Scales = s.KeepSize, s.Flip, s.Scales
	} else if s.KeepSize || s.Flip || len(s.Scales) > 0 {
		return nil, fmt.Errorf("-keep-size, -flip and -scales: the weights are those of %s, expected centernet", m.Config.ModelType)
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	m.Options.MaxDetections = s.Most
	if s.MinScore >= 0 {
		m.Options.MinScore = new(float32(s.MinScore))
	}
	if s.MaxOverlap >= 0 {
		m.Options.MaxOverlap = new(s.MaxOverlap)
	}
	return m, nil
}

// run searches all images. It returns the first error that stops the run, or an error that counts the unreadable images.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	files, err := photo.Files(s.Images)
	if err != nil {
		return err
	}
	m, err := load(ctx, s, out)
	if err != nil {
		return err
	}
	if m.LabelsAssumed {
		out.Line("nothing names the classes; %d of them are taken for COCO's", m.Classes)
	}
	if m.NormEpsAssumed {
		out.Line("the weights are taken for torchvision's first ones on COCO, whose normalizations have no epsilon")
	}
	var drawn *photo.Outputs
	if s.Draw != "" {
		if drawn, err = photo.NewOutputs(s.Draw, files); err != nil {
			return fmt.Errorf("-draw: %w", err)
		}
	}
	results := []jsonResult{}
	broken := 0
	each := func(i int, r *result) error {
		if r.err != nil {
			broken++
			fmt.Fprintf(stderr, "detect: %s\n", console.OneLine(r.err))
			return nil
		}
		if drawn != nil {
			if err := drawBoxes(r, drawn); err != nil {
				return err
			}
		}
		if s.JSON {
			results = append(results, toJSON(r, m.Math))
			return nil
		}
		return print(stdout, i, r)
	}
	total := len(files)
	if s.Frames != "" {
		total, err = follow(ctx, m, s, stdin, each)
	} else {
		err = searchAll(ctx, m, files, out, each)
	}
	if err != nil {
		return err
	}
	if s.JSON {
		if err := console.PrintJSON(stdout, results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d images could not be read", broken, total)
	}
	return nil
}

// follow searches the frames on standard input, and returns their number.
func follow(ctx context.Context, m *detect.Model, s settings, stdin io.Reader, each func(int, *result) error) (int, error) {
	f, err := parseFormat(s.Frames)
	if err != nil {
		return 0, err
	}
	var tracks *tracker
	if s.Track {
		tracks = &tracker{}
	}
	return watch(ctx, m, stdin, f, tracks, each)
}

// searchAll searches image files.
func searchAll(ctx context.Context, m *detect.Model, files []string, out *console.Console, each func(int, *result) error) error {
	progress := out.Phase("detecting", console.Files, int64(len(files)))
	defer progress.End()
	return search(ctx, m, files, func(i int, r *result) error {
		progress.At(int64(i + 1))
		return each(i, r)
	})
}
