package bert

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
)

// TestBuckets compares the ranges of the distances from -600 to 600 with transformers', by the hash of their list.
func TestBuckets(t *testing.T) {
	for want, bucket := range map[string]func(distance int) int{
		"eceabe329fb99213255bbd2662d1e2a5a8bbdc83cd8051f9b675fe17b966baa4": func(d int) int { return distanceBucket(d, 32, 128) },
		"2ac903d0b4fe3628ae7b596560ad80a85973b59c323b60e6b09a10ebf62a4357": func(d int) int { return logBucket(d, 256, 512) },
		"e528a7b37527f8489a028ca7e1a0de0af63a591619b8c161c3ee7c9bf6d17a4d": func(d int) int { return logBucket(d, 8, 20) },
		"058344bcda026afef59caf72595f18985fdded1bfda03cfdbaf6430ba455754c": func(d int) int { return logBucket(d, 32, 128) },
		"aac6a2d64c219415b7760967b6e17beb7cd810f68172a60eee2923ecfcbeeb5b": func(d int) int { return logBucket(d, 6, 30) },
	} {
		var list []string
		for d := -600; d <= 600; d++ {
			list = append(list, strconv.Itoa(bucket(d)))
		}
		sum := sha256.Sum256([]byte(strings.Join(list, ",")))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: %v", want, list)
		}
	}
}
