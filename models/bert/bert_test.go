package bert

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// kept are the models in testdata.
var kept = []string{"bert-ForPreTraining", "roberta-ForSequenceClassification", "albert-ForMaskedLM", "distilbert-ForTokenClassification"}

// load reads one of the small random models that transformers made.
func load(t testing.TB, dir string) (*Model, *golden.File) {
	t.Helper()
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, golden.Load(t, filepath.Join(dir, "golden.safetensors"))
}

// input returns the sequences of a golden.
func input(m *Model, g *golden.File) Input {
	in := Input{IDs: g.Ints("ids"), Starts: g.Ints("starts")}
	if m.Encoder.Embeddings.Types != nil {
		in.Types = g.Ints("types")
	}
	return in
}

// outputs are the results of a model's task that a golden has.
func outputs(m *Model, t *autograd.Tape, in Input) []*autograd.Tensor {
	switch {
	case m.Task == Features && m.Pooler == nil:
		return []*autograd.Tensor{m.Hidden(t, in)}
	case m.Task == Features:
		h := m.Hidden(t, in)
		return []*autograd.Tensor{h, m.Pool(h, in.Starts)}
	case m.Task == PreTraining && m.Replaced != nil:
		return []*autograd.Tensor{m.Replaced.Forward(m.Hidden(t, in))}
	case m.Task == PreTraining:
		h := m.Hidden(t, in)
		return []*autograd.Tensor{m.WordLogits(h), m.NextLogits(h, in.Starts)}
	}
	return []*autograd.Tensor{m.Forward(t, in)}
}

// compare compares hidden states, outputs and the gradient of every parameter with transformers'.
func compare(t *testing.T, dir string) {
	m, g := load(t, dir)
	in := input(m, g)
	plain := autograd.NewTape(autograd.Options{Debug: true})
	var hidden []float32
	for _, h := range m.Encoder.HiddenStates(plain, in)[1:] {
		hidden = append(hidden, h.Floats(nil)...)
	}
	golden.Output(t, "hidden states", hidden, g.Floats("hidden"))
	for _, recompute := range []bool{false, true} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: recompute, Debug: true, Workers: simd.NewWorkers(2)})
		outs := outputs(m, tape, in)
		seeds := make([][]float32, len(outs))
		for i, y := range outs {
			name := strconv.Itoa(i)
			golden.Output(t, "output "+name, y.Floats(nil), g.Floats("out/"+name))
			seeds[i] = g.Floats("seed/" + name)
		}
		grads := autograd.NewGradients()
		autograd.Backward(grads, outs, seeds)
		modeltest.Gradients(t, g, m.AdapterNames(), m, grads)
		if tape.Lent() != 0 {
			t.Error("scratch buffers leaked")
		}
	}
}

// TestParity compares models of four variants with transformers.
func TestParity(t *testing.T) {
	for _, name := range kept {
		t.Run(name, func(t *testing.T) { compare(t, filepath.Join("testdata", name)) })
	}
}

// TestEveryVariant compares every variant and task with transformers.
func TestEveryVariant(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "models_bert.py", dir)
	folders, err := os.ReadDir(dir)
	if err != nil || len(folders) != 92 {
		t.Fatalf("%d models, %v", len(folders), err)
	}
	for _, d := range folders {
		t.Run(d.Name(), func(t *testing.T) { compare(t, filepath.Join(dir, d.Name())) })
	}
}

// TestFields expects every field of transformers' configurations in the tables.
func TestFields(t *testing.T) {
	for _, c := range []struct{ modelType, class string }{
		{"bert", "BertConfig"}, {"roberta", "RobertaConfig"}, {"xlm-roberta", "XLMRobertaConfig"}, {"camembert", "CamembertConfig"},
		{"distilbert", "DistilBertConfig"}, {"albert", "AlbertConfig"}, {"electra", "ElectraConfig"},
		{"mpnet", "MPNetConfig"}, {"deberta-v2", "DebertaV2Config"},
		{"modernbert", "ModernBertConfig"},
	} {
		t.Run(c.class, func(t *testing.T) { modeltest.Fields(t, variants[c.modelType].fields, "transformers", c.class) })
	}
}

// TestNames expects a rule for every parameter, and parameters for every rule.
func TestNames(t *testing.T) {
	for _, modelType := range modelTypes {
		c := tiny(modelType)
		c.TieWordEmbeddings = false
		for _, task := range []Task{SequenceClassification, TokenClassification, MultipleChoice} {
			names := namesOf(modelType, task, false)
			used := newModel(c, task, newHeads(c, task, parts{true, true, true, true, true, true}, 2))
			if v := variants[modelType]; !v.pools {
				used.Pooler = nil
			}
			if modelType != "electra" {
				used.Replaced = nil
			}
			if modelType == "modernbert" { // its heads have the same names
				used.Masked, used.Prediction, used.Spans = nil, nil, nil
			}
			if modelType != "bert" && modelType != "albert" {
				used.Sentence = nil
			}
			for path := range nn.Values(used) {
				named := slices.ContainsFunc(names.Rules, func(r checkpoint.Rule) bool {
					one := checkpoint.Names{Rules: []checkpoint.Rule{r}}
					return !slices.EqualFunc(one.Tensors(path), [][]string{{path}}, slices.Equal[[]string])
				})
				if !named {
					t.Errorf("%s, %s: %s has no rule", modelType, task, path)
				}
			}
		}
	}
}

// tiny is the configuration of a small model.
func tiny(modelType string) Config {
	c := defaults(modelType)
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.MaxPositionEmbeddings = 40, 16, 2, 2, 24, 20
	if c.EmbeddingSize != 0 {
		c.EmbeddingSize = 8
	}
	switch modelType {
	case "deberta-v2":
		c.Disentangled = DeBERTa().Disentangled
		c.PositionBuckets, c.ConvKernelSize, c.ShareAttKey = 6, 3, false
	case "modernbert":
		c.PadTokenID, c.LocalAttention, c.InitializerCutoff = new(0), 4, new(2.0)
	}
	return c
}

// TestCounts compares the number of parameters with the published ones, without making the large models.
func TestCounts(t *testing.T) {
	base := Base()
	for _, c := range []struct {
		name   string
		config Config
		task   Task
		want   int
	}{
		{"base", base, Features, 109_482_240}, {"base cased", BaseCased(), Features, 108_310_272}, {"large", Large(), Features, 335_141_888},
		{"MLM", base, MaskedWords, 109_514_298}, {"pre-training", base, PreTraining, 110_106_428}, {"MiniLM", MiniLM(), Features, 22_713_216},
		{"multilingual", BaseMultilingual(), Features, 177_853_440}, {"Chinese", BaseChinese(), Features, 102_267_648},
		{"RoBERTa", RoBERTa(), Features, 124_645_632}, {"XLM-R", XLMR(), Features, 278_043_648}, {"DistilBERT", DistilBERT(), Features, 66_362_880},
		{"ALBERT", ALBERT(), Features, 11_683_584}, {"ELECTRA", ELECTRA(), Features, 13_483_008},
		{"MPNet", MPNet(), Features, 109_486_464}, {"DeBERTa", DeBERTa(), Features, 183_831_552},
		{"ModernBERT", ModernBERT(), Features, 149_014_272}, {"ModernBERT MLM", ModernBERT(), MaskedWords, 149_655_232},
	} {
		one := c.config // the second layer stands for those after it, and few words
		one.VocabSize, one.PadTokenID = 10, new(min(9, *one.PadTokenID))
		if one.NumHiddenGroups == 0 {
			one.NumHiddenLayers = 2
		}
		m := New(one, c.task, 0, nil)
		last := m.Encoder.Layers[len(m.Encoder.Layers)-1]
		got := nn.Count(m) + (c.config.groups()-len(m.Encoder.Layers))*nn.Count(last) + (c.config.VocabSize-10)*c.config.embeddingSize()
		if m.Masked != nil {
			got += c.config.VocabSize - 10
		}
		if got != c.want {
			t.Errorf("%s has %d parameters, expected %d", c.name, got, c.want)
		}
	}
}

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
