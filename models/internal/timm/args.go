package timm

import (
	"encoding/json"
	"fmt"
)

// Args are arguments of the constructor of timm's VisionTransformer. Arguments that are missing here leave traces
// in the weights.
type Args struct {
	ImageSize        int      `json:"img_size,omitempty"`
	PatchSize        int      `json:"patch_size,omitempty"`
	Channels         int      `json:"in_chans,omitempty"`
	Width            int      `json:"embed_dim,omitempty"`
	Depth            int      `json:"depth,omitempty"`
	Heads            int      `json:"num_heads,omitempty"`
	Ratio            float64  `json:"mlp_ratio,omitempty"`
	QKVBias          *bool    `json:"qkv_bias,omitempty"`
	ClassToken       *bool    `json:"class_token,omitempty"`
	PreNorm          *bool    `json:"pre_norm,omitempty"`
	FCNorm           *bool    `json:"fc_norm,omitempty"`
	GlobalPool       *string  `json:"global_pool,omitempty"`
	LayerScale       *float32 `json:"init_values,omitempty"`
	Act              string   `json:"act_layer,omitempty"`
	PoolClassAsWell  bool     `json:"pool_include_prefix,omitempty"`
	DynamicImageSize bool     `json:"dynamic_img_size,omitempty"`
}

// UnmarshalJSON leaves out img_size and patch_size, which may be a number or two: the weights tell them.
func (a *Args) UnmarshalJSON(data []byte) error {
	type plain Args
	p := struct {
		*plain
		ImageSize any `json:"img_size"`
		PatchSize any `json:"patch_size"`
	}{plain: (*plain)(a)}
	return json.Unmarshal(data, &p)
}

// Pool returns how the sequence becomes one vector, "avg" or "token", or "" where the file leaves that to the
// architecture.
func (c *Config) Pool() (string, error) {
	if c.ModelArgs.PoolClassAsWell {
		return "", fmt.Errorf("config.json: pool_include_prefix is not supported")
	}
	pool := c.GlobalPool
	if c.ModelArgs.GlobalPool != nil {
		pool = *c.ModelArgs.GlobalPool
	}
	if pool != "" && pool != "avg" && pool != "token" {
		return "", fmt.Errorf("config.json: global_pool %q is not supported, expected token or avg", pool)
	}
	return pool, nil
}

// ratio returns the mlp_ratio for which timm, which cuts width·ratio to a whole number, has the given hidden width.
func ratio(width, hidden int) float64 {
	r := float64(hidden) / float64(width)
	if int(float64(width)*r) != hidden {
		r = (float64(hidden) + 0.5) / float64(width)
	}
	return r
}
