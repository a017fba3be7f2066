package template

import (
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// names ties the paths of parameters and buffers to the names in files. All columns are read. A column that is called like
// a models.Layout can also be written. What follows a rule's path is in lower case: Head.Weight is classifier.weight.
// The statistics Norm.Mean and Norm.Variance are norm.running_mean and norm.running_var.
var names = checkpoint.Names{
	Columns: []string{models.HuggingFace.String(), models.Original.String()},
	Rules: slices.Concat([]checkpoint.Rule{
		{"Patch", "template.embeddings.projection", "patch_embed.proj"},
		{"Norm", "template.norm", "norm"},
		{"Head", "classifier", "head"},
	}, checkpoint.Nest("Blocks.{}", []string{"template.encoder.layer.{}", "blocks.{}"},
		checkpoint.Rule{"Norm1", "layernorm_before", "norm1"},
		checkpoint.Rule{"Attention.QKV", "attention.{query,key,value}", "attn.qkv"}, // three tensors in the first column
		checkpoint.Rule{"Attention.Proj", "attention.output.dense", "attn.proj"},
		checkpoint.Rule{"Norm2", "layernorm_after", "norm2"},
		checkpoint.Rule{"MLP.FC1", "intermediate.dense", "mlp.fc1"},
		checkpoint.Rule{"MLP.FC2", "output.dense", "mlp.fc2"},
	)),
	Prefixes: []string{"template.", "module."}, // a file may put these before every name, or leave them out
}

// configFields are the fields of the reference's configuration: each is used, harmless, or refused with a value that would
// change the answer. A test asks the reference for its fields: modeltest.Fields.
var configFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, strictjson.Fields{
	{Name: "image_size"},
	{Name: "patch_size"},
	{Name: "num_channels"},
	{Name: "hidden_size"},
	{Name: "num_hidden_layers"},
	{Name: "num_attention_heads"},
	{Name: "intermediate_size"},
	{Name: "hidden_act"},
	{Name: "layer_norm_eps"},
	{Name: "dropout", Use: strictjson.Harmless, Reason: "only training uses it"},
	{Name: "causal", Use: strictjson.Refused, Reason: "attention to earlier patches alone is not supported", Same: []string{"false"}},
})

// family says how the models lie in folders.
var family = modelfolder.Family{Package: "template", ModelType: "template", Names: &names, Fields: configFields, Images: true}

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and preprocessor_config.json count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder: config.json, preprocessor_config.json where it is there, and the weights, under the
// names of either layout. A file without a classifier gives a model without a head. Nothing in the folder is trusted. The
// error names the file, what was expected and what was found.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c := Tiny() // the reference's defaults, for fields that config.json leaves out
	if err := f.Configure(&c); err != nil {
		return nil, err
	}
	// Before memory is reserved: the weights hold at least the values and tensors of such a model. Biases may be left out.
	patch := float64(c.NumChannels) * float64(c.PatchSize) * float64(c.PatchSize) * float64(c.HiddenSize)
	claim := modelfolder.ClaimBlocks(c.NumHiddenLayers, c.block()).Plus(modelfolder.Claim{Values: patch, Tensors: 1})
	if err := claim.Check(f.Weights); err != nil {
		return nil, err
	}
	classes, err := f.Rows("Head.Weight", c.HiddenSize)
	if err != nil {
		return nil, err
	}
	if err := f.FitClasses(&c.Classes, classes); err != nil {
		return nil, err
	}
	size := c.ImageSize
	if err := f.Resize(&c.ImageSize, &c); err != nil {
		return nil, err
	}
	m := New(c, classes, nil)
	if m.Preprocess, m.PreprocessAssumed, err = f.Preprocess(vision.ImageNet(size), modelfolder.Images{Height: size, Width: size, Channels: c.NumChannels}); err != nil {
		return nil, err
	}
	m.Math = f.Math()
	return m, f.Fill(m)
}

// Save writes config.json, preprocessor_config.json and model.safetensors to a folder, for models.HuggingFace or
// models.Original. Classes without a name are called LABEL_0 and so on. Each file appears whole or not at all.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	c.ModelType = family.ModelType
	if m.Head != nil {
		c.NameAll(m.Head.Weight.Shape()[0])
	} else {
		c.Classes = models.Classes{}
	}
	return family.Save(dir, modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Model: m}, o)
}
