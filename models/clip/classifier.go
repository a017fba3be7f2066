package clip

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/simd"
)

// Prediction is a classifier's answer for one image: Logits, one for each label, and Top, all labels by descending
// probability, with their Label, Index and Probability. See [models.Prediction].
type Prediction = models.Prediction

// DefaultTemplate is the template of a [Classifier] without others (arXiv 2103.00020, section 3.1.4).
const DefaultTemplate = "a photo of a {}."

// DefaultChineseTemplate is that of a model of Chinese-CLIP, the first of [ChineseTemplates].
const DefaultChineseTemplate = "{}的照片。"

// Classifier labels images with words that are chosen at run time (zero-shot classification, arXiv 2103.00020, section
// 3.1). It is not changed by use, and any number of goroutines may use it at once.
type Classifier struct {
	Labels []string
	// Weights holds a vector of length 1 for each label: the mean of the embeddings of its texts, normalized again.
	Weights [][]float32
	model   *Model
}

// Classifier returns a classifier of images for the labels. A text is made of each template and label: the label takes
// the place of every {}. No templates means [DefaultTemplate], or [DefaultChineseTemplate] for Chinese-CLIP. The texts
// are encoded once, here.
//
// It returns an error without labels, for a template without {}, and those of [Model.EncodeTexts].
func (m *Model) Classifier(ctx context.Context, labels, templates []string) (*Classifier, error) {
	if len(labels) == 0 {
		return nil, errors.New("clip: a classifier needs labels")
	}
	if len(templates) == 0 {
		templates = []string{DefaultTemplate}
		if m.Config.ModelType == chineseType {
			templates[0] = DefaultChineseTemplate
		}
	}
	var texts []string
	for _, label := range labels {
		for _, t := range templates {
			if !strings.Contains(t, "{}") {
				return nil, fmt.Errorf("clip: template %q: expected {} where the label goes, found none", t)
			}
			texts = append(texts, strings.ReplaceAll(t, "{}", label))
		}
	}
	embeddings, err := m.EncodeTexts(ctx, texts...)
	if err != nil {
		return nil, err
	}
	c := &Classifier{Labels: slices.Clone(labels), model: m}
	for i := range labels {
		c.Weights = append(c.Weights, ensemble(embeddings[i*len(templates):(i+1)*len(templates)]))
	}
	return c, nil
}

// ensemble returns the mean of vectors of length 1, normalized again (zero_shot_classifier.py in open_clip).
func ensemble(vectors [][]float32) []float32 {
	mean := make([]float32, len(vectors[0]))
	for _, v := range vectors {
		simd.Axpy(mean, 1/float32(len(vectors)), v)
	}
	return unit([][]float32{mean})[0]
}

// Classify predicts the label of each image, in the order of the images, which may have any size. Logits are cosine
// similarities times the factor that the model has learned, and [Model.Probabilities] turns them into probabilities.
// ctx, errors and concurrent use are those of [Model.EncodeImages].
func (c *Classifier) Classify(ctx context.Context, images ...image.Image) ([]Prediction, error) {
	embeddings, err := c.model.EncodeImages(ctx, images...)
	if err != nil {
		return nil, err
	}
	return c.Predict(embeddings...), nil
}

// Predict is [Classifier.Classify] for images that are encoded already. It panics for embeddings of another model's
// size.
func (c *Classifier) Predict(embeddings ...[]float32) []Prediction {
	return predict(c.model.Logits(embeddings, c.Weights), c.Labels, c.model.problem())
}

// predict ranks the labels of images by logits. One label alone is certain where one describes an image, as in the
// pipelines of transformers; a classifier with one class (models.Predict) has the sigmoid there.
func predict(rows [][]float32, labels []string, problem models.Problem) []Prediction {
	out := make([]Prediction, len(rows))
	for i, logits := range rows {
		out[i] = Prediction{Logits: logits, Top: models.Rank(probabilities(logits, problem), labels), Problem: problem}
	}
	return out
}
