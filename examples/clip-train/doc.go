// Clip-train trains a small CLIP from scratch on images with captions, and shows what it has learned beside baselines.
//
//	go run ./examples/clip-train
//	go run ./examples/clip-train -data photographs.csv       # a table of images and captions
//	go run ./examples/clip-train -data 'pairs/{000..009}.tar'  # tar shards in the layout of webdataset
//	go run ./examples/clip-train -data photographs.csv -init openai/clip-vit-base-patch32
//
// Without -data, it uses a part of Fashion-MNIST, which is embedded in the program. The captions are written from the
// labels by templates and several words for each class. After training, the model classifies the test images with
// prompts that no caption had. Beside its accuracy stand that of a linear probe on its features, of logistic regression
// on the pixels, and of guessing. This is a small run, of minutes on two cores: 8,000 gray images and ten classes,
// which the captions name. It shows every part of training a CLIP. It does not show what CLIP is known for, which takes
// millions of pairs. With seed 1, 83 % of the test images are right with such prompts, 85 % by the linear probe, 84 %
// by the pixels, and 10 % by guessing.
//
// With -data, a tenth of the images, and at most 1,000, are for testing, and the program shows how well images and
// captions find each other. A table has columns such as filepath and title, and an image may have several captions, in
// rows of their own. A shard holds files of the same name: an image, and a .txt or a .json with a "caption".
//
// -init trains a model further instead of a new one, with its own tokenizer, and shows its results before and after.
//
// It writes to the folder of -out:
//
//	model             the trained model, for [clip.Open], the other examples and transformers
//	curves.png        the loss, and the results on test images
//	run.json          the settings of the run
//	run.safetensors   the state of an unfinished run; removed at the end
//	.clip-train.lock  locks the folder during a run
//
// One run at a time writes to a folder.
//
// Ctrl-C interrupts a run, and -resume continues it. The resumed run ends with the same bits as a run without the
// interrupt.
//
// -json prints one JSON value on standard output, with null for the results of the other kind of data:
//
//	{"loss":[…],"zeroshot_accuracy":x,"seen_prompts_accuracy":x,"linear_accuracy":x,"pixels_accuracy":x,"chance_accuracy":x,
//	 "retrieval":{"images":n,"image_to_text":{"1":x,"5":x,"10":x},"text_to_image":{…},"chance":{…}},
//	 "before":x,"out":"DIR"}
//
// The exit status is 0 for a finished run, 1 after an error, and 130 after an interrupt.
//
// The source files, in the order of the program's course: main.go and settings.go (flags and recipes), captions.go and
// data.go (the pairs and the tokenizer), run.go, train.go and resume.go (training), measure.go, curves.go and json.go
// (results).
//
// [clip.Open]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/clip#Open
package main
