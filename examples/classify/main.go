package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the flags say.
type settings struct {
	Model   string
	Top     int
	Threads int
	JSON    bool
	Images  []string
}

// mostThreads bounds what is started for each core.
const mostThreads = 4096

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return console.Exit(context.Background(), stderr, "classify", err)
	}
	ctx, stop := console.UntilSignal()
	defer stop()
	return console.Exit(ctx, stderr, "classify", run(ctx, s, stdout, stderr))
}

// run classifies all pictures. The error is the first that concerns them all, or says how many could not be read.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := load(ctx, s.Model, out)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	show := &printer{to: stdout, top: s.Top, bars: onTerminal(stdout)}
	results := []result{}
	broken := 0
	progress := out.Phase("classifying", console.Files, int64(len(s.Images)))
	err = each(ctx, m, s.Images, func(p *picture) error {
		switch {
		case p.err != nil:
			broken++
			fmt.Fprintf(stderr, "classify: %s\n", console.OneLine(p.err))
		case s.JSON:
			results = append(results, resultOf(p, s.Top))
			progress.At(int64(len(results) + broken))
		default: // what is printed shows how far it is
			return show.picture(p)
		}
		return nil
	})
	progress.End()
	if err != nil {
		return err
	}
	if s.JSON {
		if err := console.PrintJSON(stdout, results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d pictures could not be read", broken, len(s.Images))
	}
	return nil
}

// onTerminal says whether w is one, where bars are welcome.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("classify", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.Model, "model", "", "the Vision Transformer in `DIR`, in Hugging Face's or timm's layout; a file of weights; or owner/name on the hub")
	f.IntVar(&s.Top, "top", 5, "show the `N` most probable classes")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "Says what pictures show: classify -model DIR [flags] PICTURE...")
			fmt.Fprintln(stderr)
			f.SetOutput(stderr)
			f.PrintDefaults()
			return s, err
		}
		return s, fmt.Errorf("%w; -h lists the flags", err)
	}
	s.Images = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a Vision Transformer; -h lists the flags")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	case s.Threads < 0 || s.Threads > mostThreads:
		return s, fmt.Errorf("-threads: expected 0 to %d, found %d", mostThreads, s.Threads)
	case len(s.Images) == 0:
		return s, errors.New("expected the names of pictures after the flags, found none")
	}
	return s, nil
}
