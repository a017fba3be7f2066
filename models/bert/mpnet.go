package bert

import (
	"math"
	"slices"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// MPNet is MPNet-base (arXiv 2004.09297): 109 M parameters. Beside positions, it has a bias of the attention scores for
// each head and distance of two tokens.
func MPNet() Config {
	c := preset(30527, 768, 12, 12)
	c.ModelType, c.MaxPositionEmbeddings, c.TypeVocabSize, c.LayerNormEps, c.PadTokenID = "mpnet", 514, 0, 1e-5, new(1)
	c.RelativeBuckets = 32
	return c
}

// mpnetPadding is the token that has no position, whatever pad_token_id is (MPNetEmbeddings of transformers).
const mpnetPadding = 1

var mpnetFields = slices.Concat(sharedFields, modelfolder.EncoderFields, strictjson.Fields{{Name: "relative_attention_num_buckets"}})

var mpnetRules = append(append(embeddingRules("mpnet."), []checkpoint.Rule{
	{"Encoder.Relative", "mpnet.encoder.relative_attention_bias"},
	{"Heads.Pooler", "mpnet.pooler.dense"},
	{"Heads.Masked.Dense", "lm_head.dense"},
	{"Heads.Masked.Norm", "lm_head.layer_norm"},
	{"Heads.Masked.Decoder", "lm_head.decoder"},
	{"Heads.Masked.Bias", "lm_head.bias", "lm_head.decoder.bias"},
}...), checkpoint.Nest("Encoder.Layers.{}", []string{"mpnet.encoder.layer.{}"},
	checkpoint.Rule{"Attention.QKV", "attention.attn.{q,k,v}"},
	checkpoint.Rule{"Attention.Proj", "attention.attn.o"},
	checkpoint.Rule{"Norm1", "attention.LayerNorm"},
	checkpoint.Rule{"MLP.FC1", "intermediate.dense"},
	checkpoint.Rule{"MLP.FC2", "output.dense"},
	checkpoint.Rule{"Norm2", "output.LayerNorm"},
)...)

// distanceBias returns the bias of the scores between n tokens, [heads, n, n], from a table [buckets, heads].
func distanceBias(t *autograd.Tape, table *nn.Embedding, n int) *autograd.Tensor {
	buckets := make([]int, 2*n-1) // by key - query + n - 1
	for i := range buckets {
		// transformers makes 32 buckets, whatever the size of the table.
		buckets[i] = distanceBucket(i-(n-1), 32, 128)
	}
	rows := make([]int, 0, n*n)
	for query := range n {
		rows = append(rows, buckets[n-1-query:][:n]...)
	}
	return autograd.Permute(table.Forward(t, rows, n, n), 2, 0, 1)
}

// distanceBucket returns the bucket of the distance from a query to a key: half of the buckets for each direction, half
// of these for the shortest distances, the others for ranges that grow up to the given distance
// (relative_position_bucket of transformers).
func distanceBucket(distance, buckets, longest int) int {
	first := 0
	buckets /= 2
	if distance > 0 {
		first = buckets
	}
	n := max(distance, -distance)
	exact := buckets / 2
	if n < exact {
		return first + n
	}
	large := math32.Log(float32(n)/float32(exact)) / float32(math.Log(float64(longest)/float64(exact))) * float32(buckets-exact)
	return first + min(exact+int(large), buckets-1)
}
