package detect

import (
	"encoding/json"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/models/vit"
)

// YOLOSConfig describes a [YOLOS] in the fields of transformers' YolosConfig; each has the name it has there. Sides of images
// need not be multiples of the patch: what is left over is cut off.
type YOLOSConfig struct {
	vit.EncoderConfig
	NumDetectionTokens int `json:"num_detection_tokens"`
	// UseMidPositionEmbeddings adds further positions between the blocks.
	UseMidPositionEmbeddings bool `json:"use_mid_position_embeddings"`
	SetConfig
}

// yolosDefaults are those of transformers, for fields that a config.json leaves out.
func yolosDefaults() YOLOSConfig {
	c := YOLOSConfig{EncoderConfig: vit.Base16().EncoderConfig, NumDetectionTokens: 100, UseMidPositionEmbeddings: true, SetConfig: defaultSet()}
	c.SetSize(512, 864)
	return c
}

func yolosConfig(width, heads, height, across int, mid bool) Config {
	c := yolosDefaults()
	c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize, c.UseMidPositionEmbeddings = width, heads, 4*width, mid
	c.SetSize(height, across)
	return Config{ModelType: yolosType, YOLOS: &c}
}

// YOLOSTiny is hustvl/yolos-tiny (arXiv 2106.00666): 6.5 M parameters with 91 classes.
func YOLOSTiny() Config { return yolosConfig(192, 3, 800, 1333, false) }

// YOLOSSmall is hustvl/yolos-small: 30.7 M parameters.
func YOLOSSmall() Config { return yolosConfig(384, 6, 512, 864, true) }

// YOLOSBase is hustvl/yolos-base: 127.7 M parameters.
func YOLOSBase() Config { return yolosConfig(768, 12, 800, 1344, true) }

func (c *YOLOSConfig) validate(v *config.Checks) {
	v.Size("patch_size", c.PatchSize)
	height, width := c.Size()
	v.Size("image_size", height)
	v.Size("image_size", width)
	if v.Err() != nil {
		return
	}
	if height < c.PatchSize || width < c.PatchSize {
		v.Fail("image_size", "expected at least the patch size %d, found %d×%d", c.PatchSize, height, width)
	}
	whole := c.EncoderConfig
	whole.SetSize(height/c.PatchSize*c.PatchSize, width/c.PatchSize*c.PatchSize)
	v.Add(whole.Validate())
	if c.NumChannels != 3 {
		v.Fail("num_channels", "expected 3, found %d", c.NumChannels)
	}
	if c.NumDetectionTokens < 1 || c.NumDetectionTokens > maxQueries {
		v.Fail("num_detection_tokens", "expected 1 to %d, found %d", maxQueries, c.NumDetectionTokens)
	}
	if n := height * width / (c.PatchSize * c.PatchSize); c.UseMidPositionEmbeddings && n != c.Patches() { // as transformers counts them
		v.Fail("image_size", "expected multiples of the patch size %d with use_mid_position_embeddings, found %d×%d", c.PatchSize, height, width)
	}
	c.SetConfig.validate(v)
}

// claim returns the least that the weights are.
func (c *YOLOSConfig) claim() modelfolder.Claim {
	tokens := c.Patches() + c.NumDetectionTokens
	claim := modelfolder.ClaimEncoder(c.NumHiddenLayers, c.Block(), c.NumChannels, c.PatchSize, tokens)
	if c.UseMidPositionEmbeddings {
		claim.Values += float64(c.NumHiddenLayers-1) * float64(tokens) * float64(c.HiddenSize)
	}
	return claim
}

// grid is that of the patches that position embeddings are for.
func (c *YOLOSConfig) grid() tower.Grid {
	rows, columns := c.Grid()
	return tower.Grid{Rows: rows, Columns: columns}
}

func (c *YOLOSConfig) sides() config.Sides {
	height, width := c.Size()
	return config.Sides{Image: config.Size{Height: height, Width: width}, Patch: config.Size{Height: c.PatchSize, Width: c.PatchSize}}
}

// UnmarshalJSON reads the fields of a config.json. Those that it lacks keep their values.
func (c *YOLOSConfig) UnmarshalJSON(data []byte) error {
	type plain YOLOSConfig
	p := struct {
		config.Sides // before the fields of the same names
		*plain
	}{c.sides(), (*plain)(c)}
	if err := strictjson.Decode(data, &p); err != nil {
		return err
	}
	return p.Sides.Apply(c.SetSize, &c.PatchSize)
}

// MarshalJSON writes the fields of a config.json.
func (c YOLOSConfig) MarshalJSON() ([]byte, error) {
	type plain YOLOSConfig
	height, width := c.Size()
	return json.Marshal(struct {
		Size             []int                 `json:"image_size"` // a list also for a square
		InitializerRange config.Float[float64] `json:"initializer_range"`
		LayerNormEps     config.Float[float32] `json:"layer_norm_eps"`
		eosFloat
		plain // after the fields of the same names
	}{[]int{height, width}, config.Float[float64]{Value: c.InitializerRange}, config.Float[float32]{Value: c.LayerNormEps}, c.eosFloat(), plain(c)})
}

// yolosFields are the fields of transformers' YolosConfig (5.23).
var yolosFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, modelfolder.EncoderFields, strictjson.Fields{
	{Name: "initializer_range"},
	{Name: "image_size"},
	{Name: "patch_size"},
	{Name: "num_channels"},
	{Name: "qkv_bias"},
	{Name: "num_detection_tokens"},
	{Name: "use_mid_position_embeddings"},
	{Name: "auxiliary_loss", Use: strictjson.Refused, Reason: "transformers ends with an error when it trains with it", Same: []string{"false"}},
	{Name: "class_cost"},
	{Name: "bbox_cost"},
	{Name: "giou_cost"},
	{Name: "bbox_loss_coefficient"},
	{Name: "giou_loss_coefficient"},
	{Name: "eos_coefficient"},
})
