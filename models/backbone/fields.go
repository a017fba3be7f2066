package backbone

import (
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// configFields are the fields of transformers' ResNetConfig (5.23), and Fovea's own.
var configFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, strictjson.Fields{
	{Name: "num_channels"},
	{Name: "embedding_size"},
	{Name: "hidden_sizes"},
	{Name: "depths"},
	{Name: "layer_type"},
	{Name: "hidden_act"},
	{Name: "downsample_in_first_stage"},
	{Name: "downsample_in_bottleneck"},
	{Name: "stage_names", Use: strictjson.Harmless, Reason: whichLevels},
	{Name: "out_features", Use: strictjson.Harmless, Reason: whichLevels},
	{Name: "out_indices", Use: strictjson.Harmless, Reason: whichLevels},
	{Name: "_out_features", Use: strictjson.Harmless, Reason: whichLevels},
	{Name: "_out_indices", Use: strictjson.Harmless, Reason: whichLevels},
	{Name: "deep_stem", Reason: "Fovea's own"},
	{Name: "average_down", Reason: "Fovea's own"},
	{Name: "dilated", Reason: "Fovea's own"},
	{Name: "final_size", Reason: "Fovea's own"},
})

const whichLevels = "it says which levels ResNetBackbone returns"

const told = "the weights tell it"

// argFields are the arguments of timm's ResNet and DLA (timm 1.0.31) that a config.json may give beside the architecture.
var argFields = strictjson.Fields{
	{Name: "num_classes", Use: strictjson.Harmless, Reason: told},
	{Name: "in_chans", Use: strictjson.Harmless, Reason: told},
	{Name: "layers", Use: strictjson.Harmless, Reason: told},
	{Name: "channels", Use: strictjson.Harmless, Reason: told},
	{Name: "stem_width", Use: strictjson.Harmless, Reason: told},
	{Name: "stem_type", Use: strictjson.Harmless, Reason: told},
	{Name: "avg_down", Use: strictjson.Harmless, Reason: told},
	{Name: "base_width", Use: strictjson.Harmless, Reason: told},
	{Name: "cardinality", Use: strictjson.Harmless, Reason: told},
	{Name: "drop_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "drop_path_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "drop_block_rate", Use: strictjson.Harmless, Reason: training},
	{Name: "zero_init_last", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "device", Use: strictjson.Harmless, Reason: "there is one device"},
	{Name: "dtype", Use: strictjson.Harmless, Reason: told},
	{Name: "output_stride", Use: strictjson.Refused, Reason: "dilated networks are not supported", Same: []string{"32"}},
	{Name: "global_pool", Use: strictjson.Refused, Reason: "poolings other than the mean are not supported", Same: []string{`"avg"`}},
	{Name: "act_layer", Use: strictjson.Refused, Reason: "activations other than ReLU are not supported", Same: []string{`"relu"`, "null"}},
	{Name: "block", Use: strictjson.Refused, Reason: "other blocks are not supported"},
	{Name: "norm_layer", Use: strictjson.Refused, Reason: "other norms are not supported", Same: []string{"null"}},
	{Name: "aa_layer", Use: strictjson.Refused, Reason: "anti-aliasing layers are not supported", Same: []string{"null"}},
	{Name: "block_args", Use: strictjson.Refused, Reason: "other blocks are not supported", Same: []string{"null", "{}"}},
	{Name: "block_reduce_first", Use: strictjson.Refused, Reason: "other blocks are not supported", Same: []string{"1"}},
	{Name: "down_kernel_size", Use: strictjson.Refused, Reason: "shortcuts of larger kernels are not supported", Same: []string{"1"}},
	{Name: "replace_stem_pool", Use: strictjson.Refused, Reason: "stems without a max pooling are not supported", Same: []string{"false"}},
	{Name: "shortcut_root", Use: strictjson.Refused, Reason: "residual roots are not supported", Same: []string{"false"}},
	{Name: "levels", Use: strictjson.Harmless, Reason: told},
	{Name: "pretrained_cfg_overlay", Use: strictjson.Refused, Reason: "it changes how images are prepared", Same: []string{"null"}},
}

const training = "only training uses it"
