package bert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Preprocess says how sentence-transformers reads texts.
type Preprocess struct {
	// Prompts are texts to put before others, by name, such as "query". DefaultPrompt is the name of the one to use where
	// none is asked for; "" is none.
	Prompts       map[string]string
	DefaultPrompt string
	// MaxTokens, when it is not 0, is the number of tokens to which texts are cut (max_seq_length), at most the number of
	// positions. It counts in the place of Model.MaxTokens.
	MaxTokens int
	// LowerCase changes texts to lower case before they become tokens, but not special tokens (do_lower_case).
	LowerCase bool
}

// prompt returns the prompt of a name; "" is the default one.
func (p *Preprocess) prompt(name string) (string, error) {
	field := "option PromptName"
	if name == "" {
		field, name = "DefaultPrompt", p.DefaultPrompt
	}
	prompt, ok := p.Prompts[name]
	if !ok && name != "" {
		return "", fmt.Errorf("%s: expected one of the prompts %q, found %q", field, slices.Sorted(maps.Keys(p.Prompts)), name)
	}
	return prompt, nil
}

// limit says how texts are read: cut to that many tokens.
func (p *Preprocess) limit(m *Model) limit {
	l := limit{tokens: m.MaxTokens, cut: true, lower: p.LowerCase}
	if p.MaxTokens > 0 {
		l.tokens = min(p.MaxTokens, m.Config.MaxTokens())
	}
	return l
}

// sentenceConfigs are the names of the file that describes the module Transformer. The first that is there counts.
var sentenceConfigs = []string{
	"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json", "sentence_camembert_config.json",
	"sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
}

const (
	noQueries = "the lengths of queries are not supported"
	onlyText  = "it is about other inputs than texts"
	loading   = "it is about how the weights are loaded"
	batches   = "it is about the padding of batches"
)

var (
	null = []string{"null"}
	// transformerFields are the fields of the module Transformer of sentence-transformers (6.2), which refuses others.
	transformerFields = strictjson.Fields{
		{Name: "max_seq_length"}, {Name: "do_lower_case"}, {Name: "processing_kwargs"},
		{Name: "transformer_task"}, {Name: "modality_config"}, {Name: "module_output_name"},
		{Name: "model_args"}, {Name: "tokenizer_args"}, {Name: "config_args"},
		{Name: "model_kwargs"}, {Name: "processor_kwargs"}, {Name: "config_kwargs"},
		{Name: "unpad_inputs", Use: strictjson.Harmless, Reason: batches},
		{Name: "backend", Use: strictjson.Harmless, Reason: "implementations of the same function"},
		{Name: "query_length", Use: strictjson.Refused, Reason: noQueries, Same: null},
		{Name: "document_length", Use: strictjson.Refused, Reason: noQueries, Same: null},
		{Name: "query_expansion", Use: strictjson.Refused, Reason: noQueries, Same: null},
		{Name: "tokenizer_name_or_path", Use: strictjson.Refused, Reason: "a tokenizer of another folder is not supported", Same: null},
	}
	// modelFields, tokenizerFields and configFields are the arguments of transformers' from_pretrained that may be there.
	modelFields = strictjson.Fields{
		{Name: "trust_remote_code", Use: strictjson.Harmless, Reason: "the library takes it out"},
		{Name: "dtype", Use: strictjson.Harmless, Reason: "results are float32, whatever it says"},
		{Name: "torch_dtype", Use: strictjson.Harmless, Reason: "results are float32, whatever it says"},
		{Name: "attn_implementation", Use: strictjson.Harmless, Reason: "implementations of the same function"},
		{Name: "add_pooling_layer", Use: strictjson.Harmless, Reason: "hidden states do not depend on the pooler"},
		{Name: "device_map", Use: strictjson.Harmless, Reason: loading},
		{Name: "low_cpu_mem_usage", Use: strictjson.Harmless, Reason: loading},
		{Name: "use_safetensors", Use: strictjson.Harmless, Reason: loading},
	}
	tokenizerFields = strictjson.Fields{
		{Name: "model_max_length"},
		{Name: "trust_remote_code", Use: strictjson.Harmless, Reason: "the library takes it out"},
		{Name: "use_fast", Use: strictjson.Harmless, Reason: "transformers has one implementation"},
		{Name: "padding_side", Use: strictjson.Refused, Reason: "padding would move positions", Same: []string{`"right"`}},
	}
	configFields = strictjson.Fields{
		{Name: "trust_remote_code", Use: strictjson.Harmless, Reason: "the library takes it out"},
		{Name: "attn_implementation", Use: strictjson.Harmless, Reason: "implementations of the same function"},
	}
	// processingFields are the kinds of processing_kwargs; the library ignores others.
	processingFields = strictjson.Fields{
		{Name: "text"}, {Name: "common"},
		{Name: "image", Use: strictjson.Harmless, Reason: onlyText},
		{Name: "audio", Use: strictjson.Harmless, Reason: onlyText},
		{Name: "video", Use: strictjson.Harmless, Reason: onlyText},
		{Name: "chat_template", Use: strictjson.Harmless, Reason: onlyText},
	}
	// callFields are the arguments of a tokenizer that may be there.
	callFields = strictjson.Fields{
		{Name: "max_length"},
		{Name: "padding", Use: strictjson.Harmless, Reason: batches},
		{Name: "pad_to_multiple_of", Use: strictjson.Harmless, Reason: batches},
		{Name: "return_tensors", Use: strictjson.Harmless, Reason: batches},
		{Name: "verbose", Use: strictjson.Harmless, Reason: "it is about warnings"},
		{Name: "padding_side", Use: strictjson.Refused, Reason: "padding would move positions", Same: []string{`"right"`, "null"}},
		{Name: "truncation", Use: strictjson.Refused, Reason: "other ways to cut are not supported", Same: []string{"true", `"longest_first"`}},
		{Name: "add_special_tokens", Use: strictjson.Refused, Reason: "texts without special tokens are not supported", Same: []string{"true"}},
		{Name: "return_attention_mask", Use: strictjson.Refused, Reason: "attention to padding is not supported", Same: []string{"true", "null"}},
	}
)

// transformer holds the fields of the module Transformer that count.
type transformer struct {
	Max        *int            `json:"max_seq_length"`
	LowerCase  bool            `json:"do_lower_case"`
	Task       *string         `json:"transformer_task"`
	Modalities json.RawMessage `json:"modality_config"`
	Result     *string         `json:"module_output_name"`
	Processing json.RawMessage `json:"processing_kwargs"`
	Model      json.RawMessage `json:"model_kwargs"`
	OldModel   json.RawMessage `json:"model_args"`
	Tokenizer  json.RawMessage `json:"processor_kwargs"`
	OldToken   json.RawMessage `json:"tokenizer_args"`
	Config     json.RawMessage `json:"config_kwargs"`
	OldConfig  json.RawMessage `json:"config_args"`
}

// readTransformer reads the file of the module Transformer. task, output and result are those that the model has here.
func readTransformer(fsys fs.FS, task, output, result string) (Preprocess, error) {
	for _, name := range sentenceConfigs {
		var t transformer
		found, err := readKnown(fsys, name, transformerFields, &t)
		if err != nil {
			return Preprocess{}, err
		}
		if !found {
			continue
		}
		p, err := t.preprocess(task, output, result)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return p, err
	}
	if task != "feature-extraction" { // the library's default
		return Preprocess{}, fmt.Errorf("%s: transformer_task: expected %q, found no file", sentenceConfigs[0], task)
	}
	return Preprocess{}, nil
}

func (t *transformer) preprocess(task, output, result string) (Preprocess, error) {
	if found := stated(t.Task, "feature-extraction"); found != task {
		return Preprocess{}, fmt.Errorf("transformer_task: expected %q, found %q", task, found)
	}
	if err := t.modality(output, result); err != nil {
		return Preprocess{}, err
	}
	for _, part := range []struct {
		name   string
		data   json.RawMessage
		fields strictjson.Fields
	}{{"model_kwargs", t.Model, modelFields}, {"model_args", t.OldModel, modelFields}, {"config_kwargs", t.Config, configFields}, {"config_args", t.OldConfig, configFields}} {
		if err := decodeKnown(part.name, part.data, part.fields, &struct{}{}); err != nil {
			return Preprocess{}, err
		}
	}
	var tokenizer struct {
		Max *int `json:"model_max_length"`
	}
	var processing struct {
		Text   json.RawMessage `json:"text"`
		Common json.RawMessage `json:"common"`
	}
	var call struct {
		Max *int `json:"max_length"`
	}
	for _, part := range []struct {
		name   string
		data   *json.RawMessage
		fields strictjson.Fields
		target any
	}{
		{"processor_kwargs", &t.Tokenizer, tokenizerFields, &tokenizer}, {"tokenizer_args", &t.OldToken, tokenizerFields, &tokenizer},
		{"processing_kwargs", &t.Processing, processingFields, &processing},
		{"processing_kwargs.text", &processing.Text, callFields, &call}, {"processing_kwargs.common", &processing.Common, callFields, &call},
	} {
		if err := decodeKnown(part.name, *part.data, part.fields, part.target); err != nil {
			return Preprocess{}, err
		}
	}
	p := Preprocess{LowerCase: t.LowerCase}
	for _, m := range []struct { // the first that is stated counts
		name string
		most *int
	}{{"processing_kwargs: max_length", call.Max}, {"model_max_length", tokenizer.Max}, {"max_seq_length", t.Max}} {
		if m.most == nil {
			continue
		}
		if *m.most < 1 {
			return p, fmt.Errorf("%s: expected at least 1, found %d", m.name, *m.most)
		}
		p.MaxTokens = cmp.Or(p.MaxTokens, *m.most)
	}
	return p, nil
}

// modality returns an error unless texts are the inputs, and the output of the model for them is the usual one.
func (t *transformer) modality(output, result string) error {
	if t.Modalities == nil { // the usual ones, whatever module_output_name is
		return nil
	}
	var m struct {
		Text *struct {
			Method string `json:"method"`
			Output string `json:"method_output_name"`
		} `json:"text"`
		Message json.RawMessage `json:"message"`
	}
	if err := strictjson.Decode(t.Modalities, &m); err != nil {
		return fmt.Errorf("modality_config: %w", err)
	}
	switch {
	case m.Message != nil:
		return fmt.Errorf("modality_config: message: templates of chats are not supported")
	case m.Text == nil || m.Text.Method != "forward" || m.Text.Output != output:
		return fmt.Errorf("modality_config: text: expected the method forward and its %s", output)
	case t.Result == nil || *t.Result != result:
		return fmt.Errorf("module_output_name: expected %q, found %q", result, stated(t.Result, ""))
	}
	return nil
}

// decodeKnown decodes a part of a file that may be missing or null.
func decodeKnown(name string, data json.RawMessage, fields strictjson.Fields, target any) error {
	if data == nil || strictjson.Null(data) {
		return nil
	}
	err := checkKnown(fields, data)
	if err == nil {
		err = strictjson.Decode(data, target)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// stated returns *p, or the standard for nil.
func stated(p *string, standard string) string {
	if p == nil {
		return standard
	}
	return *p
}
