// Command worker runs the cases of bench/run.py, which times the same cases in PyTorch.
//
//	printf 'prepare vit:base:1 2\nrun 10\n' | go run ./bench/worker
//
// Package serve describes the requests. A case is a name and a number of threads, "prepare CASE THREADS". Names may end in an
// arithmetic: vit:base:1@bf16. Without it, or with @strict, a case runs in strict float32.
//
//	gemm:M:K:N         matrix product; the weights are packed during the product
//	gemmpacked:M:K:N   matrix product with packed weights
//	vit:NAME:BATCH[:SIZE]   inference with a Vision Transformer: tiny, small, base or dinov2s; of images of 224×224, or SIZE
//	train:NAME:BATCH   training step with AdamW
//	mae:BATCH          pre-training step of MAE ViT-B with AdamW
//	resnet18:BATCH     training step of ResNet-18 at 224×224 with AdamW
//	conv:IN:OUT:K:STRIDE:GROUPS:H:W:BATCH   one convolution with padding K/2, inference
//	fastestdet         inference with the graph of FastestDet at 352×352
//	r50fpn             inference with ResNet-50 and a feature pyramid at 480×640
//	detect:NAME:HxW    detection in one image of that size, from samples to boxes: fcos or faster_rcnn on ResNet-50
//	fcostrain:BATCH:H:W   training step of FCOS on ResNet-50 with AdamW, fine-tuned as torchvision does
//	nms:N              non-maximum suppression among N boxes
//	lstm:WIDTH:STEPS:BATCH   inference with one LSTM layer
//	text:NAME:BATCH    inference with a text encoder: minilm (64 tokens) or bert (128)
//	finetune:NAME:BATCH   training step of such an encoder with a classifier, with AdamW
//	clip:TOWER:BATCH   embeddings of CLIP B/32: image, or text of 77 tokens; rn50 is the image tower of RN50
//
// The worker has three more requests:
//
//	kernel MATH             answers what computes products in an arithmetic
//	peak THREADS MATH       answers the GFLOP/s of a loop on registers of the instruction that multiplies in it
//	read THREADS            answers the GB/s of adding up numbers that lie in memory
//	loop NAME BATCH STEPS   trains for STEPS steps; answers the peak memory in MB after 10 steps and after all
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/fovea-ml/fovea/bench/internal/serve"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	serve.Requests(os.Stdin, os.Stdout, prepare, map[string]func([]string) (string, error){
		"kernel": func(words []string) (string, error) {
			if len(words) != 1 {
				return "", errors.New("expected an arithmetic")
			}
			m, err := simd.ParseMath(words[0])
			return m.Kernel(), err
		},
		"peak": func(words []string) (string, error) {
			if len(words) != 2 {
				return "", errors.New("expected a number of threads and an arithmetic")
			}
			threads, err := strconv.Atoi(words[0])
			if err != nil {
				return "", err
			}
			m, err := simd.ParseMath(words[1])
			return fmt.Sprint(m.Peak(threads, 100*time.Millisecond)), err
		},
		"read": func(words []string) (string, error) {
			if len(words) != 1 {
				return "", errors.New("expected a number of threads")
			}
			threads, err := strconv.Atoi(words[0])
			return fmt.Sprint(readRate(threads)), err
		},
		"loop": func(words []string) (string, error) {
			early, late, err := loop(words)
			return fmt.Sprint(early, " ", late), err
		},
	})
}
