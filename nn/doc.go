// Package nn holds the layers that models are built of.
//
// A layer is a plain struct. Its exported fields are its parameters and sub-layers, in the order in which
// data meets them; a nil field is a part the layer does not have. Its Forward takes Tensors and returns
// them on the same tape. Nothing registers itself and nothing is global: [Parameters] walks the fields and
// yields every parameter with its path, such as "Blocks.3.Attention.QKV.Weight", in a stable order and each
// pointer once, so tied weights appear under their first path.
//
// Constructors take sizes and return layers of zeros (ones for the gains of normalizations): a model that
// is about to be loaded needs nothing else. A model that is about to be trained is initialized by the
// functions of this package, each from a generator that the caller gives ([TruncatedNormal],
// [XavierUniform], [KaimingUniform]).
//
// A shape in a comment names the dimensions from the first to the last; n is the number of samples and "..." any
// number of dimensions. What does not fit is a programming error: constructors panic on sizes that no parameter
// can have, and Forward on operands of other shapes, both with the *autograd.ShapeError of the operation that
// found it. autograd.Tape.Try turns it into an error at the edge of a model.
//
// Layers do not know whether they are being trained: dropout, drop path and batch statistics follow the
// switches of the tape (autograd.Options). What has neither parameters nor sub-layers is no layer but a function
// of package autograd, dropout and activations among them.
package nn
