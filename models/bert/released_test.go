package bert

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReleasedConfigs reads configurations in the forms of the released models, which differ from what transformers
// writes now.
func TestReleasedConfigs(t *testing.T) {
	deberta := DeBERTa()
	deberta.PoolerHiddenAct = "" // absent, which means the same
	modern := ModernBERT()
	modern.GlobalTheta, modern.LocalTheta, modern.DecoderBias = new(160000.0), new(10000.0), new(true)
	modern.ClassifierPooling, modern.ClassifierActivation, modern.InitializerCutoff, modern.ClassifierDropout = "mean", "gelu", new(2.0), new(float32(0))
	for text, want := range map[string]Config{
		`{"model_type": "deberta-v2", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
		"initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 512, "relative_attention": true, "position_buckets": 256,
		"norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-7, "max_relative_positions": -1,
		"position_biased_input": false, "num_attention_heads": 12, "num_hidden_layers": 12, "type_vocab_size": 0, "vocab_size": 128100}`: deberta,
		`{"model_type": "modernbert", "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 50281, "classifier_activation": "gelu",
		"classifier_bias": false, "classifier_dropout": 0.0, "classifier_pooling": "mean", "cls_token_id": 50281, "decoder_bias": true,
		"deterministic_flash_attn": false, "embedding_dropout": 0.0, "eos_token_id": 50282, "global_attn_every_n_layers": 3,
		"global_rope_theta": 160000.0, "hidden_activation": "gelu", "hidden_size": 768, "initializer_cutoff_factor": 2.0, "initializer_range": 0.02,
		"intermediate_size": 1152, "layer_norm_eps": 1e-05, "local_attention": 128, "local_rope_theta": 10000.0, "max_position_embeddings": 8192,
		"mlp_bias": false, "mlp_dropout": 0.0, "norm_bias": false, "norm_eps": 1e-05, "num_attention_heads": 12, "num_hidden_layers": 22,
		"pad_token_id": 50283, "position_embedding_type": "absolute", "sep_token_id": 50282, "tie_word_embeddings": true, "vocab_size": 50368}`: modern,
	} {
		var got Config
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if err := variants[got.ModelType].fields.Check([]byte(text)); err != nil {
			t.Error(err)
		}
		if err := got.Validate(); err != nil {
			t.Error(err)
		}
	}
	if !modern.sliding(1) || modern.sliding(21) || modern.theta(false) != 160000 || modern.theta(true) != 10000 {
		t.Error("ModernBERT's layers differ")
	}
}

// TestRefusedConfigs expects an error that names the field for values that no model has or that are not supported.
func TestRefusedConfigs(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type": "modernbert", "layer_types": ["full_attention"]}`:                            "layer_types: expected num_hidden_layers 22",
		`{"model_type": "modernbert", "num_hidden_layers": 1, "layer_types": ["chunked_attention"]}`: "layer_types: expected one of",
		`{"model_type": "modernbert", "local_attention": 0}`:                                         "local_attention: expected 1 to",
		`{"model_type": "modernbert", "rope_parameters": {"full_attention": {"rope_type": "yarn"}}}`: "rope_parameters.rope_type: expected one of",
		`{"model_type": "modernbert", "global_rope_theta": -1.0}`:                                    "rope_parameters.rope_theta: expected a positive number",
		`{"model_type": "modernbert", "rope_scaling": {"factor": 2.0}}`:                              "rope_scaling",
		`{"model_type": "modernbert", "classifier_pooling": "max"}`:                                  "classifier_pooling: expected one of",
		`{"model_type": "modernbert", "num_attention_heads": 768}`:                                   "num_attention_heads: expected heads of an even width",
		`{"model_type": "mpnet", "relative_attention_num_buckets": 16}`:                              "relative_attention_num_buckets: expected at least",
		`{"model_type": "deberta-v2", "pos_att_type": "p2c|p2p"}`:                                    "pos_att_type: expected c2p and p2c",
		`{"model_type": "deberta-v2", "pos_att_type": ["c2p", "c2p"]}`:                               "pos_att_type: expected c2p and p2c",
		`{"model_type": "deberta-v2", "norm_rel_ebd": "rms"}`:                                        "norm_rel_ebd: expected one of",
		`{"model_type": "deberta-v2", "position_buckets": 2}`:                                        "position_buckets: expected 4 to",
		`{"model_type": "deberta-v2", "position_buckets": 16, "max_relative_positions": 8}`:          "position_buckets: expected 4 to 13",
		`{"model_type": "deberta-v2", "conv_kernel_size": 4}`:                                        "conv_kernel_size: expected an odd number",
		`{"model_type": "deberta-v2", "conv_kernel_size": 3, "conv_groups": 7}`:                      "conv_groups: expected a divisor",
		`{"model_type": "deberta-v2", "pooler_hidden_size": 7}`:                                      "pooler_hidden_size: expected hidden_size",
		`{"model_type": "deberta-v2", "legacy": false, "embedding_size": 8}`:                         "legacy: expected true where embedding_size 8",
		`{"model_type": "electra", "summary_proj_to_labels": true}`:                                  "summary_proj_to_labels",
		`{"model_type": "deberta-v2", "attention_head_size": 7}`:                                     "attention_head_size",
		`{"model_type": "deberta-v2", "relative_attention": 1}`:                                      "relative_attention: expected",
	} {
		var c Config
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = variants[c.ModelType].fields.Check([]byte(text))
		}
		if err == nil {
			err = c.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found error %v, expected %q", text, err, want)
		}
	}
}
