package metrics_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/metrics"
)

// Two batches of a validation set are counted, then read as figures and as a table.
func ExampleConfusion() {
	c := metrics.NewConfusion(3)
	c.Names = []string{"cat", "dog", "bird"}
	batches := []struct {
		logits []float32
		labels []int
	}{
		{[]float32{2, 1, 0 /**/, 0, 3, 1 /**/, 1, 2, 0}, []int{0, 1, 0}},
		{[]float32{0, 1, 2 /**/, 3, 1, 0}, []int{2, 0}},
	}
	for _, b := range batches {
		if err := c.AddLogits(b.logits, b.labels); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%.0f %% right, %.1f %% balanced\n", 100*c.Accuracy(), 100*c.BalancedAccuracy())
	for _, p := range c.MostConfused(1) {
		fmt.Printf("%s taken for %s: %d\n", c.Names[p.Label], c.Names[p.Predicted], p.Count)
	}
	fmt.Print(c)
	// Output:
	// 80 % right, 88.9 % balanced
	// cat taken for dog: 1
	//         0  1  2  recall  precision     F1
	// 0 cat   2  1  0    66.7      100.0   80.0
	// 1 dog   0  1  0   100.0       50.0   66.7
	// 2 bird  0  0  1   100.0      100.0  100.0
}

func ExampleTopKAccuracy() {
	logits := []float32{
		0.1, 0.7, 0.2,
		0.5, 0.3, 0.2,
	}
	labels := []int{1, 1}
	fmt.Println(metrics.Accuracy(logits, labels), metrics.TopKAccuracy(logits, labels, 2))
	fmt.Println(metrics.TopK(logits[:3], 2))
	// Output:
	// 0.5 1
	// [1 2]
}

// Two images have three captions: the first two belong to the first image.
func ExampleRetrieve() {
	images := [][]float32{{1, 0}, {0, 1}}
	texts := [][]float32{{0.8, 0.6}, {0.6, 0.8}, {0, 1}}
	toImages := metrics.Retrieve(texts, images, [][]int{{0}, {0}, {1}}, nil)
	toTexts := metrics.Retrieve(images, texts, [][]int{{0, 1}, {2}}, nil)
	fmt.Printf("texts find their images: %.2f at 1, %.2f at 2\n", toImages.Recall(1), toImages.Recall(2))
	fmt.Printf("images find a text: %.2f at 1\n", toTexts.Recall(1))
	// Output:
	// texts find their images: 0.67 at 1, 1.00 at 2
	// images find a text: 1.00 at 1
}

// A detector finds both cats of an image, and a third that is not there. The boxes are a little off.
func ExampleCOCO() {
	objects := []metrics.Object{
		{Image: 1, Class: 17, Box: metrics.Corners(10, 10, 110, 60)},
		{Image: 1, Class: 17, Box: metrics.Corners(200, 20, 300, 140)},
	}
	found := []metrics.Detection{
		{Image: 1, Class: 17, Box: metrics.Corners(12, 10, 110, 60), Score: 0.9},
		{Image: 1, Class: 17, Box: metrics.Corners(0, 200, 50, 250), Score: 0.6},
		{Image: 1, Class: 17, Box: metrics.Corners(200, 40, 300, 140), Score: 0.5},
	}
	r, err := metrics.COCO(objects, found, metrics.COCOOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("AP %.3f, AP50 %.3f, AR100 %.2f\n", r.AP, r.AP50, r.AR100)
	// Output:
	// AP 0.736, AP50 0.835, AR100 0.85
}

// The same detections as VOC evaluates them, and their mistakes.
func ExampleFindErrors() {
	objects := []metrics.Object{
		{Image: 1, Class: 0, Box: metrics.Corners(10, 10, 110, 60)},
		{Image: 1, Class: 1, Box: metrics.Corners(200, 20, 300, 140)},
	}
	found := []metrics.Detection{
		{Image: 1, Class: 0, Box: metrics.Corners(12, 10, 110, 60), Score: 0.9},
		{Image: 1, Class: 0, Box: metrics.Corners(200, 20, 300, 130), Score: 0.6}, // it is of class 1
		{Image: 1, Class: 0, Box: metrics.Corners(10, 10, 110, 70), Score: 0.5},
	}
	voc, err := metrics.VOC(objects, found, 0.5, metrics.VOCOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := metrics.FindErrors(objects, found, 0.5, 0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("mAP %.2f\n", voc.MAP)
	for i, m := range e.Detections {
		fmt.Printf("%.1f %s, which costs %.2f\n", found[i].Score, m, e.Loss[m])
	}
	// Output:
	// mAP 0.50
	// 0.9 right, which costs 0.00
	// 0.6 wrong class, which costs 0.50
	// 0.5 duplicate, which costs 0.00
}
