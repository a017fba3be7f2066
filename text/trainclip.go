package text

import (
	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/train"
)

// Special tokens of CLIP.
const (
	clipStart = "<|startoftext|>"
	clipEnd   = "<|endoftext|>"
)

// clipNormalizer is that of CLIPTokenizer (models/clip/tokenization_clip.py in transformers).
func clipNormalizer() object {
	return step("Sequence", object{"normalizers": []object{
		step("NFC", nil), step("Replace", object{"pattern": object{"Regex": `\s+`}, "content": " "}), step("Lowercase", nil),
	}})
}

// clipSplitter cuts text into the words of a pattern.
func clipSplitter(pattern string) object {
	return step("Sequence", object{"pretokenizers": []object{
		step("Split", object{"pattern": object{"Regex": pattern}, "behavior": "Removed", "invert": true}),
		step("ByteLevel", object{"add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
	}})
}

// clipLetters returns the first tokens of CLIP's vocabulary: the 256 letters of ByteLevel in the order of
// bytes_to_unicode, and the same at the ends of words.
func clipLetters() (letters []string) {
	for _, end := range []string{"", "</w>"} {
		for r := '!'; r <= 0x143; r++ {
			if _, ok := byteOf(r); ok {
				letters = append(letters, string(r)+end)
			}
		}
	}
	return letters
}

// clipPipeline sets the parts of CLIP's pipeline beside the model.
func (b *builder) clipPipeline() {
	b.late = robertaOf(clipEnd, clipStart, false, false)
	b.config.suffix = "</w>"
	b.config.special = map[string]string{"bos_token": clipStart, "eos_token": clipEnd, "unk_token": clipEnd, "pad_token": clipEnd}
}

// clipVocabulary finishes a vocabulary of letters and merges as CLIP's is: the special tokens have the largest ids.
func clipVocabulary(v model.BPEOptions, special []string) model.BPEOptions {
	for _, token := range special {
		v.Vocabulary = append(v.Vocabulary, model.Entry{Token: token, ID: len(v.Vocabulary)})
	}
	v.Unknown = new(clipEnd)
	return v
}

// clipMergeOptions are the options of the letters and merges of CLIP's vocabulary, which has room for the special
// tokens.
func clipMergeOptions(o train.MergeOptions, special []string) train.MergeOptions {
	if o.Size == 0 {
		o.Size = 30000
	}
	o.Size = max(0, o.Size-len(special))
	o.Special, o.Suffix = clipLetters(), "</w>"
	return o
}
