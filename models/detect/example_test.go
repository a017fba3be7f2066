package detect_test

import (
	"context"
	"fmt"
	"image"
	"log"
	"math/rand/v2"
	"os"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
)

// A detector that was saved is loaded and asked.
func Example() {
	folder, err := os.MkdirTemp("", "detect")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	m := detect.New(detect.Fastest(), 2, rand.New(rand.NewPCG(1, 2))) // a model that was not trained
	if err := m.SetLabels([]string{"cat", "dog"}); err != nil {
		log.Fatal(err)
	}
	if err := m.Save(folder, detect.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	model, err := detect.Open(folder, detect.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	model.Options.MinScore = new(float32(0.9))
	found, err := model.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 300, 200)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), "image,", len(found[0]), "detections")
	// Output:
	// 1 image, 0 detections
}

// A step of training a small FCOS, with two classes, on an image of which one object is known.
func ExampleFCOS_Loss() {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c := detect.FCOSResNet50()
	c.Backbone, c.FPNChannels, c.MinSize, c.MaxSize = &body, 32, 64, 64
	network := detect.New(c, 2, rand.New(rand.NewPCG(1, 2))).Network.(*detect.FCOS)
	backbone.FreezeNorms(network)

	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
	pixels := tape.Input(make([]float32, 3*64*64), 1, 3, 64, 64) // as the package says under Training
	truth := []detect.Truth{{Boxes: []detect.Box{{X0: 8, Y0: 8, X1: 40, Y1: 48}}, Classes: []int{1}}}
	losses := network.Loss(pixels, truth)
	grads := autograd.NewGradients()
	sum := autograd.Add(autograd.Add(losses.Class, losses.Box), losses.Center)
	fmt.Println("a loss above 0:", sum.Float() > 0)
	sum.Backward(grads)
	fmt.Println("gradients:", grads.Of(network.Class.Weight) != nil)
	// Output:
	// a loss above 0: true
	// gradients: true
}

// A small Faster R-CNN gets classes of its own. Class 0 is the background.
func ExampleModel_NewHead() {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c := detect.FasterRCNNResNet50()
	c.Backbone, c.FPNChannels, c.HeadSize = &body, 32, 16
	model := detect.New(c, 91, rand.New(rand.NewPCG(1, 2))) // one that was loaded
	if err := model.NewHead([]string{"cell", "platelet"}, rand.New(rand.NewPCG(3, 4))); err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Classes, model.Labels())
	// Output:
	// 3 [__background__ cell platelet]
}

// Two boxes that overlap, and one of another object.
func ExampleNMS() {
	boxes := []detect.Box{{X0: 10, Y0: 10, X1: 50, Y1: 50}, {X0: 12, Y0: 8, X1: 52, Y1: 49}, {X0: 70, Y0: 20, X1: 90, Y1: 60}}
	fmt.Printf("IoU %.2f\n", boxes[0].IoU(boxes[1]))
	fmt.Println(detect.NMS(boxes, []float32{0.8, 0.9, 0.6}, nil, 0.5))
	// Output:
	// IoU 0.84
	// [1 2]
}

// A CenterNet that searches images in their own size, in three scales, and in their mirror images.
func ExampleCenterNet() {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c := detect.CenterNetResNet18()
	c.Backbone, c.UpSizes, c.HeadSize = &body, []int{8, 8, 8}, 8
	model := detect.New(c, 2, rand.New(rand.NewPCG(1, 2))) // a model that was not trained
	network := model.Network.(*detect.CenterNet)
	network.KeepSize, network.Flip, network.Scales = true, true, []float64{0.75, 1, 1.25}

	found, err := model.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 100, 60)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), "image,", len(found[0]), "detections")
	// Output:
	// 1 image, 0 detections
}

// A small DETR for images of 96 pixels predicts a set of 10 objects for each image of a batch of unequal sizes. The first image
// fills its pixels, and the second a half of them.
func ExampleDETR_Forward() {
	c := detect.DETRResNet50()
	body := backbone.ResNet18()
	c.DETR.Backbone, c.DETR.NumQueries, c.DETR.DModel = &body, 10, 32
	c.DETR.EncoderLayers, c.DETR.DecoderLayers = 1, 2
	d := detect.NewDETR(c, 3, rand.New(rand.NewPCG(1, 2)))

	tape := autograd.NewTape(autograd.Options{})
	logits, boxes := d.Forward(tape.Uniform(2, 3, 96, 96), [][2]int{{96, 96}, {96, 48}})
	fmt.Println(logits.Shape(), boxes.Shape()) // three classes and no object
	// Output: [2 10 4] [2 10 4]
}

// A step of training an RT-DETR, with two classes, on an image of which one object is known.
func ExampleRTDETR_Loss() {
	model, err := detect.Open("testdata/rtdetr", detect.LoadOptions{ImageSize: 64})
	if err != nil {
		log.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	if err := model.NewHead([]string{"cat", "dog"}, rng); err != nil {
		log.Fatal(err)
	}
	network := model.Network.(*detect.RTDETR)

	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
	pixels := tape.Input(make([]float32, 3*64*64), 1, 3, 64, 64)
	truth := []detect.Truth{{Boxes: []detect.Box{{X0: 8, Y0: 8, X1: 40, Y1: 48}}, Classes: []int{1}}}
	losses := network.Loss(pixels, truth, rng)
	fmt.Println(len(losses.Blocks), "blocks,", len(losses.Noise), "with noise; a loss above 0:", losses.Total.Float() > 0)
	grads := autograd.NewGradients()
	losses.Total.Backward(grads)
	fmt.Println("gradients:", grads.Of(network.Class.Weight) != nil)
	// Output:
	// 2 blocks, 2 with noise; a loss above 0: true
	// gradients: true
}
