// Package hub fetches models from a hub that speaks Hugging Face's protocol. It shares the cache of Python's
// huggingface_hub: each of the two finds the models that the other has fetched.
//
//	dir, err := hub.Get(ctx, "google/vit-base-patch16-224", hub.GetOptions{})
//	…
//	model, err := vit.Open(dir, vit.LoadOptions{})
//
// [Get] returns the folder of a model and fetches the files that are missing. [Open] is for names that a user types: a
// local folder, or else the name of a model on the hub.
//
// Nothing else in this library touches the network, and this package does so only in these two functions. A request
// carries the names of files, a token if there is one, and "fovea" as the name of the program. There is no telemetry.
//
// # What is fetched
//
// A model on the hub often comes in several forms: for PyTorch, TensorFlow and Flax, whole and in shards. Get takes:
//
//   - the configuration (config.json, generation_config.json, open_clip_config.json);
//   - the files that prepare the input (preprocessor_config.json, the files of the tokenizer);
//   - the weights in one form, the first that exists of model.safetensors, the shards of
//     model.safetensors.index.json, pytorch_model.bin, and the shards of pytorch_model.bin.index.json; for a model of
//     open_clip without a config.json, open_clip_model.safetensors or open_clip_pytorch_model.bin;
//   - for an encoder of sentence-transformers, modules.json and the same files from the folders of its modules
//     (1_Pooling, 2_Dense).
//
// [GetOptions].Files asks for other files instead, such as the .pth file of a paper's authors.
//
// # The cache
//
// The cache has the layout of huggingface_hub:
//
//	hub/models--google--vit/refs/main                      the commit of that branch when the hub was last asked
//	hub/models--google--vit/blobs/3d1a…                    a file, under its hash
//	hub/models--google--vit/snapshots/COMMIT/config.json   a relative symbolic link to a blob
//	hub/models--google--vit/.no_exist/COMMIT/vocab.txt     an empty file: this commit has no vocab.txt
//	hub/models--google--vit/.sizes/COMMIT                  sizes of files as the hub gave them; not in Python's cache
//	hub/.locks/models--google--vit/3d1a….lock              held while that blob is fetched
//
// Symbolic links can be missing: on Windows without the right to make them, or with HF_HUB_DISABLE_SYMLINKS. A file
// of a snapshot is then a second name of the blob, or a copy. Nothing is ever removed from the cache. A blob whose
// size differs from the size on the hub is fetched again, or is an error while offline.
//
// A download goes to blobs/HASH.ID.incomplete. It gets the blob's name only when
//
//   - its size is the announced one;
//   - its content, read back from the disk, has the announced hash: SHA-256 for large files, Git's SHA-1 for small
//     ones;
//   - all of it has reached the disk.
//
// The snapshot follows the blobs, its weights last, and the ref comes last of all. So a full disk, a killed process or
// a lost connection leaves a cache in which every named file is whole, and a ref still leads to the old snapshot. The
// next call continues where this one stopped. Files without a hash are refused.
//
// Processes that want the same blob wait for each other by its lock. Python takes the same lock: flock on Unix, the
// first byte of the file on Windows. Without file locks, a blob may be fetched twice, but no process spoils the
// work of another: each writes to an unfinished file with its own ID, cuts no file of another, and writes every byte
// to its place. On systems without locks or without files (js/wasm), Get returns an error and Open opens local
// folders.
//
// # The environment
//
// The variables are those of huggingface_hub, read at each call. [GetOptions] take precedence.
//
//	HF_HOME                          the folder of everything: ~/.cache/huggingface, or below XDG_CACHE_HOME
//	HF_HUB_CACHE                     the folder of models: HF_HOME/hub
//	HF_ENDPOINT                      the hub: https://huggingface.co
//	HF_TOKEN                         a token, else the one that a login left in HF_TOKEN_PATH: HF_HOME/token
//	HF_HUB_DISABLE_IMPLICIT_TOKEN    no token from the environment
//	HF_HUB_OFFLINE                   only the cache is used (TRANSFORMERS_OFFLINE likewise)
//	HF_HUB_DISABLE_SYMLINKS          snapshots hold files
//	HTTPS_PROXY, NO_PROXY            as everywhere in Go
//
// # The network
//
// Up to four files are fetched at once ([GetOptions].Parallel). Failures are handled as follows:
//
//   - A connection that fails is made again, with growing pauses, until five attempts in a row bring no new byte.
//   - A busy server (429, 503) is asked again at the time it names, if that is within five minutes.
//   - A connection that is silent for thirty seconds is given up.
//
// Only the hub sees the token. Large files come from other hosts: a redirect that leaves the hub is followed without
// the token, even if it leads back. A redirect from https to http is refused. Errors name hosts and not addresses,
// because an address may be signed.
//
// Answers of a hub are not trusted. The name of a file must stay in its folder and be possible on every system.
// Lists, indexes, configurations and tokenizers have a size limit. Contradictions are refused. Nothing is fetched when
// the disk has no room for all of it.
//
// # Errors
//
// [errors.Is] tells [ErrNoModel], [ErrNoRevision], [ErrNoFile], [ErrGated], [ErrToken], [ErrOffline], [ErrCorrupt]
// and [ErrNoSpace] from each other and from errors of the network and the disk. An [*Error] names the model and the
// file.
package hub
