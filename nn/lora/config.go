package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// config is the content of adapter_config.json. Modules have the names of the model that PEFT adapted.
type config struct {
	rank       int
	alpha      float64
	dropout    float32
	stabilized bool
	ranks      []override
	alphas     []override

	all        bool           // adapt every linear layer that the file has
	targets    []string       // modules to adapt: names or their last segments
	pattern    *regexp.Regexp // the same as an expression, or nil
	exclude    []string
	excluded   *regexp.Regexp
	layers     []int // numbers of the layers to adapt; nil for all
	layerNames []*regexp.Regexp
	saved      []string // modules with parameters of their own in the file
}

// An override is a row of rank_pattern or alpha_pattern.
type override struct {
	module *regexp.Regexp
	value  float64
}

// harmless are fields of adapter_config.json without an effect on the outputs of an adapter.
var harmless = []string{
	"auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version",
	"fan_in_fan_out",    // how the base weight is stored; A and B do not depend on it
	"megatron_core",     // the name of a Python module
	"qalora_group_size", // means something with use_qalora alone
	"eva_config",        // how A was drawn
	"runtime_config",    // where Python keeps the weights
}

// drawn are the values of init_lora_weights that leave the base weights unchanged. They do not matter after training.
var drawn = []string{"true", "false", `"eva"`, `"orthogonal"`}

// gaussian is a value like those in drawn, in letters of either case.
const gaussian = `"gaussian"`

// allLinear is the value of target_modules that stands for every linear layer, in letters of either case. PEFT writes the
// names of the layers instead; a configuration that was written by hand may have it.
const allLinear = `"all-linear"`

// parseConfig reads adapter_config.json, as PEFT 0.21 writes it (peft/tuners/lora/config.py). Every field is used, known
// to be harmless, or refused by name. An unknown field is accepted if its value says that a feature is off: null, false,
// or an empty text, list or object.
func parseConfig(data []byte) (*config, error) {
	f := fields{}
	if len(data) > configLimit {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", configLimit, len(data))
	}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, err
	}
	if f.raw == nil {
		return nil, fmt.Errorf("expected an object, found null")
	}
	if kind := read(&f, "peft_type", "", "text"); kind != "LORA" {
		f.fail("peft_type: expected LORA, found %q", kind)
	}
	if bias := read(&f, "bias", "none", "text"); bias != "none" {
		f.fail(`bias: expected "none", found %q, which trains biases of the base model`, bias)
	}
	if v := f.take("init_lora_weights"); v != nil && !slices.Contains(drawn, string(v)) && !strings.EqualFold(string(v), gaussian) {
		f.fail("init_lora_weights: %s may have changed the base weights; PEFT's save_pretrained can convert such an adapter", v)
	}
	c := &config{
		rank:       read(&f, "r", 8, "a whole number"),
		alpha:      read(&f, "lora_alpha", 8.0, "a number"),
		dropout:    read(&f, "lora_dropout", float32(0), "a number"),
		stabilized: read(&f, "use_rslora", false, "true or false"),
		saved:      read(&f, "modules_to_save", []string(nil), "a list of names"),
		ranks:      f.overrides("rank_pattern"),
		alphas:     f.overrides("alpha_pattern"),
	}
	if !(c.dropout >= 0 && c.dropout < 1) {
		f.fail("lora_dropout: expected at least 0 and below 1, found %v", c.dropout)
	}
	if v := f.raw["target_modules"]; strings.EqualFold(string(v), allLinear) {
		c.all = true
		f.take("target_modules")
	} else {
		c.targets, c.pattern = f.modules("target_modules")
	}
	c.exclude, c.excluded = f.modules("exclude_modules")
	if c.targets == nil && c.pattern == nil && !c.all {
		f.fail("target_modules: expected a list of names or an expression")
	}
	c.layers, _ = oneOrMore[int](&f, "layers_to_transform", "a whole number or a list of them")
	names, _ := oneOrMore[string](&f, "layers_pattern", "a name or a list of them")
	if c.layers != nil && c.pattern != nil {
		f.fail("layers_to_transform: expected target_modules to be a list of names, found an expression")
	}
	if len(names) == 0 {
		names = []string{`.*?\.[^.]*`} // the name of any list
	} else {
		for i, name := range names {
			names[i] = `(?:^|.*?\.)` + name
		}
	}
	for _, name := range names {
		c.layerNames = append(c.layerNames, f.compile("layers_pattern", `^(?:`+name+`)\.(\d+)\.`))
	}
	f.refuseRest()
	if f.err != nil {
		return nil, f.err
	}
	return c, nil
}

// adapts reports whether a module has an adapter (check_target_module_exists in peft/tuners/tuners_utils.py).
func (c *config) adapts(module string) bool {
	switch {
	case c.excluded != nil && c.excluded.MatchString(module), endsIn(module, c.exclude), c.isSaved(module):
		return false
	case c.all:
		return true
	case c.pattern != nil:
		return c.pattern.MatchString(module)
	case slices.Contains(c.targets, module):
		return true // wherever it lies: PEFT does not look at layers_to_transform
	case !endsIn(module, c.targets):
		return false
	case len(c.layers) == 0:
		return true
	}
	for _, r := range c.layerNames {
		if m := r.FindStringSubmatch(module); m != nil {
			i, err := strconv.Atoi(m[len(m)-1])
			return err == nil && slices.Contains(c.layers, i)
		}
	}
	return false
}

// isSaved reports whether a module has one of the names in modules_to_save among its segments. It has no adapter then.
func (c *config) isSaved(module string) bool {
	return slices.ContainsFunc(c.saved, func(name string) bool {
		return strings.Contains("."+module+".", "."+name+".")
	})
}

// savedIn returns the modules around a tensor, outermost first, that modules_to_save names by an ending, which may begin
// inside a segment (_set_trainable in peft/utils/other.py).
func (c *config) savedIn(tensor string) (modules []string) {
	for module := range parents(tensor) {
		if slices.ContainsFunc(c.saved, func(name string) bool { return strings.HasSuffix(module, name) }) {
			modules = append(modules, module)
		}
	}
	return modules
}

// rankOf and alphaOf return the rank and alpha of a module's adapter.
func (c *config) rankOf(module string) int      { return int(valueOf(module, c.ranks, float64(c.rank))) }
func (c *config) alphaOf(module string) float64 { return valueOf(module, c.alphas, c.alpha) }

// valueOf returns the value of the first row that matches (get_pattern_key in peft/utils/other.py).
func valueOf(module string, rows []override, otherwise float64) float64 {
	for _, o := range rows {
		if o.module.MatchString(module) {
			return o.value
		}
	}
	return otherwise
}

// endsIn reports whether a module has one of the names, whole or as its last segments.
func endsIn(module string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.HasSuffix("."+module, "."+name)
	})
}

// fields holds the fields of a JSON object that have not been read yet, and the first mistake found so far.
type fields struct {
	raw         map[string]json.RawMessage
	expressions int // the size of all expressions together, in characters
	err         error
}

// configLimit is the largest size of a configuration in bytes. Configurations in use have a few hundredths of it.
const configLimit = 1 << 20

// expressionLimit bounds the memory of expressions: about a hundred bytes a character when they are compiled, and for each
// character as many numbers as there are groups when they run. Expressions in use have a hundredth of it.
const expressionLimit = 1 << 20

// repeated is the largest number of copies that package regexp makes of a character in an expression like x{1000}.
const repeated = 1000

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// take removes a field and returns its value, nil where there is none.
func (f *fields) take(name string) json.RawMessage {
	v := f.raw[name]
	delete(f.raw, name)
	return v
}

// read takes a field of a type, which want describes. An absent field has the value otherwise. Null is a mistake, except
// for a list.
func read[T any](f *fields, name string, otherwise T, want string) T {
	v := f.take(name)
	if v == nil {
		return otherwise
	}
	var value *T
	if err := json.Unmarshal(v, &value); err != nil {
		f.fail("%s: expected %s, found %s", name, want, shorten(v))
		return otherwise
	}
	if value == nil {
		if _, list := any(otherwise).([]string); !list {
			f.fail("%s: expected %s, found null", name, want)
		}
		return otherwise
	}
	return *value
}

// oneOrMore takes a field that holds a value or a list of values, or null.
func oneOrMore[T any](f *fields, name, want string) (values []T, single bool) {
	v := f.take(name)
	if v == nil || off(v) {
		return nil, false
	}
	var one T
	if json.Unmarshal(v, &one) == nil {
		return []T{one}, true
	}
	if err := json.Unmarshal(v, &values); err != nil {
		f.fail("%s: expected %s, found %s", name, want, shorten(v))
	}
	return values, false
}

// modules takes a field that holds a list of names of modules or, as text, an expression that matches whole names.
func (f *fields) modules(name string) ([]string, *regexp.Regexp) {
	names, expression := oneOrMore[string](f, name, "a list of names or an expression")
	if !expression {
		return names, nil
	}
	return nil, f.compile(name, `^(?:`+names[0]+`)$`)
}

// overrides takes a field that holds a number for each expression, in the order of the file: the first match counts.
func (f *fields) overrides(name string) []override {
	v := f.take(name)
	if v == nil || off(v) {
		return nil
	}
	const want = "an object that holds a number for each module"
	d := json.NewDecoder(bytes.NewReader(v))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		f.fail("%s: expected %s, found %s", name, want, shorten(v))
		return nil
	}
	var rows []override
	for d.More() {
		var value float64
		key, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			f.fail("%s: expected %s, found %s", name, want, shorten(v))
			return nil
		}
		if name == "rank_pattern" && (value != math.Trunc(value) || math.Abs(value) > 1<<30) {
			f.fail("%s: expected whole numbers, found %v", name, value)
		}
		rows = append(rows, override{f.compile(name, `^(?:.*\.)?(?:`+key.(string)+`)$`), value})
	}
	return rows
}

// differs finds what Python and package regexp read differently without an error: the repetition {,n}, which is literal
// text here, and classes like [:digit:], which Python takes for characters.
var differs = regexp.MustCompile(`\{,|\[[^\]]*\[:`)

func (f *fields) compile(name, expression string) *regexp.Regexp {
	if found := differs.FindString(expression); found != "" {
		f.fail("%s: unsupported expression: %s has another meaning in Python", name, found)
		return nil
	}
	size := len(expression)
	if strings.Contains(expression, "{") {
		size *= repeated
	}
	if f.expressions += size * (1 + strings.Count(expression, "(")); f.expressions > expressionLimit {
		f.fail("%s: expressions are too long or have too many groups", name)
		return nil
	}
	r, err := regexp.Compile(expression)
	if err != nil {
		f.fail("%s: unsupported expression: %w", name, err)
	}
	return r
}

// refuseRest reports the first field that was not taken and may change the outputs of an adapter.
func (f *fields) refuseRest() {
	var rest []string
	for name, v := range f.raw {
		if !slices.Contains(harmless, name) && !off(v) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	if len(rest) > 0 {
		f.fail("%s: unsupported: %s", rest[0], shorten(f.raw[rest[0]]))
	}
}

// off reports whether a value says that a feature is not used.
func off(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "null", "false", `""`, "[]", "{}":
		return true
	}
	return false
}

// shorten returns the beginning of a value, for an error.
func shorten(v json.RawMessage) string {
	const most = 60
	if s := strings.ToValidUTF8(string(v), "?"); len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return string(v)
}
