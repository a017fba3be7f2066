package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
)

// sentencesName is the file of the settings of sentence-transformers.
const sentencesName = "config_sentence_transformers.json"

// The types of models of sentence-transformers that are read. A folder of another type counts as one without its files,
// as there.
const (
	sentenceModel = "SentenceTransformer"
	scoreModel    = "CrossEncoder"
)

// library holds the files of sentence-transformers in a folder. It is empty without a modules.json:
// sentence-transformers then reads none of the others.
type library struct {
	fsys     fs.FS
	modules  []module
	settings settings
}

// settings are the fields of config_sentence_transformers.json that count. The library ignores unknown ones.
// requirements names versions of Python packages, and keep_in_fp32_modules layers that are float32 here in any case.
type settings struct {
	ModelType  string             `json:"model_type"`
	Prompts    map[string]*string `json:"prompts"`
	Default    *string            `json:"default_prompt_name"`
	Dim        *int               `json:"truncate_dim"`
	Similarity *string            `json:"similarity_fn_name"`
	Activation *string            `json:"activation_fn"`
}

// readLibrary reads modules.json and the settings.
func readLibrary(fsys fs.FS) (*library, error) {
	l := &library{fsys: fsys, settings: settings{ModelType: sentenceModel}}
	found, err := readJSON(fsys, "modules.json", &l.modules)
	if err != nil || !found {
		return l, err
	}
	names := map[string]bool{}
	for i := range l.modules {
		m := &l.modules[i]
		if m.Path == "" {
			m.Path = "."
		}
		m.Path = path.Clean(m.Path)
		class, ok := strings.CutPrefix(m.Type, "sentence_transformers.")
		switch {
		case !ok:
			err = fmt.Errorf("type: expected a class of sentence_transformers, found %q: the code of a model is not supported", m.Type)
		case !fs.ValidPath(m.Path):
			err = fmt.Errorf("path: expected a path inside the folder, found %q", m.Path)
		case names[m.Name]:
			err = fmt.Errorf("name: expected another name than those before, found %q", m.Name)
		case i == 0 && m.Path != ".":
			err = fmt.Errorf("path: expected the model in the folder itself, found %q: move its files up", m.Path)
		}
		if err != nil {
			return l, fmt.Errorf("modules.json: module %d: %w", i, err)
		}
		names[m.Name] = true
		m.Type = class[strings.LastIndexByte(class, '.')+1:]
	}
	if len(l.modules) == 0 || l.modules[0].Type != "Transformer" {
		return l, errors.New("modules.json: expected a module Transformer, found none at the beginning")
	}
	_, err = readJSON(fsys, sentencesName, &l.settings)
	return l, err
}

// sentences returns how a text becomes one vector: the mean of the hidden states where the folder does not say.
func (l *library) sentences(width int) (*Sentences, error) {
	if len(l.modules) == 0 || l.settings.ModelType != sentenceModel {
		return &Sentences{Pooling: []Pooling{PoolMean}}, nil
	}
	s := &Sentences{}
	for i, m := range l.modules[1:] {
		if err := s.readModule(l.fsys, m.Path, m.Type); err != nil {
			return nil, fmt.Errorf("modules.json: module %d: %w", i+1, err)
		}
	}
	if len(s.Pooling) == 0 {
		return nil, errors.New("modules.json: expected a module Pooling, found none")
	}
	var err error
	if s.Preprocess, err = l.preprocess("feature-extraction", "last_hidden_state", "token_embeddings"); err != nil {
		return nil, err
	}
	if c := l.settings.Similarity; c != nil {
		s.similarity = *c
	}
	whole, err := s.check(width)
	if err != nil {
		return nil, fmt.Errorf("modules.json: %w", err)
	}
	if c := l.settings.Dim; c != nil {
		if s.Dim = *c; s.Dim < 1 || s.Dim > whole {
			return nil, fmt.Errorf("%s: truncate_dim: expected 1 to %d, found %d", sentencesName, whole, s.Dim)
		}
	}
	return s, nil
}

// scores returns how pairs are read for scores, and the class of the activation, "" for that of config.json.
func (l *library) scores() (p Preprocess, activation string, err error) {
	if len(l.modules) == 0 || l.settings.ModelType != scoreModel {
		return p, "", nil
	}
	if len(l.modules) > 1 {
		return p, "", fmt.Errorf("modules.json: module 1: %q is not supported in a cross-encoder", l.modules[1].Type)
	}
	if a := l.settings.Activation; a != nil {
		activation = *a
	}
	p, err = l.preprocess("sequence-classification", "logits", "scores")
	return p, activation, err
}

// preprocess returns how texts are prepared.
func (l *library) preprocess(task, output, result string) (Preprocess, error) {
	p, err := readTransformer(l.fsys, task, output, result)
	if err != nil {
		return p, err
	}
	for name, prompt := range l.settings.Prompts {
		if prompt == nil { // a name without a prompt is as no name
			continue
		}
		if p.Prompts == nil {
			p.Prompts = map[string]string{}
		}
		p.Prompts[name] = *prompt
	}
	if name := l.settings.Default; name != nil && *name != "" {
		p.DefaultPrompt = *name
		if _, ok := p.Prompts[*name]; !ok {
			return p, fmt.Errorf("%s: default_prompt_name: expected one of the prompts, found %q", sentencesName, *name)
		}
	}
	return p, nil
}

// readJSON reads a file of the folder, if it is there.
func readJSON(fsys fs.FS, name string, target any) (found bool, err error) {
	return readKnown(fsys, name, nil, target)
}

// readKnown is readJSON for a file that has no other fields than those of a table, and none that is refused.
func readKnown(fsys fs.FS, name string, fields strictjson.Fields, target any) (found bool, err error) {
	data, err := smallfile.Read(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && fields != nil {
		err = checkKnown(fields, data)
	}
	if err == nil {
		err = strictjson.Decode(data, target)
	}
	if err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// readNeeded is readKnown for a file that must be there.
func readNeeded(fsys fs.FS, name string, fields strictjson.Fields, target any) error {
	found, err := readKnown(fsys, name, fields, target)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return err
}

// checkKnown returns an error that names a field of an object that a table lacks or refuses.
func checkKnown(fields strictjson.Fields, data json.RawMessage) error {
	unknown := ""
	err := strictjson.Object(data, func(key string, _ []byte) {
		if unknown == "" && !slices.ContainsFunc(fields, func(f strictjson.Field) bool { return f.Name == key }) {
			unknown = key
		}
	})
	switch {
	case err != nil:
		return err
	case unknown != "":
		return fmt.Errorf("%s: an unknown field", unknown)
	}
	return fields.Check(data)
}
