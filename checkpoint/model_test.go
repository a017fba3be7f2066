package checkpoint

import "iter"

// param is a parameter of the tests' models that takes copies only.
type param struct {
	shape  []int
	values []float32
}

func newParam(shape ...int) *param {
	return &param{shape: shape, values: make([]float32, product(shape))}
}

func (p *param) Shape() []int               { return p.shape }
func (p *param) Values() []float32          { return p.values }
func (p *param) Update(f func(v []float32)) { f(p.values) }

// model is an ordered set of parameters.
type model[P any] []struct {
	path string
	p    P
}

func (m model[P]) all() iter.Seq2[string, P] {
	return func(yield func(string, P) bool) {
		for _, e := range m {
			if !yield(e.path, e.p) {
				return
			}
		}
	}
}

// layer is the model of testdata/{timm,hub,memory}.safetensors: one ViT layer of width 4.
func layer() model[*param] {
	return model[*param]{
		{"cls", newParam(4)},
		{"blocks.0.norm1.weight", newParam(4)},
		{"blocks.0.norm1.bias", newParam(4)},
		{"blocks.0.attn.qkv.weight", newParam(12, 4)},
		{"blocks.0.attn.qkv.bias", newParam(12)},
		{"head.weight", newParam(2, 4)},
	}
}

func (m model[P]) at(path string) P {
	for _, e := range m {
		if e.path == path {
			return e.p
		}
	}
	panic("no parameter " + path)
}

var layerNames = Names{
	Rules: []Rule{
		{"cls", "vit.embeddings.cls_token [1,1,*]", "cls_token [1,1,*]"},
		{"blocks.{}.norm1", "vit.encoder.layer.{}.layernorm_before", "vit.layers.{}.layernorm_before", "blocks.{}.norm1"},
		{"blocks.{}.attn.qkv", "vit.encoder.layer.{}.attention.attention.{query,key,value}", "vit.layers.{}.attention.{q,k,v}_proj", "blocks.{}.attn.qkv"},
		{"head", "classifier", "head"},
	},
	Prefixes: []string{"vit.", "module."},
	Renames:  []Rename{{"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}},
	Ignore:   []string{"*.position_ids", "pooler.*"},
}
