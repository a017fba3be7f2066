package detect

import (
	"slices"
	"strings"
)

// cocoCategories are the categories of COCO (cocodataset.org) by their ids, in torchvision's order: 0 is the background, and
// "N/A" an id without a category.
const cocoCategories = `
__background__, person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
N/A, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, N/A,
backpack, umbrella, N/A, N/A, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
baseball glove, skateboard, surfboard, tennis racket, bottle, N/A, wine glass, cup, fork, knife, spoon, bowl, banana,
apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, N/A,
dining table, N/A, N/A, toilet, N/A, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink,
refrigerator, N/A, book, clock, vase, scissors, teddy bear, hair drier, toothbrush`

// cocoNames are the names of the categories, by their ids.
var cocoNames = strings.Split(strings.ReplaceAll(strings.TrimSpace(cocoCategories), "\n", " "), ", ")

// cocoObjects are the names of the 80 categories alone.
var cocoObjects = slices.DeleteFunc(slices.Clone(cocoNames[1:]), func(name string) bool { return name == "N/A" })

// cocoLabels returns the names of the classes where the model has as many as its release on COCO: 80 for FastestDet and
// CenterNet, and 91 for torchvision's detectors, whose numbers are the ids. nil is none. torchvision's models of 80
// classes are others: Faster R-CNN counts the background as a class.
func (m *Model) cocoLabels() []string {
	if labels := kindOf(m.Config.ModelType).coco; m.Classes == len(labels) {
		return labels
	}
	return nil
}
