// Package serve gathers the requests of many callers into batches for a model.
//
//	batcher := serve.New(func(ctx context.Context, images []image.Image) ([]vit.Prediction, error) {
//		return model.Classify(ctx, images...)
//	}, serve.Options{})
//	…
//	prediction, err := batcher.Do(request.Context(), photograph) // in each of the server's handlers
//
// A model answers a batch faster than the same inputs one after the other, while the handlers of a server have one
// input each. A [Batcher] stands between the two, for any function of a slice. The models of this library give an input
// the same bits in every batch, so the answers are those of single calls.
//
// # Batches
//
// A Batcher runs one batch at a time. A request that finds it idle starts a batch at once. Requests that come during a
// batch form the next one, in the order of their arrival. So batches grow with the load, and a lone request waits for
// nobody. With [Options].MaxDelay an idle Batcher waits for further requests. That pays where requests come in bursts
// that are wider than a batch is long. The batch starts earlier when it is full.
//
// A caller whose context ends returns at once. It leaves the queue, and a batch that has lost all its callers has its
// context ended. Values of the callers' contexts do not reach the function, because a batch belongs to several.
//
// # Overload
//
// A server that is asked for more than it can do must refuse some of it, or every answer comes late. When
// [Options].Queue requests wait, the next one gets [ErrFull], which an HTTP handler answers with 503. The callers that
// come from inside a program often prefer to wait: [Unlimited] lets them.
//
// # Failures
//
// A batch that fails or panics is run again in halves, and these in halves of their own, until the inputs at fault
// stand alone. Their callers get the error, or a [*PanicError], and the others their answers. One broken input makes a
// batch of 16 about three times the work, and the Batcher stays usable. Inputs whose callers have left do not run
// again.
//
// # Limiting a model to some cores
//
// Workers of a model limit the cores of one call. But each call also runs on its caller's goroutine. So many plain calls
// at once use all cores, whatever the limit. A model computes as many at once as there are cores, and the others wait in
// the order of their arrival. Behind a Batcher one call runs at a time, and the limit holds:
//
//	model.Workers = simd.NewWorkers(2) // this model takes two cores at most
//
// The other cores stay free for the rest of the process. Without a limit a saturated model delays everything beside it.
// bench/serving measures that with a ViT-B/32, 64 clients and an unrelated HTTP handler on two cores:
//
//	model                                 handler's median    99th percentile
//	idle                                  0.4 ms              0.8 ms
//	behind a Batcher                      5.0 ms              17 ms
//	behind a Batcher, limited to 1 core   0.3 ms              3.9 ms
//
// # Memory
//
// A model keeps its packed weights, about the size of its file, and working memory for each call that computes: at most as many as
// there are cores. All of it is on the Go heap, and GOMEMLIMIT counts it. Working memory goes back after ten idle seconds, or at
// once when the heap is near the limit. The limit is soft: set it above the weights and the memory of as many calls as cores.
package serve
