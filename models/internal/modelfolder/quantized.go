package modelfolder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// quantizationKey is the field of config.json that describes quantized weights.
const quantizationKey = "quantization_config"

// The layout of quantized weights is that of the library compressed-tensors (0.20, compressed_tensors/quantization) with
// the format int-quantized: integers of 8 bits with a scale for each row (channel), and activations that are rounded with
// a scale for each row (token) as they come.
//
// That library knows no convolutions: transformers would take their integers for weights. A folder with convolutions in integers
// therefore has another format, and names no quant_method: transformers 5.23 refuses it for that, while it ignores a method that
// it does not know. All else is the same, with a scale for each filter. So is a folder with integers of a parameter that is no
// module's weight there, such as the in_proj_weight of torch.nn.MultiheadAttention.
const (
	quantMethod = "compressed-tensors"
	quantFormat = "int-quantized"
	convFormat  = "int-quantized-conv"
)

// expected lists the fields of an object of quantization_config: the JSON of the values that this package reads, the
// first of which Save writes. nil stands for any value: the field is harmless. A field that is not listed must be empty.
type expected map[string][]string

var (
	none = []string{"null", "{}", "[]"}

	quantizationFields = expected{
		"quant_method":             {`"` + quantMethod + `"`},
		"format":                   {`"` + quantFormat + `"`},
		"quantization_status":      {`"compressed"`, `"frozen"`},
		"config_groups":            nil, // checked one by one
		"ignore":                   nil, // the types of the tensors tell which layers are quantized
		"global_compression_ratio": nil,
		"version":                  nil,
	}
	convFields = func() expected {
		e := maps.Clone(quantizationFields)
		delete(e, "quant_method")
		e["format"] = []string{`"` + convFormat + `"`}
		return e
	}()
	groupFields = expected{
		"targets":           nil, // as ignore
		"weights":           nil,
		"input_activations": nil,
		"format":            {`"` + quantFormat + `"`, "null"},
	}
	weightFields = expected{
		"num_bits": {"8"}, "type": {`"int"`}, "symmetric": {"true"}, "strategy": {`"channel"`}, "dynamic": {"false"}, "group_size": {"null", "-1"},
		"actorder": nil, "observer": nil, "observer_kwargs": nil, "scale_dtype": nil, "zp_dtype": nil, // how the integers were found
	}
	activationFields = expected{
		"num_bits": {"8"}, "type": {`"int"`}, "symmetric": {"true"}, "strategy": {`"token"`}, "dynamic": {"true"},
		"observer": nil, "observer_kwargs": nil, "scale_dtype": nil, "zp_dtype": nil,
	}
)

// check compares an object with the list. A field with one value must be there.
func (e expected) check(name string, data []byte) error {
	found := map[string][]byte{}
	if err := strictjson.Object(data, func(key string, value []byte) { found[key] = value }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, key := range slices.Sorted(maps.Keys(e)) {
		if _, ok := found[key]; !ok && len(e[key]) == 1 {
			return fmt.Errorf("%s: %s: expected %s, found none", name, key, e[key][0])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		values, listed := e[key]
		if listed && values == nil {
			continue
		}
		if !listed {
			values = none
		}
		if value := string(bytes.TrimSpace(found[key])); !slices.Contains(values, value) {
			return fmt.Errorf("%s: %s: expected %s, found %s", name, key, strings.Join(values, " or "), shorten(value))
		}
	}
	return nil
}

// shorten returns the beginning of a value, for an error.
func shorten(value string) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(value[:most], "") + "…"
	}
	return value
}

// checkQuantization returns an error for quantized weights in another layout.
func checkQuantization(file string, data []byte) error {
	name := file + ": " + quantizationKey + ": quantized weights are not supported in this layout"
	fields := quantizationFields
	if format, err := formatOfQuantized(data); err == nil && format == convFormat {
		fields = convFields
	}
	if err := fields.check(name, data); err != nil {
		return err
	}
	groups := map[string][]byte{}
	err := strictjson.Object(data, func(key string, value []byte) {
		if key == "config_groups" {
			err := strictjson.Object(value, func(group string, value []byte) { groups[group] = value })
			if err != nil {
				groups = map[string][]byte{"config_groups": value}
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(groups) == 0 {
		return fmt.Errorf("%s: config_groups: expected a group, found none", name)
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		at := name + ": " + shorten(group)
		if err := groupFields.check(at, groups[group]); err != nil {
			return err
		}
		parts := map[string][]byte{"weights": []byte("null"), "input_activations": []byte("null")}
		err := strictjson.Object(groups[group], func(key string, value []byte) {
			if _, ok := parts[key]; ok {
				parts[key] = value
			}
		})
		if err == nil {
			err = weightFields.check(at+": weights", parts["weights"])
		}
		if err == nil {
			err = activationFields.check(at+": input_activations", parts["input_activations"])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// formatOfQuantized returns the format that an object quantization_config names.
func formatOfQuantized(data []byte) (string, error) {
	var q struct {
		Format string `json:"format"`
	}
	err := strictjson.Decode(data, &q)
	return q.Format, err
}

// cutQuantization returns a config.json without quantization_config, which it checks, and whether it had one.
func cutQuantization(name string, config []byte) (rest []byte, quantized bool, err error) {
	var keys []string
	values := map[string][]byte{}
	if err := strictjson.Object(config, func(key string, value []byte) {
		keys = append(keys, key)
		values[key] = value
	}); err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	value, ok := values[quantizationKey]
	if !ok || strictjson.Null(value) {
		return config, false, nil
	}
	if err := checkQuantization(name, value); err != nil {
		return nil, false, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, key := range keys {
		if key == quantizationKey {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, false, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(values[key])
	}
	b.WriteByte('}')
	return b.Bytes(), true, nil
}

// Math returns the arithmetic of the folder's model: Int8 for quantized weights, else Strict.
func (f *Folder) Math() simd.Math {
	if f.quantized {
		return simd.Int8
	}
	return simd.Strict
}

// Limit keeps the products of a part that was read beside the weights as [Folder.Fill] does those of the model: in a
// quantized folder, in the arithmetic of the type of each parameter.
func (f *Folder) Limit(part any) {
	if f.quantized {
		limit(part)
	}
}

// limit keeps the products of each parameter of a quantized model in the arithmetic of its type.
func limit(model any) {
	for _, p := range nn.Parameters(model) {
		switch p.DType() {
		case autograd.Int8:
			p.LimitMath(simd.Int8)
		case autograd.BFloat16:
			p.LimitMath(simd.BF16)
		default:
			p.LimitMath(simd.Strict)
		}
	}
}

// keepTypes gives the entries of a quantized model's other parameters the type that limit reads their arithmetic from:
// bfloat16 where products are, else float32, or float16 where values are float16 or all weights are to be saved so. Buffers have
// the type of parameters in float32.
func keepTypes(entries []checkpoint.Entry, names *checkpoint.Names, model any, all checkpoint.DType) {
	types := map[string]checkpoint.DType{}
	for path, p := range nn.Parameters(model) {
		t := checkpoint.F32
		switch {
		case p.DType() == autograd.Int8:
			continue
		case p.DType() == autograd.BFloat16 && p.MathLimit() == simd.BF16:
			t = checkpoint.BF16
		case all == checkpoint.F16 || p.DType() == autograd.Float16:
			t = checkpoint.F16
		}
		for _, name := range names.Tensors(path)[0] {
			types[name] = t
		}
	}
	for i := range entries {
		if t, ok := types[entries[i].Name]; ok {
			entries[i].DType = t
		} else if all == checkpoint.BF16 && entries[i].DType == checkpoint.Invalid {
			entries[i].DType = checkpoint.F32
		}
	}
}

// describeQuantized adds quantization_config to the JSON of a model's configuration.
func describeQuantized(config []byte, names *checkpoint.Names, c Contents, layout models.Layout) ([]byte, error) {
	var kind struct {
		ModelType *string         `json:"model_type"`
		DType     json.RawMessage `json:"dtype"`
	}
	if err := json.Unmarshal(config, &kind); err != nil || kind.ModelType == nil {
		return nil, fmt.Errorf("layout: expected %q for a model with quantized weights, found %q", models.HuggingFace, layout)
	}
	fields, targets := quantizationFields, []string{"Linear"}
	var paths []string
	integers := map[string]bool{}
	for _, p := range nn.Parameters(c.Model) {
		if p.DType() == autograd.Int8 {
			for _, path := range nn.PathsOf(c.Model, p) {
				integers[path] = true
			}
		}
	}
	for _, path := range c.Ignored {
		if !integers[path] {
			paths = append(paths, path)
		}
	}
	for path, l := range nn.Layers[nn.Linear](c.Model) {
		if l.Weight.DType() != autograd.Int8 {
			paths = append(paths, path+".Weight")
			continue
		}
		for _, name := range names.Tensors(path + ".Weight")[0] {
			if !strings.HasSuffix(name, ".weight") { // of another module than Linear, whose scales nobody reads
				fields = convFields
			}
		}
	}
	// The list names modules of the class that transformers loads. The class without a head has no prefix.
	ignore := []string{}
	for _, path := range paths {
		for _, name := range names.Tensors(path)[0] {
			if name == "" {
				continue
			}
			ignore = append(ignore, strings.TrimSuffix(name, ".weight"))
			if bare := names.Canonical(name); bare != name {
				ignore = append(ignore, strings.TrimSuffix(bare, ".weight"))
			}
		}
	}
	for _, l := range nn.Layers[nn.Conv2d](c.Model) {
		if l.Weight.DType() == autograd.Int8 {
			fields, targets = convFields, []string{"Linear", "Conv2d"}
		}
	}
	group := map[string]any{"targets": targets, "weights": weightFields.written(), "input_activations": activationFields.written(), "format": quantFormat}
	q := fields.written()
	q["config_groups"] = map[string]any{"group_0": group}
	q["ignore"] = ignore
	data, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(bytes.TrimSpace(config), []byte("}"))
	if kind.DType == nil { // else transformers computes in the type of the first tensor, which may be bfloat16
		out = append(out, `,"dtype":"float32"`...)
	}
	out = append(out, `,"`+quantizationKey+`":`...)
	return append(append(out, data...), '}'), nil
}

// written returns the values of the list that Save writes.
func (e expected) written() map[string]any {
	out := map[string]any{}
	for key, values := range e {
		if values != nil {
			out[key] = json.RawMessage(values[0])
		}
	}
	return out
}
