package modelfolder

import "github.com/fovea-ml/fovea/internal/strictjson"

const (
	outputs = "it says which outputs transformers returns beside the answer"
	origin  = "it describes where the file comes from"
)

// CommonFields are the fields that the configurations of all models have in transformers (5.23, PreTrainedConfig), apart
// from those about classes.
var CommonFields = strictjson.Fields{
	{Name: "model_type"},
	{Name: "architectures", Use: strictjson.Harmless, Reason: "the tensors tell which parts there are"},
	{Name: "transformers_version", Use: strictjson.Harmless, Reason: origin},
	{Name: "_name_or_path", Use: strictjson.Harmless, Reason: origin},
	{Name: "name_or_path", Use: strictjson.Harmless, Reason: origin},
	{Name: "_commit_hash", Use: strictjson.Harmless, Reason: origin},
	{Name: "output_hidden_states", Use: strictjson.Harmless, Reason: outputs},
	{Name: "output_attentions", Use: strictjson.Harmless, Reason: outputs},
	{Name: "return_dict", Use: strictjson.Harmless, Reason: outputs},
	{Name: "tie_last_hidden_states", Use: strictjson.Harmless, Reason: outputs},
	{Name: "dtype", Use: strictjson.Harmless, Reason: "results are float32, whatever it says"},
	{Name: "torch_dtype", Use: strictjson.Harmless, Reason: "results are float32, whatever it says"},
	{Name: "chunk_size_feed_forward", Use: strictjson.Harmless, Reason: "parts of the same result, computed one after the other"},
	{Name: "attn_implementation", Use: strictjson.Harmless, Reason: "implementations of the same function"},
	{Name: "experts_implementation", Use: strictjson.Harmless, Reason: "the model has no experts"},
	{Name: "tie_word_embeddings", Use: strictjson.Harmless, Reason: "the model has no words"},
	{Name: "is_encoder_decoder", Use: strictjson.Harmless, Reason: "the model has one stack"},
	{Name: "function_to_apply", Use: strictjson.Harmless, Reason: "the pipeline decides by the number of classes before it looks"},
	{Name: "per_layer_config", Use: strictjson.Refused, Reason: "layers that differ are not supported", Same: []string{"null", "{}"}},
	{Name: "pruned_heads", Use: strictjson.Refused, Reason: "pruned heads are not supported", Same: []string{"null", "{}"}},
	{Name: "quantization_config", Use: strictjson.Refused, Reason: "quantized weights are not supported here", Same: []string{"null"}},
}

// ClassFields are the fields of classifiers.
var ClassFields = strictjson.Fields{
	{Name: "id2label"},
	{Name: "label2id"},
	{Name: "num_labels", Reason: "names of another number of classes do not count"},
	{Name: "problem_type"},
}

// EncoderFields are the sizes, the activation, the dropouts and the norms of a transformer encoder such as ViT and BERT.
var EncoderFields = strictjson.Fields{
	{Name: "hidden_size"},
	{Name: "num_hidden_layers"},
	{Name: "num_attention_heads"},
	{Name: "intermediate_size"},
	{Name: "hidden_act"},
	{Name: "hidden_dropout_prob"},
	{Name: "attention_probs_dropout_prob"},
	{Name: "layer_norm_eps"},
}
