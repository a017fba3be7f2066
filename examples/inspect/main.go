package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("inspect", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Path  string
	All   bool
	Stats bool
	JSON  bool
	Root  string
	To    string
	Names string // "", "hf" or "timm"

	dtype checkpoint.DType
	shard int64
}

// root returns the keys of -root.
func (s settings) root() []string {
	if s.Root == "" {
		return nil
	}
	return strings.Split(s.Root, ".")
}

// toFile reports whether -to names a file, and not a folder.
func (s settings) toFile() bool { return filepath.Ext(s.To) == ".safetensors" }

const about = `Shows the contents of a checkpoint, and converts it to safetensors.

  inspect [flags] PATH

PATH is a safetensors or PyTorch file, the index of a sharded checkpoint, a folder in the layout of Hugging Face,
or owner/name, a model on the hub.`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("inspect", flag.ContinueOnError)
	f.BoolVar(&s.All, "all", false, "list every tensor and all metadata")
	f.BoolVar(&s.Stats, "stats", false, "read the values and print their minimum, maximum and mean, and the number of NaN and infinities")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output, and everything else on standard error")
	f.StringVar(&s.Root, "root", "", "read this `part` of a PyTorch file, such as model_ema; dots separate nested keys")
	f.StringVar(&s.To, "to", "", "write the tensors to `FILE`, whose name ends in .safetensors, or with -names to a new folder, and show the new checkpoint")
	f.StringVar(&s.Names, "names", "", "with -to: rename the tensors of a ViT or a masked autoencoder as this `library` names them: hf or timm")
	s.shard = checkpoint.DefaultShardSize
	f.Func("dtype", "with -to: store floating-point tensors in this `type`: f16, bf16, f32 or f64 (default: unchanged)", func(value string) error {
		types := map[string]checkpoint.DType{"f16": checkpoint.F16, "bf16": checkpoint.BF16, "f32": checkpoint.F32, "f64": checkpoint.F64}
		s.dtype = types[strings.ToLower(value)]
		if s.dtype == checkpoint.Invalid {
			return errors.New("expected f16, bf16, f32 or f64")
		}
		return nil
	})
	f.Func("shard", "with -to: start a new file after this `size`, such as 2GB; 0 writes one file (default 5GB)", func(value string) (err error) {
		s.shard, err = parseSize(value)
		return err
	})
	if err := console.ParseFlags(f, args, stdout, about); err != nil {
		return s, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case f.NArg() == 0:
		return s, errors.New("expected the path of a checkpoint; -h explains")
	case f.NArg() > 1:
		return s, fmt.Errorf("expected one path after the flags, found also %q", f.Arg(1))
	case s.To == "" && (given["dtype"] || given["shard"]):
		return s, errors.New("-dtype and -shard need -to")
	case s.Names != "" && s.Names != "hf" && s.Names != "timm":
		return s, fmt.Errorf("-names: expected hf or timm, found %q", s.Names)
	case s.Names != "" && s.To == "":
		return s, errors.New("-names needs -to")
	case s.Names != "" && s.dtype == checkpoint.F64:
		return s, errors.New("-names: expected the -dtype f16, bf16 or f32, found f64")
	case s.Names != "" && !s.toFile() && given["shard"]:
		return s, errors.New("-shard needs a file in -to, whose name ends in .safetensors")
	case s.To != "" && s.Names == "" && !s.toFile():
		return s, fmt.Errorf("-to: expected a name that ends in .safetensors, found %q; folders need -names", s.To)
	case !utf8.ValidString(filepath.Base(s.To)):
		return s, fmt.Errorf("-to: expected a name in UTF-8, found %q", s.To)
	}
	s.Path = f.Arg(0)
	return s, nil
}

// run shows or converts a checkpoint.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	text := stdout
	if s.JSON {
		text = stderr
	}
	c := console.New(text)
	// A name on the hub is no path here. Where a file is named like the owner, the error is another one than ErrNotExist.
	if _, err := os.Stat(s.Path); err != nil && !errors.Is(err, fs.ErrPermission) && !namesWeights(s.Path) {
		if s.Path, err = fetch.Model(ctx, s.Path, c); err != nil {
			return err
		}
	}
	in, err := open(s)
	if err != nil {
		return err
	}
	defer in.file.Close()
	if s.To != "" {
		tied := in.file.Tied()
		change := convert
		if s.Names != "" {
			change, tied = rename, nil
		}
		out, err := change(ctx, c, in, s)
		if err != nil {
			return err
		}
		defer out.file.Close()
		for _, group := range tied {
			c.Line("shared data, written once for each name: %s", quoted(strings.Join(group, ", ")))
		}
		in, s = out, settings{Path: out.path, All: s.All, JSON: s.JSON, Stats: s.Stats}
	}
	var numbers map[string]*stats
	if s.Stats {
		if numbers, err = readStats(ctx, c, in.file); err != nil {
			return err
		}
	}
	sum, err := summarize(in, numbers)
	if err != nil {
		return err
	}
	sum.Images = readImages(s, sum.Family)
	if s.JSON {
		return console.PrintJSON(stdout, sum)
	}
	sum.print(c, s.All)
	return nil
}

// An input is an open checkpoint.
type input struct {
	path string
	dir  string // the file names are relative to this folder; "" is the working directory
	file *checkpoint.File
}

// parts returns the checkpoint's files.
func (in *input) parts() []file {
	list := []file{}
	for _, p := range in.file.Parts() {
		list = append(list, file{console.Name(filepath.Join(in.dir, p.Name)), string(p.Format), p.Size})
	}
	return list
}

// open opens a file, an index, or a folder. In a folder it opens the weights with one of Hugging Face's names, or else
// the only file whose name fits.
func open(s settings) (*input, error) {
	opts := checkpoint.OpenOptions{Root: s.root()}
	info, err := os.Stat(s.Path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		f, err := checkpoint.Open(s.Path, opts)
		return &input{path: s.Path, file: f}, err
	}
	f, err := checkpoint.OpenFolder(os.DirFS(s.Path), opts)
	if !errors.Is(err, fs.ErrNotExist) {
		return &input{path: s.Path, dir: s.Path, file: f}, err
	}
	found, listErr := checkpoint.WeightFiles(os.DirFS(s.Path))
	switch {
	case listErr != nil:
		return nil, listErr
	case len(found) == 0:
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	case len(found) > 1:
		return nil, fmt.Errorf("%s holds several checkpoints: choose one of %s", s.Path, strings.Join(found, ", "))
	}
	path := filepath.Join(s.Path, found[0])
	f, err = checkpoint.Open(path, opts)
	return &input{path: path, file: f}, err
}

// namesWeights reports whether the name fits a checkpoint.
func namesWeights(name string) bool {
	switch filepath.Ext(name) {
	case ".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar":
		return true
	}
	return strings.HasSuffix(name, ".index.json")
}
