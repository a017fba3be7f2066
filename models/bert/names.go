package bert

import (
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// modelTypes are the values of model_type that the package loads.
var modelTypes = []string{"bert", "roberta", "xlm-roberta", "camembert", "distilbert", "albert", "electra", "mpnet", "deberta-v2", "modernbert"}

// A variant is the difference between a model_type and the others.
type variant struct {
	class                 string // the beginning of the names of its classes in transformers
	types                 bool   // the model has token types
	positionsAfterPadding bool   // positions count from the padding token's id plus one
	pools                 bool   // transformers' base model has a pooler
	rules                 []checkpoint.Rule
	fields                strictjson.Fields
	prefix                string
}

// encoderRules are the rows for an encoder with BERT's names.
func encoderRules(prefix string) []checkpoint.Rule {
	return slices.Concat(embeddingRules(prefix), []checkpoint.Rule{
		{"Encoder.Embeddings.Project", prefix + "embeddings_project"},
		{"Heads.Pooler", prefix + "pooler.dense"},
	}, checkpoint.Nest("Encoder.Layers.{}", []string{prefix + "encoder.layer.{}"},
		checkpoint.Rule{"Attention.QKV", "attention.self.{query,key,value}"},
		checkpoint.Rule{"Attention.Proj", "attention.output.dense"},
		checkpoint.Rule{"Norm1", "attention.output.LayerNorm"},
		checkpoint.Rule{"MLP.FC1", "intermediate.dense"},
		checkpoint.Rule{"MLP.FC2", "output.dense"},
		checkpoint.Rule{"Norm2", "output.LayerNorm"},
	))
}

func embeddingRules(prefix string) []checkpoint.Rule {
	return []checkpoint.Rule{
		{"Encoder.Embeddings.Words", prefix + "embeddings.word_embeddings"},
		{"Encoder.Embeddings.Positions", prefix + "embeddings.position_embeddings"},
		{"Encoder.Embeddings.Types", prefix + "embeddings.token_type_embeddings"},
		{"Encoder.Embeddings.Norm", prefix + "embeddings.LayerNorm"},
	}
}

var (
	bertRules = slices.Concat(encoderRules("bert."), []checkpoint.Rule{
		{"Heads.Masked.Dense", "cls.predictions.transform.dense"},
		{"Heads.Masked.Norm", "cls.predictions.transform.LayerNorm"},
		{"Heads.Masked.Decoder", "cls.predictions.decoder"},
		{"Heads.Masked.Bias", "cls.predictions.bias", "cls.predictions.decoder.bias"},
		{"Heads.Sentence", "cls.seq_relationship"},
	})
	robertaRules = slices.Concat(encoderRules("roberta."), []checkpoint.Rule{
		{"Heads.Masked.Dense", "lm_head.dense"},
		{"Heads.Masked.Norm", "lm_head.layer_norm"},
		{"Heads.Masked.Decoder", "lm_head.decoder"},
		{"Heads.Masked.Bias", "lm_head.bias", "lm_head.decoder.bias"},
	})
	electraRules = slices.Concat(encoderRules("electra."), []checkpoint.Rule{
		{"Heads.Masked.Dense", "generator_predictions.dense"},
		{"Heads.Masked.Norm", "generator_predictions.LayerNorm"},
		{"Heads.Masked.Decoder", "generator_lm_head"},
		{"Heads.Masked.Bias", "generator_lm_head.bias"},
		{"Heads.Replaced.Dense", "discriminator_predictions.dense"},
		{"Heads.Replaced.Out", "discriminator_predictions.dense_prediction"},
	})
	distilRules = slices.Concat(embeddingRules("distilbert."), checkpoint.Nest("Encoder.Layers.{}", []string{"distilbert.transformer.layer.{}"},
		checkpoint.Rule{"Attention.QKV", "attention.{q_lin,k_lin,v_lin}"},
		checkpoint.Rule{"Attention.Proj", "attention.out_lin"},
		checkpoint.Rule{"Norm1", "sa_layer_norm"},
		checkpoint.Rule{"MLP.FC1", "ffn.lin1"},
		checkpoint.Rule{"MLP.FC2", "ffn.lin2"},
		checkpoint.Rule{"Norm2", "output_layer_norm"},
	), []checkpoint.Rule{
		{"Heads.Masked.Dense", "vocab_transform"},
		{"Heads.Masked.Norm", "vocab_layer_norm"},
		{"Heads.Masked.Decoder", "vocab_projector"},
		{"Heads.Masked.Bias", "vocab_projector.bias"},
	})
	albertRules = slices.Concat(embeddingRules("albert."), []checkpoint.Rule{
		{"Encoder.Embeddings.Project", "albert.encoder.embedding_hidden_mapping_in"},
		{"Heads.Pooler", "albert.pooler"},
	}, checkpoint.Nest("Encoder.Layers.{}", []string{"albert.encoder.albert_layer_groups.{}.albert_layers.0"},
		checkpoint.Rule{"Attention.QKV", "attention.{query,key,value}"},
		checkpoint.Rule{"Attention.Proj", "attention.dense"},
		checkpoint.Rule{"Norm1", "attention.LayerNorm"},
		checkpoint.Rule{"MLP.FC1", "ffn"},
		checkpoint.Rule{"MLP.FC2", "ffn_output"},
		checkpoint.Rule{"Norm2", "full_layer_layer_norm"},
	), []checkpoint.Rule{
		{"Heads.Masked.Dense", "predictions.dense"},
		{"Heads.Masked.Norm", "predictions.LayerNorm"},
		{"Heads.Masked.Decoder", "predictions.decoder"},
		{"Heads.Masked.Bias", "predictions.bias", "predictions.decoder.bias"},
		{"Heads.Sentence", "sop_classifier.classifier"},
	})
)

var variants = map[string]variant{
	"bert":        {class: "Bert", types: true, pools: true, rules: bertRules, fields: bertFields, prefix: "bert."},
	"roberta":     {class: "Roberta", types: true, positionsAfterPadding: true, pools: true, rules: robertaRules, fields: bertFields, prefix: "roberta."},
	"xlm-roberta": {class: "XLMRoberta", types: true, positionsAfterPadding: true, pools: true, rules: robertaRules, fields: bertFields, prefix: "roberta."},
	"camembert":   {class: "Camembert", types: true, positionsAfterPadding: true, pools: true, rules: robertaRules, fields: bertFields, prefix: "roberta."},
	"distilbert":  {class: "DistilBert", rules: distilRules, fields: distilFields, prefix: "distilbert."},
	"albert":      {class: "Albert", types: true, pools: true, rules: albertRules, fields: albertFields, prefix: "albert."},
	"electra":     {class: "Electra", types: true, rules: electraRules, fields: electraFields, prefix: "electra."},
	"deberta-v2":  {class: "DebertaV2", types: true, rules: debertaRules, fields: debertaFields, prefix: "deberta."},
	"modernbert":  {class: "ModernBert", rules: modernRules, fields: modernFields, prefix: "model."},
	"mpnet":       {class: "MPNet", positionsAfterPadding: true, pools: true, rules: mpnetRules, fields: mpnetFields, prefix: "mpnet."},
}

// headRules returns the rows for a classifier and for spans. The names depend on the variant and the task.
func headRules(modelType string, task Task) []checkpoint.Rule {
	if modelType == "modernbert" {
		return modernHeadRules(task)
	}
	rules := []checkpoint.Rule{{"Heads.Spans", "qa_outputs"}}
	dense, out := "", "classifier"
	switch modelType {
	case "roberta", "xlm-roberta", "camembert", "mpnet":
		if task == SequenceClassification {
			dense, out = "classifier.dense", "classifier.out_proj"
		}
	case "electra":
		if task == SequenceClassification {
			dense, out = "classifier.dense", "classifier.out_proj"
		} else if task == MultipleChoice {
			dense = "sequence_summary.summary"
		}
	case "distilbert":
		if task == SequenceClassification || task == MultipleChoice {
			dense = "pre_classifier"
		}
	}
	if dense != "" {
		rules = append(rules, checkpoint.Rule{"Heads.Classifier.Dense", dense})
	}
	return append(rules, checkpoint.Rule{"Heads.Classifier.Out", out})
}

// namesOf returns the table of the names of tensors in the files of a variant with the head of a task.
func namesOf(modelType string, task Task, tied bool) *checkpoint.Names {
	v := variants[modelType]
	n := &checkpoint.Names{
		Columns: []string{models.HuggingFace.String()},
		Rules:   slices.Concat(v.rules, headRules(modelType, task)),
		// A file may put these before every name: the base model of transformers, and whatever held the model where it
		// was trained.
		Prefixes: []string{v.prefix, "module.", "model.", "0.auto_model.", "auto_model.", "_orig_mod."},
		Renames: []checkpoint.Rename{ // the first files were converted from TensorFlow
			{Old: "LayerNorm.gamma", New: "LayerNorm.weight"},
			{Old: "LayerNorm.beta", New: "LayerNorm.bias"},
		},
		Ignore: []string{"*.position_ids", "*.token_type_ids", "mask_predictions.*"},
	}
	if !tied {
		untie(n)
		return n
	}
	for _, decoder := range []string{"cls.predictions.decoder", "lm_head.decoder", "predictions.decoder"} {
		n.Ignore = append(n.Ignore, decoder+".weight", decoder+".bias") // copies of the word embeddings and of the bias
	}
	n.Ignore = append(n.Ignore, "vocab_projector.weight", "generator_lm_head.weight")
	if modelType == "modernbert" {
		n.Ignore = append(n.Ignore, "decoder.weight")
	}
	return n
}

// untie changes a table to that of a head for masked words whose decoder is its own. transformers 5 then has two biases
// in files: it uses the decoder's alone. Older files have one, under the name of the other.
func untie(n *checkpoint.Names) {
	for i, r := range n.Rules {
		if r[0] != "Heads.Masked.Bias" {
			continue
		}
		at := slices.IndexFunc(r, func(name string) bool { return strings.HasSuffix(name, ".decoder.bias") })
		if at > 1 {
			n.Ignore = append(n.Ignore, r[1])
			n.Rules[i] = slices.Concat(checkpoint.Rule{r[0], r[at]}, r[1:at], r[at+1:])
		}
	}
}

// family is that of BERT; Of gives those of the others.
var family = modelfolder.Family{Package: "bert", ModelType: "bert", Names: namesOf("bert", Features, true), Of: familyOf}

// familyOf returns the family that a config.json describes.
func familyOf(data []byte) (modelfolder.Family, error) {
	y := modelfolder.Family{Package: "bert", ModelType: "bert", Fields: bertFields}
	c := struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
		Tied          bool     `json:"tie_word_embeddings"`
	}{ModelType: "bert", Tied: true}
	if err := strictjson.Decode(data, &c); err != nil {
		return y, err
	}
	v, ok := variants[c.ModelType]
	if !ok {
		if models.PackageFor(c.ModelType) == "" {
			return y, &unsupported{c.ModelType}
		}
		y.Names = namesOf("bert", Features, true) // modelfolder names the package that loads it
		return y, nil
	}
	y.ModelType, y.Fields = c.ModelType, v.fields
	y.Names = namesOf(c.ModelType, taskOf(c.Architectures), c.Tied)
	return y, nil
}

// unsupported is the error for a model_type that the package does not load.
type unsupported struct{ modelType string }

func (e *unsupported) Error() string {
	return `model_type: expected one of "` + strings.Join(modelTypes, `", "`) + `", found "` + e.modelType + `"`
}
