package clip

import (
	_ "embed" // the templates
	"slices"
	"strings"
)

// The 80 templates are those with which OpenAI evaluated CLIP on ImageNet
// (notebooks/Prompt_Engineering_for_ImageNet.ipynb in openai/CLIP; templates/LICENSE).
//
//go:embed templates/imagenet.txt
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

// The templates are those with which the authors evaluated Chinese-CLIP on ImageNet
// (cn_clip/eval/imagenet_zeroshot_templates.py in OFA-Sys/Chinese-CLIP; templates/LICENSE).
//
//go:embed templates/chinese.txt
var chinese string

// ChineseTemplates returns the 80 Chinese templates of the evaluation of Chinese-CLIP on ImageNet (arXiv 2211.01335,
// section 4.3), for Chinese labels.
func ChineseTemplates() []string { return strings.Split(strings.TrimSpace(chinese), "\n") }
