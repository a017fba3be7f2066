// Eval measures a classifier by its top-1 and top-5 accuracy. It measures a CLIP model by zero-shot classification and a linear
// probe side by side, and by retrieval:
//
//	go run ./examples/eval -model google/vit-base-patch16-224 -data imagenet/val
//	go run ./examples/eval -model classifier/model -data photographs -map names.csv
//	go run ./examples/eval -model openai/clip-vit-base-patch32 -data flowers
//	go run ./examples/eval -model clip-out/model -data flowers/train -test flowers/test -templates imagenet
//	go run ./examples/eval -model clip-out/model -data flowers -shots 16
//	go run ./examples/eval -model clip-out/model -captions photographs.csv
//	go run ./examples/eval -model clip-out/model -captions 'pairs/{000..009}.tar'
//
// -data is a folder with one sub-folder for each class.
//
// For a classifier, a Vision Transformer, the folders have the names of its classes, or their numbers. ImageNet's folders have WordNet
// identifiers, such as n01440764; some of the 1,000 are enough. Numbers count from 0, and folders are matched by their value, not by their order. The output says how folders
// were matched. -map names the class of a folder where that does not serve, in lines
// FOLDER,CLASS. Accuracies are among all classes of the model, with confidence intervals. Beside them stands the accuracy that timm
// or the authors have published for the model, where there is one.
//
// For CLIP, zero-shot classification asks which text, made of a template
// and the name of a class, is nearest to an image; it sees no training images. The names of classes are those of the
// folders, with spaces for underscores. The linear probe is logistic regression on the features of the training images.
// Its penalty is chosen on a fifth of them, as in CLIP's paper (arXiv 2103.00020, section 3.2 and appendix A.3). Both
// are measured on the same test images: those of -test, or half of each class of -data, chosen by -seed.
//
// With -shots, the linear probe trains on a few images of each class. A Tip-Adapter of the same images stands beside
// it, with trained keys (arXiv 2111.03930).
//
// -captions is a table of images and captions, or tar shards of pairs. Recall@k is the share of captions whose image is
// among the k nearest images, and the share of images with one of their captions among the k nearest captions.
//
// Baselines stand beside: guessing, and always answering the most frequent class of the training images.
//
// -json prints one JSON value on standard output:
//
//	{"model":s,
//	 "classifier":{"images":n,"labels":n,"top1":x,"top1_interval":[x,x],"top5":x,"top5_interval":[x,x],"chance_top1":x,
//	  "classes":[{"folder":s,"label":s,"index":n,"matched_by":s,"images":n,"top1":x,"top5":x}],
//	  "published":{"model":s,"top1":x,"top5":x,"size":n,"source":s},"images_per_second":x},
//	 "classification":{"classes":[s],"train_images":n,"test_images":n,"templates":n,"zeroshot_accuracy":x,"zeroshot_top5":x,
//	  "linear_accuracy":x,"linear_c":x,"tipadapter_accuracy":x,"chance_accuracy":x,"majority_accuracy":x},
//	 "retrieval":{"images":n,"texts":n,"image_to_text":{"1":x,"5":x,"10":x},"text_to_image":{"1":x,"5":x,"10":x},
//	  "chance_image_to_text":{"1":x,"5":x,"10":x},"chance_text_to_image":{"1":x,"5":x,"10":x}},
//	 "skipped":[{"name":p,"error":s}]}
//
// Parts that were not asked for are null. The exit status is 0 if all went well, 1 otherwise, and 130 after Ctrl-C.
package main
