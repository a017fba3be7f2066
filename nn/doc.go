// Package nn holds the layers that models are built of:
//
//	type classifier struct {
//		Patch  *nn.PatchEmbed
//		Blocks nn.Stack
//		Head   *nn.Linear
//	}
//
//	m := &classifier{
//		Patch:  nn.NewPatchEmbed(3, 16, 192),
//		Blocks: nn.NewStack(12, nn.BlockConfig{Width: 192, Heads: 3, Act: autograd.ActGelu, Eps: 1e-6, QKVBias: true}),
//		Head:   nn.NewLinear(192, 10, true),
//	}
//	tokens := m.Blocks.Forward(m.Patch.Forward(pixels), nn.AttentionInput{}) // [n, patches, 192]
//	logits := m.Head.Forward(autograd.Mean(tokens, false, 1))                // [n, 10]
//
// A layer is a plain struct. Its exported fields are its parameters and sub-layers, in the order in which data meets
// them. A nil field is a part that the layer does not have. Forward takes Tensors and returns them on the same tape.
//
// # Parameters
//
// Nothing registers itself and nothing is global. [Parameters] walks the exported fields of a model and yields every
// parameter with its path, such as "Blocks.3.Attention.QKV.Weight". The order is stable. Each pointer comes once, so
// tied weights appear under their first path. [Buffers], [Values] and [Layers] walk in the same way. [Share] lets models hold
// equal parameters once.
//
// Constructors take sizes and return layers of zeros; the gains of normalizations are one. A model that is loaded needs
// nothing else. A model that is trained from scratch is initialized by [TruncatedNormal], [XavierUniform],
// [KaimingUniform] and the like, each from a generator that the caller gives.
//
// # Shapes
//
// A shape in a comment names the dimensions from the first to the last. In it, n is the number of samples and "..." any
// number of dimensions.
//
// Sizes that do not fit are programming errors. Constructors panic on sizes that no parameter can have, and Forward on
// operands of other shapes. Both panic with the *autograd.ShapeError of the operation that found the mistake.
// autograd.Tape.Try turns it into an error at the edge of a model.
//
// # Transformers
//
//	blocks := nn.NewStack(12, nn.BlockConfig{Width: 192, Heads: 3, Act: autograd.ActSilu, Eps: 1e-6, Gated: true})
//	for _, b := range blocks {
//		b.Attention.Rotary = nn.RotaryGrid(14, 14, 64, nn.RotaryGridOptions{}) // heads of 64 channels
//	}
//	y := blocks.Forward(x, nn.AttentionInput{KeyMask: mask}) // [n, 196, 192]
//
// A [Block] is a [MultiHeadAttention] and an [MLP], each with a [LayerNorm] and a residual. Positions enter attention as
// a rotary table ([RotarySequence], [RotaryGrid]) or as a [RelativePositionBias]. A [SinCos2D] table is added to tokens.
//
// An [AttentionInput] holds the options of one call: a mask of keys (KeyMask), another sequence to attend to (Memory), the
// cache of a decoder (Cache), or the bounds of sequences that are packed without padding (Starts).
//
// A [DecoderBlock] also attends to a memory, such as the tokens of an image. A [DecoderInput] holds the memory, the masks, and
// position embeddings that every block gets anew. A [DecoderCache] keeps keys and values from one pass to the next.
//
// # Recurrent layers
//
//	l := nn.NewLSTM(nn.RecurrentConfig{In: 64, Width: 128, Layers: 2, Bias: true})
//	y, h, c := l.Forward(x, nn.RecurrentInput{Lengths: lengths}) // [n, steps, 64] → [n, steps, 128]
//
// [LSTM] and [GRU] are PyTorch's with batch_first, in one direction or two, over sequences of unequal length. The last
// states of one piece of a stream are the initial states of the next.
//
// # Training
//
// Layers follow the switches of the tape (autograd.Options): dropout, drop path and batch statistics act on a training
// tape only. Functions without parameters and sub-layers, such as dropout and activations, are no layers but operations
// of package autograd.
//
// # Weights as data
//
// A [Linear] may have an adapter, a trained addition of low rank beside its weight; package nn/lora attaches it. Code
// that reads weights directly asks [Unmerged] first. [Conv2d.FoldBatchNorm] and [Linear.FoldBatchNorm] make inference
// faster by folding a batch normalization into the layer before it.
package nn
