package text

import (
	"slices"
	"testing"
)

// TestExtraTokens checks which lists of extra special tokens count, as PreTrainedTokenizerBase._from_pretrained merges
// them.
func TestExtraTokens(t *testing.T) {
	tests := []struct {
		name, config, specialMap string
		want                     []string
		states                   bool // pieces of a SentencePiece model do not replace the list
	}{
		{"newer name", `{"extra_special_tokens": ["<a>"]}`, "", []string{"<a>"}, true},
		{"older name", `{"additional_special_tokens": ["<a>"]}`, "", []string{"<a>"}, true},
		{"both names", `{"extra_special_tokens": ["<a>"], "additional_special_tokens": ["<b>"]}`, "", []string{"<a>"}, true},
		{"empty newer name", `{"extra_special_tokens": [], "additional_special_tokens": ["<b>"]}`, "", []string{"<b>"}, true},
		{"older name of the map", `{}`, `{"additional_special_tokens": ["<c>"]}`, []string{"<c>"}, false},
		{"older name of both files", `{"additional_special_tokens": ["<a>"]}`, `{"additional_special_tokens": ["<c>"]}`, []string{"<a>"}, true},
		{"empty list before the map", `{"additional_special_tokens": []}`, `{"additional_special_tokens": ["<c>"]}`, nil, true},
		{"newer name of both files", `{"extra_special_tokens": ["<a>"]}`, `{"extra_special_tokens": ["<c>", "<a>"]}`, []string{"<a>", "<c>"}, true},
		{"map beside added_tokens_decoder", `{"added_tokens_decoder": {}}`, `{"extra_special_tokens": ["<c>"]}`, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var specialMap []byte
			if test.specialMap != "" {
				specialMap = []byte(test.specialMap)
			}
			s, err := readSettings([]byte(test.config), specialMap, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range s.extra {
				got = append(got, e.Content)
			}
			if !slices.Equal(got, test.want) || s.statesExtra() != test.states {
				t.Errorf("extra tokens %q, stated %v; expected %q, %v", got, s.statesExtra(), test.want, test.states)
			}
		})
	}
}
