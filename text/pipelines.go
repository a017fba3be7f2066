package text

import (
	"encoding/json"
	"fmt"
)

// pipelines build the parts of a tokenizer by its class, as the constructors in transformers do.
var pipelines = map[string]func(*folder) error{
	backend:               (*folder).generic,
	"-SiglipTokenizer":    (*folder).siglip,
	"AlbertTokenizer":     (*folder).albert,
	"BarthezTokenizer":    (*folder).barthez,
	"BertTokenizer":       (*folder).bert,
	"BigBirdTokenizer":    (*folder).bigBird,
	"BlenderbotTokenizer": (*folder).blenderbot,
	"CamembertTokenizer":  (*folder).camembert,
	"CLIPTokenizer":       (*folder).clip,
	"CodeGenTokenizer":    (*folder).codeGen,
	"DebertaTokenizer":    (*folder).deberta,
	"DebertaV2Tokenizer":  (*folder).debertaV2,
	"DistilBertTokenizer": (*folder).bert,
	"FunnelTokenizer":     (*folder).funnel,
	"GPT2Tokenizer":       (*folder).gpt2,
	"GPTNeoXTokenizer":    (*folder).gptNeoX,
	"GemmaTokenizer":      (*folder).gemma,
	"HerbertTokenizer":    (*folder).herbert,
	"LlamaTokenizer":      (*folder).llama,
	"MBart50Tokenizer":    (*folder).mBart50,
	"MBartTokenizer":      (*folder).mBart,
	"MPNetTokenizer":      (*folder).mpnet,
	"OpenAIGPTTokenizer":  (*folder).openAIGPT,
	"PegasusTokenizer":    (*folder).pegasus,
	"Qwen2Tokenizer":      (*folder).qwen2,
	"RemBertTokenizer":    (*folder).remBert,
	"RobertaTokenizer":    (*folder).roberta,
	"Siglip2Tokenizer":    (*folder).siglip2,
	"T5Tokenizer":         (*folder).t5,
	"WhisperTokenizer":    (*folder).whisper,
	"XLMRobertaTokenizer": (*folder).xlmRoberta,
	"XLNetTokenizer":      (*folder).xlnet,
}

// object is a JSON object.
type object map[string]any

func step(typ string, fields object) object {
	out := object{"type": typ}
	for k, v := range fields {
		out[k] = v
	}
	return out
}

// put writes the components of a pipeline. A nil component is null.
func (b *builder) put(normalizer, splitter, decoder object) error {
	for _, c := range []struct {
		to   *json.RawMessage
		from object
	}{{&b.normalizer, normalizer}, {&b.splitter, splitter}, {&b.decoder, decoder}} {
		if c.from == nil {
			*c.to = json.RawMessage("null")
			continue
		}
		data, err := marshal(c.from)
		if err != nil {
			return err
		}
		*c.to = data
	}
	b.processor = json.RawMessage("null")
	return nil
}

// item is an entry of a template: a token, or text A or B.
type item struct {
	token, text string
	typeID      int
	of          string // token whose id it has, where that is not the same
}

// templateOf returns a post-processor, to be made when the ids of its tokens are known.
func templateOf(single, pair []item) func(id func(string) (int, error)) (json.RawMessage, error) {
	return func(id func(string) (int, error)) (json.RawMessage, error) {
		tokens := object{}
		forms := [2][]object{{}, {}}
		for i, list := range [][]item{single, pair} {
			for _, it := range list {
				if it.token == "" {
					forms[i] = append(forms[i], object{"Sequence": object{"id": it.text, "type_id": it.typeID}})
					continue
				}
				name := it.token
				if it.of != "" {
					name = it.of
				}
				n, err := id(name)
				if err != nil {
					return nil, err
				}
				tokens[it.token] = object{"id": it.token, "ids": []int{n}, "tokens": []string{it.token}}
				forms[i] = append(forms[i], object{"SpecialToken": object{"id": it.token, "type_id": it.typeID}})
			}
		}
		return marshal(step("TemplateProcessing", object{"single": forms[0], "pair": forms[1], "special_tokens": tokens}))
	}
}

// robertaOf returns a post-processor of RoBERTa.
func robertaOf(sep, cls string, trim, prefix bool) func(id func(string) (int, error)) (json.RawMessage, error) {
	return func(id func(string) (int, error)) (json.RawMessage, error) {
		sepID, err := id(sep)
		if err != nil {
			return nil, err
		}
		clsID, err := id(cls)
		if err != nil {
			return nil, err
		}
		return marshal(step("RobertaProcessing", object{
			"sep": []any{sep, sepID}, "cls": []any{cls, clsID}, "trim_offsets": trim, "add_prefix_space": prefix,
		}))
	}
}

// needs returns the texts of special tokens that a pipeline cannot do without.
func (f *folder) needs(names ...string) error {
	for _, name := range names {
		if f.name(name) == "" {
			return fmt.Errorf("tokenizer_config.json: %s: expected a token, found none", name)
		}
	}
	return nil
}

// plain are special tokens by their texts.
func plain(pairs ...string) map[string]*spec {
	out := map[string]*spec{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = text(pairs[i+1])
	}
	return out
}

// generic uses tokenizer.json as it is.
func (f *folder) generic() error {
	if f.tokenizer == nil {
		return f.genericSentencePiece()
	}
	if err := f.builder.parse(f.tokenizer); err != nil {
		return fmt.Errorf("tokenizer.json: %w", err)
	}
	return nil
}
