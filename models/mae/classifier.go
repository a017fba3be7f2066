package mae

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
)

// ClassifierOptions say how an encoder is handed over to a classifier.
type ClassifierOptions struct {
	// Pooling is vit.MeanPooling, MAE's choice for fine-tuning, another of vit.Config.Pooling, or "" for the class token.
	// transformers' ViT has the latter only. Save with models.Timm what Python is to load.
	Pooling string
	// DropPath is the rate in the last block: 0.1, 0.2 and 0.3 in the paper for B, L and H.
	DropPath float32
}

// Classifier returns a Vision Transformer that begins with a copy of m's encoder and has a new head for the
// given classes (MAE, appendix A.1; main_finetune.py of facebookresearch/mae). The positions are trained from
// here on. The head begins almost at zero, so that the encoder's features are not torn at the start. It shares no
// memory with m. It panics when there are no labels, no rng, the options give no valid vit.Config, or the
// encoder has an adapter that is not merged.
func (m *Model) Classifier(labels []string, o ClassifierOptions, rng *rand.Rand) *vit.Model {
	if len(labels) == 0 || rng == nil {
		panic("mae: a classifier needs labels and a random number generator")
	}
	c := vit.Config{ModelType: "vit", EncoderConfig: m.Config.EncoderConfig, Pooling: o.Pooling, DropPathRate: o.DropPath}
	c.SetLabels(labels)
	v := vit.New(c, len(labels), rng)
	v.Preprocess, v.PreprocessAssumed = m.Preprocess, m.PreprocessAssumed
	nn.Copy(v.Encoder, m.Encoder) // of one type, so that every path of the first is one of the second
	nn.TruncatedNormal(rng, v.Head.Weight, 2e-5, -2, 2)
	return v
}
