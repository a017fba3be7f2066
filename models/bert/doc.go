// Package bert is BERT of Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (arXiv 1810.04805),
// and variants of it, as transformers computes them.
//
//	model, err := bert.Open("all-MiniLM-L6-v2", bert.LoadOptions{})
//	…
//	vectors, err := model.Embed(ctx, "A dog runs.", "Ein Hund läuft.")
//
// The embeddings of the word, the position and the type of each token are added and normalized. Layers of attention and
// an MLP follow, each with a norm after the sum. The variants:
//
//   - RoBERTa (arXiv 1907.11692) and XLM-R (arXiv 1911.02116): positions count from the padding token's id plus one
//   - DistilBERT (arXiv 1910.01108): no token types, no pooler
//   - ALBERT (arXiv 1909.11942): layers share weights, embeddings are narrow
//   - ELECTRA (arXiv 2003.10555): narrow embeddings, and a head that finds replaced words
//   - MPNet (arXiv 2004.09297): a bias of the attention scores for each head and distance
//   - DeBERTa-v2 and v3 (arXiv 2111.09543): scores are products with distances too, and positions are not added
//   - ModernBERT (arXiv 2412.13663): norms first, rotary positions, gated MLPs, and two layers in three see neighbors
//     alone
//
// SpanBERT, and multilingual and Chinese BERT, are BERT with other weights.
//
// # Tokens in, vectors out
//
// [Encoder] takes sequences of unequal length, packed without padding ([Input]). A batch of mixed lengths takes the
// time of its tokens, and a text has the same bits alone and in every batch. Input.Vectors stand in the place of words:
// the encoder works on any sequence of vectors.
//
// # Sentences
//
// [Model.Embed] makes one vector of each text, as sentence-transformers does with the same folder: [Sentences] holds
// its pooling, modules and prompts. [Embedder] has options, and streams over texts of any number.
//
// Many search models need one prompt for queries and another for passages. Make an Embedder for each, with
// EmbedOptions.PromptName or EmbedOptions.Prompt.
//
// # Tasks
//
// A model with the head of a task answers for texts. The results are those of transformers' pipelines and of
// sentence-transformers' CrossEncoder:
//
//   - [Model.FillMask]: the words of masks
//   - [Model.Classify], [Model.ClassifyPairs]: classes of texts and of pairs
//   - [Model.ZeroShot]: any labels, by a model of natural language inference
//   - [Model.Entities]: names and other parts of a text
//   - [Model.Answer]: the parts of a text that answer a question
//   - [Model.Choose], [Model.IsNext]: the best of several texts, and whether one follows another
//   - [Model.Rerank]: texts by how well they go with a query
//
// A text that is longer than the model takes is an error, or is cut with Model.Truncate. Entities and Answer read it in
// windows that overlap.
//
//	predictions, err := model.Classify(ctx, "A fine film.", "I left early.")
//	…
//	best := predictions[0].Top[0] // the most probable class of the first text
//	fmt.Println(best.Label, best.Index, best.Probability)
//
// # Cores and arithmetic
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes, and Model.Math the arithmetic
// of products ([simd.Math]). Package nn/quant converts weights to integers.
//
// # Training
//
// [New] draws initial weights. [Model.NewHead] gives a loaded model a head for another task, and [Model.Training] is
// the run that trains a classifier of texts:
//
//	model.NewHead(bert.SequenceClassification, []string{"bad", "good"}, rng)
//	run, err := model.Training(examples, bert.TrainOptions{})
//	…
//	result, err := train.Run(ctx, run)
//	…
//	confusion, err := model.Evaluate(ctx, held)
//
// [Model.Loss] is the loss of every task, for a run of one's own: on a tape that records gradients, given tokens and
// [Targets]. Dropout follows the configuration and the switches of the tape. [Model.Layer] numbers parameters for
// layer-wise decay, and [Model.AdapterNames] is the table of names for low-rank adapters (package nn/lora).
//
// [Model.SentenceTraining] prepares a run for sentence embeddings, with in-batch and hard negatives. Gradient caching
// makes batches larger than memory possible. [Embedder.Similarities] and metrics.Spearman measure the embeddings.
//
// # Folders
//
// [Open] and [Load] read Hugging Face folders, with weights as safetensors or of PyTorch, also under the oldest names
// (LayerNorm.gamma). [Model.Save] writes for transformers. A configuration is compared with the weights before memory
// is reserved for a model.
package bert
