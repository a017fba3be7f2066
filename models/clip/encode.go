package clip

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train/contrast"
)

// EncodeImages returns the embedding of each image, Config.ProjectionDim values of length 1, in the order of the
// images, which may have any size. ctx ends it between blocks and batches with an error that matches the context's; the
// model stays usable. It is safe for concurrent use.
//
// It returns an error for an image without pixels, which it names by its position, and for a Preprocess whose output is
// not of the model's size and channels.
func (m *Model) EncodeImages(ctx context.Context, images ...image.Image) ([][]float32, error) {
	return m.images(ctx, images, func(features *autograd.Tensor) *autograd.Tensor { return contrast.Normalize(m.project(features)) })
}

// images prepares images, runs the tower, and returns each image's row of the result of finish.
func (m *Model) images(ctx context.Context, images []image.Image, finish func(features *autograd.Tensor) *autograd.Tensor) ([][]float32, error) {
	var out [][]float32
	var err error
	if tower, ok := m.Vision.(*NaFlex); ok {
		out = make([][]float32, 0, len(images))
		err = run.Over(ctx, m.runner, m.tape(), images, func(t *autograd.Tape, some []image.Image, first int) error {
			patches, grids, err := m.naflexPatches(some, first)
			if err != nil {
				return err
			}
			width := tower.Patch.Weight.Shape()[1]
			out = run.AppendRows(out, finish(tower.Patches(t.Input(patches, len(patches)/width, width), grids)))
			return nil
		})
	} else {
		out, err = run.Rows(ctx, m.runner, m.tape(), images, m.input(), func(pixels *autograd.Tensor) *autograd.Tensor {
			return finish(m.Vision.Forward(pixels))
		})
	}
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	return out, nil
}

// input says which pixels the model takes.
func (m *Model) input() run.ImageInput {
	in := run.ImageInput{Preprocess: &m.Preprocess, Channels: m.Config.Vision.NumChannels}
	in.Height, in.Width = m.Config.Vision.Size()
	return in
}

// EncodeTexts returns the embedding of each text, Config.ProjectionDim values of length 1, in the order of the texts. A
// text of more tokens than the model takes is cut at its end, as [Model.Tokenize] says. ctx and concurrent use are as
// with [Model.EncodeImages].
//
// It returns the errors of [Model.Tokenize].
func (m *Model) EncodeTexts(ctx context.Context, texts ...string) ([][]float32, error) {
	tokens, err := m.Tokenize(texts...)
	if err != nil {
		return nil, err
	}
	out := make([][]float32, 0, len(texts))
	err = run.Over(ctx, m.runner, m.tape(), tokens, func(t *autograd.Tape, some [][]int, _ int) error {
		out = run.AppendRows(out, contrast.Normalize(m.EmbedTexts(t, some)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	return out, nil
}

// Tokenize returns the tokens of each text, with its start and end and without padding. A text of more tokens than
// Config.Text.MaxPositionEmbeddings is cut before its end token, as open_clip does it; transformers and OpenAI's code
// refuse it unless they are asked to cut. The tokenizer of a folder of transformers may have a lower limit, and cut at
// the beginning (model_max_length, truncation_side). Texts of SigLIP are padded to that length, because their features
// depend on the padding, unless Config.Text.HiddenPadding hides it.
//
// It returns an error for a model without a tokenizer, and for a tokenizer with tokens that the model does not have.
func (m *Model) Tokenize(texts ...string) ([][]int, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("clip: the model has no tokenizer: expected vocab.json and merges.txt, vocab.txt, tokenizer.json or bpe_simple_vocab_16e6.txt.gz in its folder, or a value of Model.Tokenizer")
	}
	o := text.Options{Truncation: m.truncation()}
	if m.Config.Text.Bidirectional && m.Config.Text.HiddenPadding == nil {
		usual := m.Tokenizer.Defaults().Padding
		if usual == nil {
			return nil, errors.New("clip: the tokenizer has no padding token, which SigLIP needs")
		}
		full := *usual
		full.Length = o.Truncation.Max
		o.Padding = &full
	}
	out, vocabulary := make([][]int, len(texts)), m.Config.Text.vocabulary()
	for i, s := range texts {
		e, err := m.Tokenizer.Encode(s, o)
		if err != nil {
			return nil, fmt.Errorf("clip: text %d: %w", i, err)
		}
		for k, id := range e.IDs {
			if id < 0 || id >= vocabulary {
				return nil, fmt.Errorf("clip: text %d: the tokenizer belongs to another model: expected ids below %d, found %d for %q", i, vocabulary, id, e.Tokens[k])
			}
		}
		if len(e.IDs) == 0 {
			return nil, fmt.Errorf("clip: text %d: expected at least one token, found none", i)
		}
		out[i] = e.IDs
	}
	return out, nil
}
