package bert

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. For a
// file, the other files of its folder are read too.
func Open(path string, o LoadOptions) (*Model, error) { return modelfolder.Open(path, family, o, read) }

// Load reads a model from a Hugging Face folder:
//
//   - config.json, with the model_type bert, roberta, xlm-roberta, camembert, distilbert, albert, electra, mpnet,
//     deberta-v2 or modernbert, or none, which means bert. SpanBERT and multilingual and Chinese BERT have the type
//     bert.
//   - the weights, as safetensors or of PyTorch
//   - the files of a tokenizer and of sentence-transformers, if the folder has them
//
// The first class in architectures decides the Task. The model has the heads of this task, and the other heads that the
// weights hold. The task is Features for a class without a head, and for a class of pre-training whose heads are all
// missing, as in folders of sentence-transformers. A classifier in the weights without a class that has one is an
// error.
//
// Without a tokenizer, or with one that is not supported, the model takes ids alone: the tasks on texts return the
// error.
//
// A folder that also holds adapters of PEFT (adapter_config.json) is refused, because transformers adds them.
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. It matches
// fs.ErrNotExist when the configuration or the weights are missing, a *checkpoint.FormatError when they are malformed,
// and a *checkpoint.MismatchError when their tensors are not those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	var c Config
	if err := f.Configure(&c); err != nil {
		return nil, err
	}
	if !f.Options.Lenient {
		if err := c.agree(f); err != nil {
			return nil, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
	}
	if err := c.claim().Check(f.Weights); err != nil {
		return nil, err
	}
	task := taskOf(c.Architectures)
	if err := c.supports(task); err != nil {
		return nil, fmt.Errorf("%s: architectures: %w", modelfolder.ConfigName, err)
	}
	p, classes, err := held(f, c, task)
	if err != nil {
		return nil, err
	}
	if task == MaskedWords && !p.masked || task == PreTraining && !p.masked && !p.sentence && !p.replaced {
		task = Features
	}
	named := task == SequenceClassification || task == TokenClassification
	if !named && !c.Fit(classes) { // transformers has two names by default
		c.ID2Label, c.Label2ID = nil, nil
	}
	if err := f.FitClasses(&c.Classes, classes); err != nil {
		return nil, err
	}
	m := newModel(c, task, newHeads(c, task, p, classes))
	m.Math = f.Math()
	if err := f.Fill(m); err != nil {
		return nil, err
	}
	m.readTokenizer(f.FS)
	m.readLibrary(f.FS)
	if m.Sentences != nil {
		f.Limit(m.Sentences)
	}
	return m, nil
}

// readLibrary reads what sentence-transformers keeps in the folder. An error waits for the tasks that need it.
func (m *Model) readLibrary(fsys fs.FS) {
	l, err := readLibrary(fsys)
	if err == nil && m.movedByPadding() {
		err = errors.New("tokenizer_config.json: padding_side: expected right, found left: padding would move positions in batches")
	}
	if err != nil {
		m.Sentences, m.sentencesErr, m.rerankErr = nil, err, err
		return
	}
	m.Sentences, m.sentencesErr = l.sentences(m.Config.HiddenSize)
	activation := ""
	if m.Reranking, activation, m.rerankErr = l.scores(); activation != "" {
		e := CrossEncoder{}
		if m.Config.CrossEncoder != nil {
			e = *m.Config.CrossEncoder
		}
		e.ActivationFn = activation
		m.Config.CrossEncoder = &e
	}
}

// movedByPadding reports whether transformers gives a text other positions in a batch with a longer one: padding comes
// before it, and counts.
func (m *Model) movedByPadding() bool {
	if m.Tokenizer == nil || m.Encoder.Embeddings.Positions == nil || m.Config.firstPosition() != 0 {
		return false
	}
	p := m.Tokenizer.Defaults().Padding
	return p != nil && p.Left
}

// held returns the parts of a model: those of its task, and those that the weights hold. classes is the number of
// classes of the classifier.
func held(f *modelfolder.Folder, c Config, task Task) (p parts, classes int, err error) {
	has := func(param string) bool {
		_, ok := f.Find(param)
		return ok
	}
	p = partsOf(c, task)
	switch task {
	case Features: // files of transformers' base models may lack it
		p.pooler = false
	case MaskedWords, PreTraining:
		// Encoders of sentence-transformers keep the architecture of their pre-training without its heads.
		if !has("Heads.Masked.Dense.Weight") && !has("Heads.Sentence.Weight") && !has("Heads.Replaced.Dense.Weight") {
			p = parts{}
		}
	}
	p.pooler = p.pooler || has("Heads.Pooler.Weight")
	p.masked = p.masked || has("Heads.Masked.Dense.Weight")
	p.sentence = p.sentence || has("Heads.Sentence.Weight")
	p.replaced = p.replaced || has("Heads.Replaced.Dense.Weight")
	p.spans = p.spans || has("Heads.Spans.Weight")
	if !p.classifier && has("Heads.Classifier.Out.Weight") {
		return p, 0, fmt.Errorf("%s: architectures: expected the class of a model with a classifier, which %s holds, found %q",
			modelfolder.ConfigName, f.Weights.Name(), c.Architectures)
	}
	if p.classifier {
		classes, err = f.Rows("Heads.Classifier.Out.Weight", c.HiddenSize)
	}
	return p, max(1, classes), err
}

// claim returns the least that the weights of this configuration are.
func (c Config) claim() modelfolder.Claim {
	d, h, e := float64(c.HiddenSize), float64(c.IntermediateSize), float64(c.embeddingSize())
	rows := float64(c.VocabSize) + float64(c.MaxPositionEmbeddings)
	if isModern(c) {
		return modelfolder.Claim{Values: float64(c.NumHiddenLayers)*(4*d*d+3*d*h) + float64(c.VocabSize)*e, Tensors: 5 * c.NumHiddenLayers}
	}
	if isDeberta(c) {
		if rows -= float64(c.MaxPositionEmbeddings); c.positionsInInput() {
			rows += float64(c.MaxPositionEmbeddings)
		}
	}
	if variants[c.ModelType].types {
		rows += float64(c.TypeVocabSize)
	}
	return modelfolder.Claim{Values: float64(c.groups())*(4*d*d+2*d*h) + rows*e, Tensors: 16*c.groups() + 4}
}

// agree returns an error that names the first field that the weights contradict.
func (c Config) agree(f *modelfolder.Folder) error {
	if isModern(c) {
		return c.agreeModern(f.Find)
	}
	y := tower.Statement{Name: c.field, Found: f.Found}
	layers := c.NumHiddenLayers
	if c.groups() < layers {
		layers = c.groups()
		y.Name = func(field string) string {
			if field == "num_hidden_layers" {
				return "num_hidden_groups"
			}
			return field
		}
	}
	return y.AgreeStack(f.Find, "Encoder.Layers", "", tower.Stack{
		Width: c.HiddenSize, Layers: layers, Hidden: c.IntermediateSize, QKVBias: true,
	})
}
