package clip

import (
	_ "embed" // templates.txt
	"slices"
	"strings"
)

// The 80 templates are those with which OpenAI evaluated CLIP on ImageNet
// (notebooks/Prompt_Engineering_for_ImageNet.ipynb in openai/CLIP, MIT license).
//
//go:embed templates.txt
var imageNet string

// ImageNetTemplates returns the 80 templates of OpenAI's evaluation on ImageNet (arXiv 2103.00020, section 3.1.4).
// Their ensemble is 3.5 points better there than one template, and each label takes 80 texts.
func ImageNetTemplates() []string { return strings.Split(strings.TrimSpace(imageNet), "\n") }

// sevenTemplates are the subset that the notebook lists at its end.
var sevenTemplates = []string{
	"itap of a {}.",
	"a bad photo of the {}.",
	"a origami {}.",
	"a photo of the large {}.",
	"a {} in a video game.",
	"art of the {}.",
	"a photo of the small {}.",
}

// SevenTemplates returns the seven of the 80 templates that a sequential search on ImageNet selected (OpenAI's
// notebook). They need a tenth of the texts.
func SevenTemplates() []string { return slices.Clone(sevenTemplates) }
