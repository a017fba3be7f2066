package modelfolder

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
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
	return configure(ConfigName, f.Config, f.family.Fields, c)
}

// Found words the value of a field of config.json for an error: the value, or the default for a field that is not there.
func (f *Folder) Found(field string, value any) string {
	there := false
	err := strictjson.Object(f.Config, func(key string, _ []byte) { there = there || key == field })
	if err == nil && !there {
		return fmt.Sprintf("none, which means %v", value)
	}
	return fmt.Sprint(value)
}

// Section fills a part of a configuration from a nested object of config.json, such as text_config, and checks it. A
// file without the object leaves the defaults.
func (f *Folder) Section(name string, c Configuration) error {
	data := []byte("{}")
	err := strictjson.Object(f.Config, func(key string, value []byte) {
		if key == name && !strictjson.Null(value) {
			data = value
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", ConfigName, err)
	}
	return configure(ConfigName+": "+name, data, nil, c)
}

// NumLabels returns the field num_labels of config.json, or -1 where there is none. transformers renames all classes where
// id2label names another number of them.
func (f *Folder) NumLabels() int {
	c := struct {
		Labels *int `json:"num_labels"`
	}{}
	if err := strictjson.Decode(f.Config, &c); err != nil || c.Labels == nil {
		return -1
	}
	return *c.Labels
}

// FitClasses compares the names of classes with the n classes in the weights. Without a classifier it drops them, and also where
// transformers does, as [Folder.NumLabels] says. A name of a class that the weights do not have is an error, or, with
// Lenient, drops all names: they are those of another classifier.
func (f *Folder) FitClasses(c *models.Classes, n int) error {
	count := -1
	if f.Form == HuggingFace {
		count = f.NumLabels()
	}
	if n == 0 || count >= 0 && count != len(c.ID2Label) || f.Options.Lenient && !c.Fit(n) {
		c.ID2Label, c.Label2ID = nil, nil
	}
	if c.Fit(n) {
		return nil
	}
	field := "id2label"
	if f.Form == Timm {
		field = "label_names"
	}
	return fmt.Errorf("%s: %s: expected names of the %d classes in the weights, found one of class %d (LoadOptions.Lenient drops the names)",
		ConfigName, field, n, len(c.Labels())-1)
}

// ReadConfig reads a configuration, which holds the defaults before, from the named file. Its model_type, where it has
// one, must be the family's. The error names the package, the file and the field.
func ReadConfig[C any, P interface {
	*C
	Configuration
}](fsys fs.FS, name string, family Family, defaults C) (C, error) {
	c, pkg := defaults, family.Package
	data, err := smallfile.Read(fsys, name)
	if err == nil {
		data, _, err = cutQuantization(name, data)
	}
	if err == nil {
		if family, err = family.of(data); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	if err == nil {
		err = family.checkModelType(name, data)
	}
	if err == nil {
		err = configure(name, data, family.Fields, P(&c))
	}
	if err != nil {
		return *new(C), fmt.Errorf("%s: %w", pkg, err)
	}
	return c, nil
}

func configure(name string, data []byte, fields strictjson.Fields, c Configuration) error {
	if err := fields.Check(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := decode(name, data, c); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkModelType returns an error for a configuration of another type of model.
func (y Family) checkModelType(name string, data []byte) error {
	kind := struct {
		ModelType string `json:"model_type"`
	}{y.ModelType}
	if err := decode(name, data, &kind); err != nil {
		return err
	}
	if kind.ModelType == y.ModelType || y.OwnType != "" && kind.ModelType == y.OwnType || slices.Contains(y.Others, kind.ModelType) {
		return nil
	}
	advice := ""
	if p := models.PackageFor(kind.ModelType); p != "" {
		advice = ", which package " + p + " loads"
	}
	return fmt.Errorf("%s: model_type: expected %q, found %q%s", name, y.ModelType, kind.ModelType, advice)
}

// decode reads JSON. The error says in words which field holds a value of the wrong type.
func decode(name string, data []byte, v any) error {
	var err error
	if u, ok := v.(json.Unmarshaler); ok {
		err = u.UnmarshalJSON(data)
	} else {
		err = strictjson.Decode(data, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
