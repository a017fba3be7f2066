package bert

import (
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

const (
	decoding = "it is about decoders"
	token    = "the tokenizer adds the token"
)

// without returns the fields that all models have, apart from some that are described elsewhere.
func without(names ...string) strictjson.Fields {
	all := slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields)
	return slices.DeleteFunc(all, func(f strictjson.Field) bool { return slices.Contains(names, f.Name) })
}

// sharedFields are the fields that all variants have.
var sharedFields = slices.Concat(without("tie_word_embeddings"), strictjson.Fields{
	{Name: "tie_word_embeddings"},
	{Name: "vocab_size"},
	{Name: "max_position_embeddings"},
	{Name: "initializer_range"},
	{Name: "pad_token_id"},
	{Name: "bos_token_id", Use: strictjson.Harmless, Reason: token},
	{Name: "eos_token_id", Use: strictjson.Harmless, Reason: token},
})

// namedFields are the fields that all variants but DistilBERT have under these names.
var namedFields = slices.Concat(sharedFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "type_vocab_size"},
	{Name: "position_embedding_type", Use: strictjson.Refused, Reason: "relative positions are not supported", Same: []string{`"absolute"`, "null"}},
})

// decoderFields are the fields of the variants that transformers also has as decoders.
var decoderFields = strictjson.Fields{
	{Name: "is_decoder", Use: strictjson.Refused, Reason: "decoders are not supported", Same: []string{"false", "null"}},
	{Name: "add_cross_attention", Use: strictjson.Refused, Reason: "decoders are not supported", Same: []string{"false", "null"}},
	{Name: "use_cache", Use: strictjson.Harmless, Reason: decoding},
	{Name: "classifier_dropout"},
}

// bertFields are the fields of transformers' BertConfig, RobertaConfig, XLMRobertaConfig and CamembertConfig (5.23).
var bertFields = slices.Concat(namedFields, decoderFields)

// electraFields are the fields of ElectraConfig.
var electraFields = slices.Concat(namedFields, decoderFields, strictjson.Fields{
	{Name: "embedding_size"},
	{Name: "summary_type", Use: strictjson.Refused, Reason: "other summaries than the first token are not supported", Same: []string{`"first"`}},
	{Name: "summary_use_proj", Use: strictjson.Refused, Reason: "summaries without a projection are not supported", Same: []string{"true"}},
	{Name: "summary_proj_to_labels", Use: strictjson.Refused, Reason: "summaries of other sizes are not supported", Same: []string{"false", "null"}},
	{Name: "summary_activation"},
	{Name: "summary_last_dropout"},
	{Name: "summary_first_dropout", Use: strictjson.Refused, Reason: "dropout before the summary is not supported", Same: []string{"0"}},
})

// albertFields are the fields of AlbertConfig.
var albertFields = slices.Concat(namedFields, strictjson.Fields{
	{Name: "embedding_size"},
	{Name: "num_hidden_groups"},
	{Name: "inner_group_num", Use: strictjson.Refused, Reason: "groups of several layers are not supported", Same: []string{"1"}},
	{Name: "classifier_dropout_prob"},
	{Name: "net_structure_type", Use: strictjson.Refused, Reason: "other structures are not supported", Same: []string{"0"}},
	{Name: "gap_size", Use: strictjson.Refused, Reason: "gaps are not supported", Same: []string{"0"}},
	{Name: "num_memory_blocks", Use: strictjson.Refused, Reason: "memory blocks are not supported", Same: []string{"0"}},
})

// distilFields are the fields of DistilBertConfig.
var distilFields = slices.Concat(sharedFields, strictjson.Fields{
	{Name: "dim"},
	{Name: "n_layers"},
	{Name: "n_heads"},
	{Name: "hidden_dim"},
	{Name: "activation"},
	{Name: "dropout"},
	{Name: "attention_dropout"},
	{Name: "qa_dropout"},
	{Name: "seq_classif_dropout"},
	{Name: "sinusoidal_pos_embds", Use: strictjson.Harmless, Reason: "it decides the initial positions, which are in the weights"},
})
