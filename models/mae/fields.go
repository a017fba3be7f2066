package mae

import (
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// configFields are the fields of transformers' ViTMAEConfig (5.23).
var configFields = slices.Concat(modelfolder.CommonFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "id2label", Use: strictjson.Harmless, Reason: "a masked autoencoder has no classes"},
	{Name: "label2id", Use: strictjson.Harmless, Reason: "a masked autoencoder has no classes"},
	{Name: "num_labels", Use: strictjson.Harmless, Reason: "a masked autoencoder has no classes"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "a masked autoencoder has no classes"},
	{Name: "initializer_range"},
	{Name: "image_size", Reason: "square images"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "qkv_bias"},
	{Name: "decoder_num_attention_heads"},
	{Name: "decoder_hidden_size"},
	{Name: "decoder_num_hidden_layers"},
	{Name: "decoder_intermediate_size"},
	{Name: "mask_ratio"},
	{Name: "norm_pix_loss"},
})
