package modelfolder

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/models"
)

// Configuration is the target of config.json. It holds the defaults before it is read.
type Configuration interface {
	// Validate returns an error that names the first field whose value no model can have.
	Validate() error
}

// Configure fills the configuration from the folder's config.json, as transformers writes it, and checks it. A folder
// without one, or with timm's, is an error that matches fs.ErrNotExist.
func (f *Folder) Configure(c Configuration) error {
	if f.Form != HuggingFace {
		return fmt.Errorf("%s with the model_type %q is needed beside the weights: %w", ConfigName, f.family.ModelType, fs.ErrNotExist)
	}
	return configure(ConfigName, f.Config, c)
}

// Section fills a part of a configuration from a nested object of config.json, such as text_config, and checks it. A
// file without the object leaves the defaults.
func (f *Folder) Section(name string, c Configuration) error {
	var sections map[string]json.RawMessage
	if err := decode(ConfigName, f.Config, &sections); err != nil {
		return err
	}
	data, ok := sections[name]
	if !ok {
		data = []byte("{}")
	}
	return configure(ConfigName+": "+name, data, c)
}

// ReadConfig reads a configuration, which holds the defaults before, from the named file. Its model_type, where it has
// one, must be the family's. The error names the package, the file and the field.
func ReadConfig[C any, P interface {
	*C
	Configuration
}](fsys fs.FS, name string, family Family, defaults C) (C, error) {
	c := defaults
	data, err := smallfile.Read(fsys, name)
	if err == nil {
		err = checkModelType(name, data, family.ModelType)
	}
	if err == nil {
		err = configure(name, data, P(&c))
	}
	if err != nil {
		return *new(C), fmt.Errorf("%s: %w", family.Package, err)
	}
	return c, nil
}

func configure(name string, data []byte, c Configuration) error {
	if err := decode(name, data, c); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkModelType returns an error for a configuration of another type of model.
func checkModelType(name string, data []byte, modelType string) error {
	kind := struct {
		ModelType string `json:"model_type"`
	}{modelType}
	if err := decode(name, data, &kind); err != nil {
		return err
	}
	if kind.ModelType == modelType {
		return nil
	}
	advice := ""
	if p := models.PackageFor(kind.ModelType); p != "" {
		advice = ", which package " + p + " loads"
	}
	return fmt.Errorf("%s: model_type: expected %q, found %q%s", name, modelType, kind.ModelType, advice)
}

// decode reads JSON. The error says in words which field holds a value of the wrong type.
func decode(name string, data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var misfit *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &misfit):
		return fmt.Errorf("%s: %w", name, err)
	case misfit.Field == "":
		return fmt.Errorf("%s: expected an object, found %s", name, misfit.Value)
	}
	want := map[reflect.Kind]string{
		reflect.Int: "a whole number", reflect.Float32: "a number", reflect.Float64: "a number", reflect.Bool: "true or false",
		reflect.String: "text", reflect.Slice: "a list", reflect.Map: "an object",
	}[misfit.Type.Kind()]
	field := misfit.Field[strings.LastIndexByte(misfit.Field, '.')+1:]
	return fmt.Errorf("%s: %s: expected %s, found %s", name, field, cmp.Or(want, "another type"), misfit.Value)
}
