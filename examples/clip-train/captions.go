package main

import (
	"strings"

	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/vision"
)

// names are the words for each class of Fashion-MNIST in captions. The first is also the one in prompts.
var names = [len(fashion.Classes)][]string{
	{"t-shirt", "top", "tee"},
	{"pair of trousers", "pair of pants"},
	{"pullover", "sweater"},
	{"dress", "gown"},
	{"coat", "jacket"},
	{"sandal", "open shoe"},
	{"shirt", "blouse"},
	{"sneaker", "sports shoe", "running shoe"},
	{"bag", "handbag"},
	{"ankle boot", "boot"},
}

// templates make the captions for training. The words of a template say nothing about the image.
var templates = []string{
	"a photo of a {}.",
	"a gray picture of a {}.",
	"this is a {}",
	"a {} from a catalog",
	"a small image of a {}",
	"one {} on a black background",
	"the {} that i bought",
	"here you see a {}",
	"clothing: {}",
	"{}",
}

// prompts are templates for testing. None of them is used in training.
var prompts = []string{
	"a black photo of one {}",
	"the catalog has this {}",
	"i bought a {} from here.",
	"an image showing a {}.",
	"{} for sale",
}

// fill puts a name into a template, with the article that fits.
func fill(template, name string) string {
	if strings.ContainsRune("aeiou", rune(name[0])) {
		template = strings.ReplaceAll(template, "a {}", "an {}")
	}
	return strings.ReplaceAll(template, "{}", name)
}

// told is a data set of labeled images with captions written from their labels.
type told struct {
	vision.Dataset
	captions [][]string // of each class
}

// Captions returns all captions of the image's class. The loader draws one of them.
func (d *told) Captions(i int) ([]string, error) { return d.captions[d.Label(i)], nil }

// tell writes the captions of each class.
func tell(d vision.Dataset) *told {
	t := &told{Dataset: d}
	for _, list := range names {
		var captions []string
		for _, name := range list {
			for _, template := range templates {
				captions = append(captions, fill(template, name))
			}
		}
		t.captions = append(t.captions, captions)
	}
	return t
}
