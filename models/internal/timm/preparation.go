package timm

import (
	"encoding/json"
	"strings"

	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/vision"
)

// Prepare returns how the images of an architecture are prepared, at the given size: as timm's pretrained_cfg of that name
// says. A name may have a tag, as in vit_base_patch16_224.mae. It reports whether timm has the name, and the channels are
// 1 or 3.
func Prepare(architecture string, channels int, size config.Size) (vision.Preprocess, bool) {
	name, _, _ := strings.Cut(architecture, ".")
	row, ok := find(architecture)
	if !ok {
		row, ok = find(name)
	}
	if !ok {
		return vision.Preprocess{}, false
	}
	p := preparations[row]
	data, err := json.Marshal(map[string]any{"pretrained_cfg": Pretrained{
		InputSize: [3]int{channels, size.Height, size.Width}, FixedSize: true,
		Interpolation: p.filter, CropPct: p.crop, CropMode: p.mode, Mean: p.mean[:], Std: p.std[:],
	}})
	if err != nil {
		return vision.Preprocess{}, false
	}
	q, err := vision.ParseTimm(data, false)
	return q, err == nil
}

// Known reports whether a name, which may have a tag, is one of timm's Vision Transformers that load.
func Known(architecture string) bool {
	name, _, _ := strings.Cut(architecture, ".")
	_, ok := find(name)
	return ok
}

// find returns the row of a name.
func find(name string) (row int, ok bool) {
	for i, p := range preparations {
		for own := range strings.FieldsSeq(p.names) {
			if own == name {
				return i, true
			}
		}
	}
	return 0, false
}

// preparations are those of timm's Vision Transformers that load (timm 1.0.31), with the names that have them. A name with a
// tag is there where the tag has another preparation than the name alone. Names such as vit_base_patch16_224_in21k are old
// ones that timm still takes, and that checkpoints have. testdata/preparations.json holds timm's own list.
var preparations = []struct {
	mean, std    [3]float32
	crop         float64 // the share of the resized image that is kept
	filter, mode string
	names        string
}{
	{vision.HalfMean, vision.HalfStd, 0.9, "bicubic", "center", `
		beit_base_patch16_224 beit_large_patch16_224 vit_base_patch16_18x2_224 vit_base_patch16_224
		vit_base_patch16_224_in21k vit_base_patch16_gap_224 vit_base_patch16_reg4_gap_256 vit_base_patch16_rpn_224
		vit_base_patch16_siglip_224 vit_base_patch16_siglip_256 vit_base_patch16_siglip_384 vit_base_patch16_siglip_512
		vit_base_patch16_siglip_gap_224 vit_base_patch16_siglip_gap_256 vit_base_patch16_siglip_gap_384
		vit_base_patch16_siglip_gap_512 vit_base_patch32_224 vit_base_patch32_224_in21k vit_base_patch32_siglip_256
		vit_base_patch32_siglip_gap_256 vit_base_patch8_224 vit_base_patch8_224_in21k vit_base_r26_s32_224
		vit_base_r50_s16_224 vit_base_r50_s16_224_in21k vit_base_resnet50_224_in21k vit_giant_patch14_224
		vit_giantopt_patch16_siglip_256 vit_giantopt_patch16_siglip_384 vit_giantopt_patch16_siglip_gap_256
		vit_giantopt_patch16_siglip_gap_384 vit_gigantic_patch14_224 vit_huge_patch14_224 vit_huge_patch14_224_in21k
		vit_large_patch14_224 vit_large_patch16_224 vit_large_patch16_224_in21k vit_large_patch16_siglip_256
		vit_large_patch16_siglip_384 vit_large_patch16_siglip_512 vit_large_patch16_siglip_gap_256
		vit_large_patch16_siglip_gap_384 vit_large_patch16_siglip_gap_512 vit_large_patch32_224
		vit_large_patch32_224_in21k vit_large_r50_s32_224 vit_large_r50_s32_224_in21k vit_relpos_base_patch16_224
		vit_relpos_base_patch16_cls_224 vit_relpos_base_patch16_clsgap_224 vit_relpos_base_patch16_plus_240
		vit_relpos_base_patch16_rpn_224 vit_relpos_base_patch32_plus_rpn_256 vit_relpos_medium_patch16_224
		vit_relpos_medium_patch16_cls_224 vit_relpos_medium_patch16_rpn_224 vit_relpos_small_patch16_224
		vit_relpos_small_patch16_rpn_224 vit_small_patch16_18x2_224 vit_small_patch16_224 vit_small_patch16_224_in21k
		vit_small_patch16_36x1_224 vit_small_patch32_224 vit_small_patch32_224_in21k vit_small_r26_s32_224
		vit_small_r26_s32_224_in21k vit_so150m_patch16_reg4_map_256 vit_so400m_patch14_siglip_224
		vit_so400m_patch14_siglip_378 vit_so400m_patch14_siglip_384 vit_so400m_patch14_siglip_gap_224
		vit_so400m_patch14_siglip_gap_378 vit_so400m_patch16_siglip_256 vit_so400m_patch16_siglip_384
		vit_so400m_patch16_siglip_512 vit_so400m_patch16_siglip_gap_256 vit_so400m_patch16_siglip_gap_384
		vit_so400m_patch16_siglip_gap_512 vit_srelpos_medium_patch16_224 vit_srelpos_small_patch16_224
		vit_tiny_patch16_224 vit_tiny_patch16_224_in21k vit_tiny_r_s16_p8_224 vit_tiny_r_s16_p8_224_in21k`},
	{vision.CLIPMean, vision.CLIPStd, 1, "bicubic", "center", `
		eva02_base_patch14_448.mim_in22k_ft_in1k eva02_large_patch14_448.mim_in22k_ft_in1k
		eva02_large_patch14_448.mim_m38m_ft_in1k eva02_large_patch14_clip_336 eva02_small_patch14_336
		eva02_tiny_patch14_336 eva_large_patch14_196 vit_base_patch16_224.bamboo vit_base_patch16_clip_224.datacompxl
		vit_base_patch16_clip_224.dfn2b vit_base_patch16_clip_224.laion2b vit_base_patch16_clip_224.laion2b_ft_in1k
		vit_base_patch16_clip_224.laion400m_e32 vit_base_patch16_clip_224.metaclip_2pt5b
		vit_base_patch16_clip_224.metaclip_400m vit_base_patch16_clip_quickgelu_224 vit_base_patch16_plus_clip_240
		vit_base_patch16_radio_v3 vit_base_patch32_clip_224.datacompxl vit_base_patch32_clip_224.metaclip_2pt5b
		vit_base_patch32_clip_224.metaclip_400m vit_base_patch32_clip_256 vit_base_patch32_clip_384
		vit_base_patch32_clip_448 vit_base_patch32_clip_quickgelu_224.metaclip_2pt5b
		vit_base_patch32_clip_quickgelu_224.metaclip_400m vit_giant_patch14_224_clip_laion2b vit_giant_patch14_clip_224
		vit_giant_patch16_radio_v3 vit_gigantic_patch14_clip_224 vit_gigantic_patch14_clip_quickgelu_224
		vit_huge_patch14_224_clip_laion2b vit_huge_patch14_clip_224 vit_huge_patch14_clip_378
		vit_huge_patch14_clip_quickgelu_224 vit_huge_patch14_clip_quickgelu_378 vit_huge_patch16_radio_v3
		vit_huge_patch16_radio_v4 vit_large_patch14_clip_224.apple_mclip2_dfndr2b vit_large_patch14_clip_224.datacompxl
		vit_large_patch14_clip_224.dfn2b vit_large_patch14_clip_224.dfn2b_s39b vit_large_patch14_clip_224.laion400m_e32
		vit_large_patch14_clip_224.metaclip_2pt5b vit_large_patch14_clip_224.metaclip_400m
		vit_large_patch14_clip_224.openai vit_large_patch14_clip_224.openai_ft_in12k
		vit_large_patch14_clip_224.openai_ft_in12k_in1k vit_large_patch14_clip_224.openai_ft_in1k
		vit_large_patch14_clip_336.openai vit_large_patch14_clip_quickgelu_224 vit_large_patch14_clip_quickgelu_336
		vit_large_patch16_radio_v3 vit_so400m_patch16_radio_v4`},
	{vision.ImageNetMean, vision.ImageNetStd, 1, "bicubic", "center", `
		beit3_base_patch16_224 beit3_giant_patch14_224 beit3_giant_patch14_336 beit3_large_patch16_224
		deit3_base_patch16_224.fb_in22k_ft_in1k deit3_base_patch16_224_in21ft1k deit3_base_patch16_384
		deit3_base_patch16_384_in21ft1k deit3_huge_patch14_224.fb_in22k_ft_in1k deit3_huge_patch14_224_in21ft1k
		deit3_large_patch16_224.fb_in22k_ft_in1k deit3_large_patch16_224_in21ft1k deit3_large_patch16_384
		deit3_large_patch16_384_in21ft1k deit3_medium_patch16_224.fb_in22k_ft_in1k deit3_medium_patch16_224_in21ft1k
		deit3_small_patch16_224.fb_in22k_ft_in1k deit3_small_patch16_224_in21ft1k deit3_small_patch16_384
		deit3_small_patch16_384_in21ft1k deit_base_distilled_patch16_384 deit_base_patch16_384 vit_7b_patch16_dinov3
		vit_base_patch14_dinov2 vit_base_patch14_reg4_dinov2 vit_base_patch16_dinov3 vit_base_patch16_dinov3_qkvb
		vit_giant_patch14_dinov2 vit_giant_patch14_reg4_dinov2 vit_huge_patch16_gap_448 vit_huge_plus_patch16_dinov3
		vit_huge_plus_patch16_dinov3_qkvb vit_intern300m_patch14_448 vit_large_patch14_dinov2
		vit_large_patch14_reg4_dinov2 vit_large_patch16_dinov3 vit_large_patch16_dinov3_qkvb vit_small_patch14_dinov2
		vit_small_patch14_reg4_dinov2 vit_small_patch16_dinov3 vit_small_patch16_dinov3_qkvb
		vit_small_plus_patch16_dinov3 vit_small_plus_patch16_dinov3_qkvb vit_tiny_patch16_dinov3_qkvb`},
	{vision.HalfMean, vision.HalfStd, 1, "bicubic", "center", `
		beit_base_patch16_384 beit_large_patch16_384 beit_large_patch16_512 vit_base_patch16_384 vit_base_patch32_384
		vit_base_r50_s16_384 vit_base_resnet50_384 vit_betwixt_patch16_reg4_gap_384 vit_large_patch14_224_clip_laion2b
		vit_large_patch14_clip_224 vit_large_patch16_384 vit_large_patch32_384 vit_large_r50_s32_384
		vit_mediumd_patch16_reg4_gap_384 vit_pe_core_base_patch16_224 vit_pe_core_gigantic_patch14_448
		vit_pe_core_large_patch14_336 vit_pe_core_small_patch16_384 vit_pe_core_tiny_patch16_384
		vit_pe_lang_gigantic_patch14_448 vit_pe_lang_large_patch14_448 vit_pe_spatial_base_patch16_512
		vit_pe_spatial_gigantic_patch14_448 vit_pe_spatial_large_patch14_448 vit_pe_spatial_small_patch16_512
		vit_pe_spatial_tiny_patch16_512 vit_small_patch16_384 vit_small_patch32_384 vit_small_r26_s32_384
		vit_so150m2_patch16_reg1_gap_256 vit_so150m2_patch16_reg1_gap_384 vit_so150m_patch16_reg4_gap_384
		vit_so400m_patch14_siglip_gap_378.webli vit_so400m_patch14_siglip_gap_384 vit_so400m_patch14_siglip_gap_448
		vit_so400m_patch14_siglip_gap_896 vit_tiny_patch16_384 vit_tiny_r_s16_p8_384`},
	{vision.ImageNetMean, vision.ImageNetStd, 0.9, "bicubic", "center", `
		beitv2_base_patch16_224 beitv2_large_patch16_224.in1k_ft_in22k deit3_base_patch16_224 deit3_huge_patch14_224
		deit3_large_patch16_224 deit3_medium_patch16_224 deit3_small_patch16_224 deit_base_distilled_patch16_224
		deit_base_patch16_224 deit_small_distilled_patch16_224 deit_small_patch16_224 deit_tiny_distilled_patch16_224
		deit_tiny_patch16_224 vit_base_patch16_224.dino vit_base_patch16_224.mae vit_base_patch16_224_dino
		vit_base_patch16_rope_224 vit_base_patch16_rope_ape_224 vit_base_patch16_rope_mixed_224
		vit_base_patch16_rope_mixed_ape_224 vit_base_patch8_224.dino vit_base_patch8_224_dino vit_giant_patch16_gap_224
		vit_huge_patch14_224.mae vit_huge_patch14_gap_224 vit_large_patch16_224.mae vit_large_patch16_rope_224
		vit_large_patch16_rope_ape_224 vit_large_patch16_rope_mixed_224 vit_large_patch16_rope_mixed_ape_224
		vit_small_patch16_224.dino vit_small_patch16_224_dino vit_small_patch16_rope_224 vit_small_patch16_rope_ape_224
		vit_small_patch16_rope_mixed_224 vit_small_patch16_rope_mixed_ape_224 vit_small_patch8_224
		vit_small_patch8_224_dino`},
	{vision.CLIPMean, vision.CLIPStd, 0.9, "bicubic", "center", `
		eva02_base_patch14_224 eva02_base_patch16_clip_224 eva02_enormous_patch14_clip_224 eva02_large_patch14_224
		eva02_large_patch14_clip_224 eva02_small_patch14_224 eva02_tiny_patch14_224 eva_giant_patch14_224
		eva_giant_patch14_clip_224 vit_base_patch16_clip_224.laion2b_ft_in12k vit_base_patch16_clip_224.openai
		vit_base_patch16_clip_224.openai_ft_in12k vit_base_patch16_clip_224.openai_ft_in1k
		vit_base_patch16_clip_quickgelu_224.openai vit_base_patch32_224_clip_laion2b vit_base_patch32_clip_224
		vit_base_patch32_clip_quickgelu_224 vit_betwixt_patch32_clip_224 vit_medium_patch16_clip_224
		vit_medium_patch32_clip_224 vit_xsmall_patch16_clip_224`},
	{vision.HalfMean, vision.HalfStd, 0.95, "bicubic", "center", `
		vit_base_patch16_plus_240 vit_base_patch16_rope_reg1_gap_256 vit_base_patch32_plus_256
		vit_betwixt_patch16_gap_256 vit_betwixt_patch16_reg1_gap_256 vit_betwixt_patch16_reg4_gap_256
		vit_little_patch16_reg1_gap_256 vit_little_patch16_reg4_gap_256 vit_medium_patch16_gap_240
		vit_medium_patch16_gap_256 vit_medium_patch16_reg1_gap_256 vit_medium_patch16_reg4_gap_256
		vit_medium_patch16_rope_reg1_gap_256 vit_mediumd_patch16_reg4_gap_256 vit_mediumd_patch16_rope_reg1_gap_256
		vit_pwee_patch16_reg1_gap_256 vit_so150m_patch16_reg4_gap_256 vit_wee_patch16_reg1_gap_256`},
	{vision.CLIPMean, vision.CLIPStd, 1, "bicubic", "squash", `
		eva02_base_patch14_448 eva02_large_patch14_448 eva_giant_patch14_336 eva_large_patch14_336
		vit_base_patch16_clip_384 vit_gigantic_patch14_clip_378 vit_huge_patch14_clip_336
		vit_huge_patch14_clip_378.metaclip2_worldwide vit_large_patch14_clip_336.openai_ft_in12k_in1k`},
	{[3]float32{}, [3]float32{1, 1, 1}, 1, "bicubic", "center", `
		vit_base_patch14_reg1_tipsv2 vit_giant_patch14_reg1_tipsv2 vit_large_patch14_reg1_tipsv2
		vit_so400m_patch14_reg1_tipsv2`},
	{vision.ImageNetMean, vision.ImageNetStd, 1, "bilinear", "squash", `
		vit_base_patch16_lingbot vit_giant_patch16_lingbot vit_large_patch16_lingbot vit_small_patch16_lingbot`},
	{vision.HalfMean, vision.HalfStd, 1, "bicubic", "squash", `
		vit_large_patch14_clip_336 vit_so150m2_patch16_reg1_gap_448 vit_so400m_patch14_siglip_378.webli_ft_in1k
		vit_so400m_patch14_siglip_gap_378.webli_ft_in1k`},
	{[3]float32{0.43, 0.411, 0.296}, [3]float32{0.213, 0.156, 0.143}, 1, "bicubic", "center", `
		vit_7b_patch16_dinov3.sat493m vit_large_patch16_dinov3.sat493m vit_large_patch16_dinov3_qkvb.sat493m`},
	{vision.ImageNetMean, vision.ImageNetStd, 1, "bicubic", "squash", `
		eva_giant_patch14_336.m30m_ft_in22k_in1k eva_giant_patch14_560`},
	{[3]float32{}, [3]float32{1, 1, 1}, 0.875, "bilinear", "center", `
		vit_base_patch16_224_miil vit_base_patch16_224_miil_in21k`},
	{vision.CLIPMean, vision.CLIPStd, 0.95, "bicubic", "center", `
		vit_base_patch16_clip_224 vit_betwixt_patch16_rope_reg4_gap_256`},
	{vision.CLIPMean, vision.CLIPStd, 0.95, "bicubic", "squash", `
		vit_base_patch16_clip_384.openai_ft_in12k_in1k vit_base_patch32_clip_384.openai_ft_in12k_in1k`},
	{vision.ImageNetMean, vision.ImageNetStd, 0.95, "bicubic", "center", `
		beitv2_large_patch16_224`},
	{[3]float32{}, [3]float32{1, 1, 1}, 0.9, "bicubic", "center", `
		vit_base_mci_224`},
	{vision.HalfMean, vision.HalfStd, 0.95, "bicubic", "squash", `
		vit_medium_patch16_gap_384`},
}
