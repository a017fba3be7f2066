// Package tower holds what the models around a Vision Transformer's encoder share beside the encoder itself: the
// rows of their tables of names, the sizes that are read off weights where no configuration gives them, and the
// resizing of position tables.
//
// The parameter paths are those of package vit's Encoder in a field Encoder, and of nn.Block.
package tower
