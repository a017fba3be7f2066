// Package lora fine-tunes models with low-rank adapters (LoRA: Hu et al., arXiv 2106.09685), as PEFT does:
//
//	err := lora.Attach(model, lora.Options{
//		Layers: []string{"Encoder.Blocks.*.Attention.QKV.Query", "Encoder.Blocks.*.Attention.QKV.Value"},
//		Rank:   8,
//		Alpha:  16,
//		Train:  []string{"Head.*"},
//	}, rng)
//	// train model: only the adapters and the head change
//	err = lora.Save("adapter", model, names)            // a few hundred kilobytes
//	err = lora.Load(os.DirFS("adapter"), other, names)  // into a model with the same base weights
//	err = lora.Merge(other)                             // as fast as without adapters
//
// An adapter adds s·B·(A·x) to the output of a linear layer for x, before any activation. A and B have few rows and
// columns, the rank, and are trained; the weight of the layer is not. The scale s is Alpha/Rank, or Alpha/√Rank for
// rsLoRA. [nn.LowRank] holds the arithmetic.
//
// # Training
//
// [Attach] adds adapters to the layers that patterns name and freezes everything else. A fused projection to queries,
// keys and values has an adapter for each of the three, as its separate layers have in other libraries.
//
// nn.Parameters yields adapters among the parameters, so optimizers, averages and resume files need nothing special.
// Attach first, and hand the parameters to them afterwards.
//
// # Base model and adapter
//
// A base model is saved without adapters. A model's Save method, nn.Copy and FoldBatchNorm refuse a model with adapters
// that are not merged. checkpoint.Save does not: ask [nn.Unmerged] first, which names the first such layer. So either save
// the adapters alone, with [Save], or merge them.
//
// [Merge] adds s·B·A to the weights, in float64 and rounded once. Outputs then differ from the unmerged ones by
// rounding. A merged model is a base model: its parameters are those of one, and it is saved as one. [Unmerge] restores
// the bits of the weights and puts the adapters back beside them.
//
// # Files
//
// The folder has PEFT's layout: adapter_config.json and adapter_model.safetensors. The tensors are called
// base_model.model.MODULE.lora_A.weight and lora_B.weight. The model's table of names ties modules to layers: [Load]
// knows all names that the table reads, and [Save] writes those of the column that the table writes.
//
// PEFT finds modules by their names in memory. In transformers 5, a module of a ViT is
// vit.layers.0.attention.q_proj in memory and vit.encoder.layer.0.attention.attention.query on disk, which was its name
// in memory before. An adapter for PEFT is saved with the names of the transformers version that loads it.
//
// [Load] also reads an adapter of the model inside, such as transformers' ViTModel, whose names lack a prefix of the table:
// layers.0 for vit.layers.0. Such a file has no adapters of modules beside that model, and none are expected. [Save] writes
// the names of the whole model. Adapters of layers that the table ignores, such as a pooler, are skipped.
//
// A gated layer has one matrix for gate and up. Where the table names them apart, Save writes the adapter of that matrix
// as two, with the same A and each with its own rows of B, and Load reads two.
//
// Parameters that are trained beside the adapters, such as a new head, lie in the same file. PEFT lists their modules
// under modules_to_save. It takes these names for endings of the names of modules, even within a segment.
//
// PEFT takes names in target_modules for endings too, behind a dot. Where a name is also the ending of another module's,
// [Save] writes an expression instead of a list.
//
// Each field of adapter_config.json is used, has no effect on results, or is refused by name. Used are the rank, alpha
// and their patterns, dropout, use_rslora, and the fields that choose modules. Refused are variants with other
// arithmetic, such as DoRA; trained biases; and initializations that change base weights, such as PiSSA. Package
// regexp matches the expressions. It lacks some of Python's syntax, such as lookahead, and reads {,n} and [:digit:]
// differently: expressions with either are refused. The tensors in the file must be exactly the ones that the configuration
// describes.
package lora
