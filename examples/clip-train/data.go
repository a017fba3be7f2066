package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/vision"
)

// pairs is the data of a run. Nothing is learned from test.
type pairs struct {
	train, test vision.Captioned
	labeled     bool // the images have classes
}

// load opens the pairs of -data, or Fashion-MNIST with captions.
func (r *run) load(ctx context.Context) error {
	if r.pairs.train != nil { // given by a test, with the recipe
		return nil
	}
	r.recipe = fashionRecipe()
	if r.settings.Data == "" {
		known, asked, err := fashion.Load()
		if err != nil {
			return err
		}
		r.pairs = pairs{train: tell(fashionDataset(known)), test: tell(fashionDataset(asked)), labeled: true}
		return nil
	}
	r.recipe = pairsRecipe()
	all, err := r.open(ctx)
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	if all.Len() < 4 {
		return fmt.Errorf("-data: expected at least 4 images with captions, found %d", all.Len())
	}
	share := min(r.recipe.TestShare, float64(r.recipe.TestMost)/float64(all.Len()))
	known, asked, err := vision.Split(all, share, r.settings.Seed)
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	r.pairs = pairs{train: known, test: asked}
	return nil
}

// open opens a table or tar shards.
func (r *run) open(ctx context.Context) (vision.Captioned, error) {
	dir, name := filepath.Split(r.settings.Data)
	fsys := os.DirFS(filepath.Clean(dir + "."))
	decode := vision.DecodeOptions{ApplyOrientation: true}
	if !strings.EqualFold(path.Ext(name), ".tar") {
		return vision.OpenPairs(fsys, name, vision.PairOptions{Decode: decode})
	}
	shards, err := vision.OpenShards(ctx, fsys, vision.ShardOptions{Decode: decode}, name)
	if err != nil {
		return nil, err
	}
	if n, first := shards.Skipped(); n > 0 {
		r.console.Line("skipping %d unusable pairs of the shards, the first:", n)
		for _, err := range first {
			r.console.Line("  %s", console.OneLine(err))
		}
	}
	return shards, nil
}

// fashionDataset returns Fashion-MNIST as a data set. It does not copy the pixels.
func fashionDataset(m fashion.Images) vision.Dataset {
	d := &vision.Memory{ClassNames: fashion.Classes[:]}
	for i := range m.Len() {
		gray := m.Image(i)
		d.Images = append(d.Images, &vision.Image{Pix: gray.Pix, Width: fashion.Size, Height: fashion.Size, Channels: 1})
		d.Labels = append(d.Labels, int(m.Labels[i]))
	}
	return d
}

// tokenizer makes the tokenizer of the captions.
func (r *run) tokenizer(ctx context.Context) (*text.Tokenizer, error) {
	progress := r.console.Phase("reading captions", console.Steps, int64(min(r.pairs.train.Len(), maxCaptioned)))
	defer progress.End()
	return text.Train(ctx, r.captions(progress), text.TrainOptions{Kind: text.CLIP, Size: r.recipe.Tokens})
}

// maxCaptioned bounds the images whose captions the tokenizer is made from.
const maxCaptioned = 200_000

// captions yields the captions for the tokenizer. Images without one are for the loader to report.
func (r *run) captions(progress *console.Progress) iter.Seq2[string, error] {
	d := r.pairs.train
	return func(yield func(string, error) bool) {
		for i := range min(d.Len(), maxCaptioned) {
			list, err := d.Captions(i)
			if err != nil && !r.settings.SkipBroken {
				yield("", r.advise(&data.ItemError{Index: i, Name: d.Name(i), Err: err}))
				return
			}
			for _, caption := range list {
				if !yield(caption, nil) {
					return
				}
			}
			progress.At(int64(i + 1))
		}
	}
}

// policy returns how unreadable images are treated: an error, or left out.
func (r *run) policy() data.ErrorPolicy {
	if r.settings.SkipBroken {
		return data.SkipErrors
	}
	return data.StopOnError
}

// advise adds the flag that helps to the error of an image.
func (r *run) advise(err error) error {
	if item := (*data.ItemError)(nil); errors.As(err, &item) && !r.settings.SkipBroken {
		return fmt.Errorf("%w (use -skip-broken to skip such pairs)", err)
	}
	return err
}
