// Package clip is CLIP of Radford et al., "Learning transferable visual models from natural language supervision"
// (arXiv 2103.00020), as transformers, open_clip and OpenAI's code compute it.
//
//	model, err := clip.Open(path, clip.LoadOptions{})
//	…
//	classifier, err := model.Classifier(ctx, []string{"cat", "dog", "bird"}, nil)
//	…
//	predictions, err := classifier.Classify(ctx, photograph)
//	fmt.Println(predictions[0].Top[0].Label)
//
// Two towers map images and texts to vectors of one space. The vector of a text is near those of the images that it
// describes. So texts can label images with words that are chosen at run time, and find images.
//
// # Using a model
//
// [Model.EncodeImages] and [Model.EncodeTexts] return vectors of length 1, [Similarity] compares them, and
// [Model.Logits] scales similarities as the model was trained. [Model.Classifier] encodes the texts of labels once and
// then labels any number of images. [ImageNetTemplates] are the prompts of OpenAI's evaluation.
//
// There are two verbs. Encode takes images and texts and gives vectors to compare, in any number of goroutines. Embed
// works on a tape, for training loops of your own, and its vectors are not normalized. (Package bert calls the vectors
// of sentences embeddings, as sentence-transformers does; its Embed is Encode here.)
//
// [Model.Heatmaps] shows which patches of an image speak for a text.
//
// # A few labeled images
//
// [Model.Features] encodes a data set once. [Features.Linear] fits a linear classifier to it, and
// [Classifier.TipAdapter] adds its images to a zero-shot classifier. Both take seconds, and choose their regularization
// on validation images.
//
// # Decoding and concurrency
//
// Decode photographs with vision.DecodeFile or vision.Decode, which give the pixels of Pillow. Libraries differ in
// images with alpha or a palette, and Model.Preprocess does as the model's own: vision.DecodeOptions.Alpha keeps both.
// Any number of goroutines may use one model at once. A call only reads the model and has its own tape, whose memory is
// reused. Model.Workers sets how many cores a call takes, and
// Model.Math the arithmetic of products.
//
// # Texts
//
// CLIP's texts run without padding, and only up to the token whose features are taken: its attention is causal, so
// later tokens change nothing. A text has the same bits in every batch. Texts are tokenized as the library of the
// folder does it: transformers, open_clip, OpenAI's code or Chinese-CLIP's. open_clip and OpenAI's code clean texts
// first with the library ftfy, so “ﬁne” has the tokens of "fine" there.
//
// # Folders
//
// [Open] reads a folder of transformers', a folder of open_clip's with open_clip_config.json, or OpenAI's TorchScript
// archive alone. [Load] reads the same from any fs.FS. [Model.Save] writes for transformers or for open_clip. OpenAI's
// archive holds no vocabulary: put bpe_simple_vocab_16e6.txt.gz of OpenAI's repository beside it, or the tokenizer's
// files from Hugging Face. A configuration is compared with the weights before memory is reserved for a model.
//
// Image towers are Vision Transformers, the ResNets of OpenAI (RN50 to RN50x64), and those of SigLIP and SigLIP 2, with
// images of one size or of any proportion ([NaFlex]). Text towers are those of CLIP and SigLIP, and encoders of package
// bert ([BERT]): that of Chinese-CLIP, and RoBERTa and XLM-R in models of open_clip's, such as
// xlm-roberta-base-ViT-B-32. Models with other towers, such as MobileCLIP, are refused by name.
//
// # SigLIP
//
// SigLIP (arXiv 2303.15343) and SigLIP 2 (arXiv 2502.14786) are read from folders of transformers, with the model types
// siglip and siglip2, and of open_clip with image towers of timm's. They differ from CLIP in what users see:
//
//   - A probability says whether a text describes an image, whatever the other texts are: a sigmoid of each logit.
//   - Texts are padded to their full length, because the padding counts.
//   - A [NaFlex] tower takes images in their own proportions. Model.MaxPatches bounds how many patches an image gets.
//
// # Chinese-CLIP
//
// Chinese-CLIP (arXiv 2211.01335) has a Chinese BERT for texts. It is read from folders of transformers, with the model
// type chinese_clip, and from files of the authors' code, such as clip_cn_vit-b-16.pt alone. These hold no vocabulary:
// put the vocab.txt of that code beside them. A text has at most 52 tokens there. Labels are Chinese, and so are the
// templates: [ChineseTemplates].
//
// # Training
//
//	config, err := model.Training(loader, clip.TrainOptions{Batches: 16})
//	…
//	config.Epochs, config.Schedule = 30, train.Curve{Peak: 5e-4, Warmup: 1, Length: 30}.Cosine()
//	result, err := train.Run(ctx, config)
//
// [New] draws initial weights. A new model has no tokenizer: set Model.Tokenizer to that of another model, or train one
// with text.Train and text.CLIP; Config.Text.VocabSize and EOSTokenID must fit it. [Model.Training] prepares a run on
// pairs of images and captions, with the loss of CLIP or of SigLIP. Several batches of the loader can share a loss, so
// that a batch larger than memory trains with exact gradients (package train/contrast). Towers can be frozen, patches
// dropped, and learning rates fall with the depth. Adapters of package nn/lora are attached before.
//
// For your own training loop, [Model.Forward] gives logits on a tape that records gradients, [Model.EmbedImages] and
// [Model.EmbedTexts] the embeddings.
package clip
