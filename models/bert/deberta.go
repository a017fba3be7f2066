package bert

import (
	"github.com/chewxy/math32"
)

// logBucket returns the range of the distance from a key to a query: the distance itself up to half of the buckets, and
// beyond ranges that grow up to the given distance (make_log_bucket_position of transformers, in float32 as there).
func logBucket(distance, buckets, longest int) int {
	middle := buckets / 2
	n := max(distance, -distance)
	if n <= middle {
		return distance
	}
	ratio := math32.Log(float32(n)/float32(middle)) / math32.Log(float32(longest-1)/float32(middle))
	bucket := int(math32.Ceil(ratio*float32(middle-1))) + middle
	if distance < 0 {
		return -bucket
	}
	return bucket
}
