package vision

import "github.com/fovea-ml/fovea/internal/strictjson"

const (
	otherClass = "unsupported: prepare the pixels yourself or remove the field"
	runs       = "it says how transformers runs, not what it computes"
	answers    = "it is about answers and labels, not about pixels"
)

// processorFields are the fields of preprocessor_config.json: those of the supported classes of transformers 5.23, and
// the settings of other classes that change pixels.
var processorFields = strictjson.Fields{
	{Name: "image_processor_type"},
	{Name: "feature_extractor_type"},
	{Name: "do_convert_rgb", Reason: "images are always converted, to RGB or to gray; it lays those with alpha on white"},
	{Name: "do_resize"},
	{Name: "size"},
	{Name: "max_size"},
	{Name: "default_to_square"},
	{Name: "crop_size"},
	{Name: "crop_pct", Reason: "of ConvNext's; other classes refuse it"},
	{Name: "resample"},
	{Name: "do_rescale"},
	{Name: "rescale_factor"},
	{Name: "do_normalize"},
	{Name: "image_mean"},
	{Name: "image_std"},
	{Name: "do_pad"},
	{Name: "pad_size"},
	{Name: "do_center_crop"},
	{Name: "data_format", Use: strictjson.Harmless, Reason: runs},
	{Name: "input_data_format", Use: strictjson.Harmless, Reason: runs},
	{Name: "device", Use: strictjson.Harmless, Reason: runs},
	{Name: "return_tensors", Use: strictjson.Harmless, Reason: runs},
	{Name: "disable_grouping", Use: strictjson.Harmless, Reason: runs},
	{Name: "image_seq_length", Use: strictjson.Harmless, Reason: answers},
	{Name: "do_reduce_labels", Use: strictjson.Harmless, Reason: answers},
	{Name: "format", Use: strictjson.Harmless, Reason: answers},
	{Name: "do_convert_annotations", Use: strictjson.Harmless, Reason: answers},
	{Name: "mask_size", Use: strictjson.Harmless, Reason: answers},
	{Name: "mask_pad_size", Use: strictjson.Harmless, Reason: answers},
	refusedSetting("use_square_size"), // of CLIP's
	// Settings of classes that are not supported, and of files that name no class.
	refusedSetting("size_divisor"), refusedSetting("size_divisibility"),
	refusedSetting("do_flip_channel_order"), refusedSetting("rescale_offset"), refusedSetting("do_align_long_axis"),
	refusedSetting("do_thumbnail"), refusedSetting("keep_aspect_ratio"), refusedSetting("ensure_multiple_of"),
	refusedSetting("do_image_splitting"), refusedSetting("do_crop_margin"), refusedSetting("do_color_quantize"),
	refusedSetting("patch_size"), refusedSetting("min_pixels"), refusedSetting("max_pixels"),
	// Fovea's own.
	{Name: "pixel_backend"},
	{Name: "pixel_channels"},
	{Name: "size_rule"},
	{Name: "size_multiple"},
	{Name: "crop_fill"},
	{Name: "resize_rows_first"},
}

func refusedSetting(name string) strictjson.Field {
	return strictjson.Field{Name: name, Use: strictjson.Refused, Reason: otherClass, Same: []string{"null", "false"}}
}
