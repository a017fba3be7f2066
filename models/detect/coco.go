package detect

import "strings"

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

// cocoLabels returns the names of the classes of a model with as many classes as COCO: 80, or 91 with the ids as numbers. nil is
// none.
func cocoLabels(classes int) []string {
	all := strings.Split(strings.ReplaceAll(strings.TrimSpace(cocoCategories), "\n", " "), ", ")
	switch classes {
	case len(all):
		return all
	case 80:
		var named []string
		for _, name := range all[1:] {
			if name != "N/A" {
				named = append(named, name)
			}
		}
		return named
	}
	return nil
}
