package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision"
)

// retrieval is the recall of images by captions and of captions by images.
type retrieval struct {
	Images       int    `json:"images"`
	Texts        int    `json:"texts"`
	ToText       recall `json:"image_to_text"`
	ToImage      recall `json:"text_to_image"`
	ChanceText   recall `json:"chance_image_to_text"`
	ChanceImages recall `json:"chance_text_to_image"`
}

// recall holds recall@k by k.
type recall map[string]console.Number

// cutoffs are the values of k.
var cutoffs = []int{1, 5, 10}

// retrieve measures retrieval over the pairs of -captions.
func (e *evaluation) retrieve(ctx context.Context) (*retrieval, error) {
	pairs, err := e.pairs(ctx)
	if err != nil {
		return nil, err
	}
	// Pairs without a caption are left out before their images are read.
	var texts []string
	kept, captions := &vision.Subset{Of: pairs}, [][]string{}
	for i := range pairs.Len() {
		list, err := pairs.Captions(i)
		if err != nil {
			item := &data.ItemError{Index: i, Name: pairs.Name(i), Err: err}
			if !e.settings.SkipBroken {
				return nil, e.advise(item)
			}
			e.skipped = append(e.skipped, item)
			continue
		}
		kept.Indices, captions = append(kept.Indices, i), append(captions, list)
	}
	if len(captions) == 0 {
		return nil, errors.New("-captions: no image has a caption")
	}
	images, err := e.features(ctx, "images", kept)
	if err != nil {
		return nil, err
	}
	textsOf, imageOf := make([][]int, len(images.Indices)), [][]int{}
	for i, at := range images.Indices {
		for _, caption := range captions[at] {
			textsOf[i], imageOf = append(textsOf[i], len(texts)), append(imageOf, []int{i})
			texts = append(texts, caption)
		}
	}
	words, err := e.encode(ctx, texts)
	if err != nil {
		return nil, err
	}
	toText := metrics.Retrieve(images.Embeddings, words, textsOf, e.model.Workers)
	toImage := metrics.Retrieve(words, images.Embeddings, imageOf, e.model.Workers)
	r := &retrieval{Images: len(textsOf), Texts: len(texts), ToText: recall{}, ToImage: recall{}, ChanceText: recall{}, ChanceImages: recall{}}
	for _, k := range cutoffs {
		name := strconv.Itoa(k)
		r.ToText[name], r.ToImage[name] = console.Number(toText.Recall(k)), console.Number(toImage.Recall(k))
		r.ChanceText[name] = console.Number(chance(textsOf, len(texts), k))
		r.ChanceImages[name] = console.Number(chance(imageOf, len(textsOf), k))
	}
	return r, nil
}

// pairs opens the table or the shards of -captions.
func (e *evaluation) pairs(ctx context.Context) (vision.Captioned, error) {
	dir, name := filepath.Split(e.settings.Captions)
	fsys := os.DirFS(filepath.Clean(dir + "."))
	if !strings.EqualFold(path.Ext(name), ".tar") {
		return vision.OpenPairs(fsys, name, vision.PairOptions{Decode: decode})
	}
	shards, err := vision.OpenShards(ctx, fsys, vision.ShardOptions{Decode: decode}, name)
	if err != nil {
		return nil, err
	}
	if n, first := shards.Skipped(); n > 0 {
		e.console.Line("skipped %d unusable pairs of the shards, the first: %s", n, console.OneLine(first[0]))
	}
	return shards, nil
}

// encode encodes texts, with a bar.
func (e *evaluation) encode(ctx context.Context, texts []string) (rows [][]float32, err error) {
	progress := e.console.Phase("encoding captions", console.Steps, int64(len(texts)))
	defer progress.End()
	const part = 256
	for from := 0; from < len(texts); from += part {
		some, err := e.model.EncodeTexts(ctx, texts[from:min(from+part, len(texts))]...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
		progress.At(int64(len(rows)))
	}
	return rows, nil
}

// chance returns the expected recall@k of a random order of items: the mean probability that one of a query's relevant
// items is among the first k.
func chance(relevant [][]int, items, k int) float64 {
	sum := 0.0
	for _, list := range relevant {
		missed := 1.0 // none of the relevant ones is among the first k
		for i := range list {
			missed *= math.Max(0, float64(items-k-i)/float64(items-i))
		}
		sum += 1 - missed
	}
	return sum / float64(len(relevant))
}
