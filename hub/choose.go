package hub

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
)

// A choice lists the files of a model to be fetched.
type choice struct {
	small   []string // configuration and tokenizer; with patterns, all but weights
	indexes []string // of weights in several files
	weights []string
	asked   bool // the caller named the files by patterns
}

// maxSmall is the largest size of a configuration or a tokenizer in bytes. The largest in use have 35 MB.
const maxSmall = 256 << 20

// limit returns the largest size of a file in bytes. Weights have only the general limit.
func (c choice) limit(name string) int64 {
	switch {
	case slices.Contains(c.indexes, name):
		return smallfile.Limit // it is read whole
	case !c.asked && slices.Contains(c.small, name):
		return maxSmall
	}
	return maxFile
}

// configName is the configuration of transformers, and openCLIPName that of open_clip.
const (
	configName   = "config.json"
	openCLIPName = "open_clip_config.json"
)

// usualNames are fetched beside the weights, where a model has them.
var usualNames = []string{
	configName, openCLIPName, "generation_config.json",
	"preprocessor_config.json", "processor_config.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"vocab.txt", "vocab.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz",
	"tokenizer.model", "spiece.model", "spm.model", "sentencepiece.model", "sentencepiece.bpe.model",
	"modules.json", "config_sentence_transformers.json",
	"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json", "sentence_camembert_config.json",
	"sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
}

// Files that hold a model's weights, the preferred one first. Only one of them is fetched.
var (
	transformersWeights = []string{
		"model.safetensors", "model.safetensors.index.json",
		"pytorch_model.bin", "pytorch_model.bin.index.json",
	}
	openCLIPWeights = []string{
		"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
		"open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth",
	}
)

// weightNames returns the names of weights, the preferred one first. A model with the configuration of open_clip alone
// has open_clip's weights. With both configurations, that of transformers counts.
func weightNames(has func(name string) bool) []string {
	if has(openCLIPName) && !has(configName) {
		return slices.Concat(openCLIPWeights, transformersWeights)
	}
	return slices.Concat(transformersWeights, openCLIPWeights)
}

// pooling is the one file in a subfolder that encoders of sentence-transformers usually have.
const pooling = "1_Pooling/config.json"

// choose picks files of a model by name: its configuration, its tokenizer, and one form of its weights, at the top and in
// the module folders of sentence-transformers ("1_Pooling", "2_Dense").
func choose(names, patterns []string) (choice, error) {
	if len(patterns) > 0 {
		return match(names, patterns)
	}
	has := make(map[string]bool, len(names))
	folders := []string{""}
	for _, n := range names {
		has[n] = true
	}
	for _, n := range names {
		folder, _, below := strings.Cut(n, "/")
		module, _ := path.Match("[0-9]_*", folder)
		if below && module && has["modules.json"] && !slices.Contains(folders, folder+"/") && len(folders) < 20 {
			folders = append(folders, folder+"/")
		}
	}
	slices.Sort(folders)
	var c choice
	for _, folder := range folders {
		for _, n := range usualNames {
			if has[folder+n] {
				c.small = append(c.small, folder+n)
			}
		}
		for _, n := range weightNames(func(name string) bool { return has[folder+name] }) {
			if !has[folder+n] {
				continue
			}
			if strings.HasSuffix(n, ".json") {
				c.indexes = append(c.indexes, folder+n)
			} else {
				c.weights = append(c.weights, folder+n)
			}
			break
		}
	}
	if len(c.weights)+len(c.indexes) == 0 {
		return c, fmt.Errorf("%w: expected weights in %s, or in the shards of an index, found none%s", ErrNoFile,
			"model.safetensors, pytorch_model.bin or open_clip_model.safetensors", others(names))
	}
	return c, c.check()
}

// others names the weights in other forms that the model has.
func others(names []string) string {
	var found []string
	for _, n := range names {
		if isWeights(n) && len(n) < 100 {
			found = append(found, fmt.Sprintf("%q", n))
		}
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	if len(found) > 8 {
		found = append(found[:8], "…")
	}
	return ", but " + strings.Join(found, ", ") + " (GetOptions.Files fetches other files)"
}

func isWeights(name string) bool {
	switch path.Ext(name) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf":
		return true
	}
	return false
}

// match picks the files that match the patterns.
func match(names, patterns []string) (choice, error) {
	c := choice{asked: true}
	used := make([]bool, len(patterns))
	for _, n := range names {
		chosen := false
		for i, p := range patterns {
			if ok, _ := path.Match(p, n); ok {
				chosen, used[i] = true, true
			}
		}
		switch {
		case chosen && isWeights(n):
			c.weights = append(c.weights, n)
		case chosen:
			c.small = append(c.small, n)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return c, fmt.Errorf("%w: nothing matches %q", ErrNoFile, patterns[i])
	}
	slices.Sort(c.small)
	slices.Sort(c.weights)
	return c, c.check()
}

// check returns an error when a chosen name cannot be a file in the model's folder.
func (c choice) check() error {
	for _, n := range slices.Concat(c.small, c.indexes, c.weights) {
		if err := checkPath(n); err != nil {
			return fmt.Errorf("%.200q: %w", n, err)
		}
	}
	return nil
}

// shards returns the names of an index's shards, relative to the index's own folder.
func shards(fsys fs.FS, index string) ([]string, error) {
	data, err := smallfile.Read(fsys, index)
	if err != nil {
		return nil, err
	}
	var said struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, fmt.Errorf("%s: %w", index, err)
	}
	found := map[string]bool{}
	var names []string
	for _, n := range said.WeightMap {
		if found[n] {
			continue
		}
		found[n] = true
		if err := checkPath(n); err != nil {
			return nil, fmt.Errorf("%s: %.200q: %w", index, n, err)
		}
		if !isWeights(n) {
			return nil, fmt.Errorf("%s: expected names of weight files, found %.200q", index, n)
		}
		names = append(names, n)
	}
	if len(names) == 0 || len(names) > 10_000 {
		return nil, fmt.Errorf("%s: expected 1 to 10000 weight files, found %d", index, len(names))
	}
	slices.Sort(names)
	return names, nil
}
