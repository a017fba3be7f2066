// Package hub fetches models from a hub that speaks Hugging Face's protocol, into the cache that Python's
// huggingface_hub keeps. What one of the two has fetched, the other finds.
//
//	dir, err := hub.Get(ctx, "google/vit-base-patch16-224", hub.GetOptions{})
//	…
//	model, err := vit.Load(os.DirFS(dir), vit.LoadOptions{})
//
// [Get] returns the folder of a model and fetches what of it is missing. [Open] is for what a user types: a local
// folder, or else the name of a model on the hub. Nothing else in this library touches the network, and this package
// does so only when one of these two is called. It asks for files and sends nothing but their names, a token if
// there is one, and "fovea" as the name of the program. It counts nothing and tells nobody.
//
// # What is fetched
//
// A model on the hub is often there several times: for PyTorch, TensorFlow and Flax, whole and in shards. Get takes
// its configuration (config.json, generation_config.json), what prepares its input (preprocessor_config.json, the
// files of its tokenizer), and one form of its weights: model.safetensors, else the shards of
// model.safetensors.index.json, else pytorch_model.bin, else the shards of its index. Of an encoder of
// sentence-transformers, it takes modules.json and the same from the modules' folders (1_Pooling, 2_Dense). [GetOptions].Files
// asks for other files instead, such as the .pth of a paper's authors.
//
// # The cache
//
// The cache is laid out as huggingface_hub does:
//
//	hub/models--google--vit/refs/main                      which commit that branch was when last asked for
//	hub/models--google--vit/blobs/3d1a…                    a file, under its hash
//	hub/models--google--vit/snapshots/COMMIT/config.json   a relative symbolic link to a blob
//	hub/models--google--vit/.no_exist/COMMIT/vocab.txt     an empty file: this commit has no vocab.txt
//	hub/.locks/models--google--vit/3d1a….lock              held while that blob is fetched
//
// Where there are no symbolic links (on Windows without the right to make them, or with HF_HUB_DISABLE_SYMLINKS), a
// file of a snapshot is a second name of the blob, or a copy. Nothing is ever removed from the cache; a blob that has
// another size than the hub announces is fetched again.
//
// A file that is being fetched is blobs/HASH.ID.incomplete. Only when its size is the announced one, its content has
// been read back from the disk and has the announced hash (SHA-256 of large files, SHA-1 as Git takes it of small
// ones), and all of it has reached the disk, does it get the blob's name. The snapshot comes after the blobs, its
// weights last, and the ref last of all. So a full disk, a killed process or a lost connection leaves a cache in which
// everything that has a name is whole; a ref still leads to the old snapshot; and the next call goes on where this one
// stopped. Files without a hash are refused.
//
// Processes that want the same blob wait for each other by its lock, which is the one that Python takes, too: flock on
// Unix, the first byte of the file on Windows. On a file system without locks a blob may be fetched twice, but no
// process spoils the work of another: the ID of an unfinished file is its owner's, none cuts a file that may be
// another's, and each byte is written to where it belongs. On systems without locks or without files (js/wasm) Get returns an error and Open opens local folders.
//
// # The environment
//
// The variables are those of huggingface_hub, read at each call; [GetOptions] come before them.
//
//	HF_HOME                          where everything is: ~/.cache/huggingface, or below XDG_CACHE_HOME
//	HF_HUB_CACHE                     where models are: HF_HOME/hub
//	HF_ENDPOINT                      the hub: https://huggingface.co
//	HF_TOKEN                         a token, else what a login has left in HF_TOKEN_PATH: HF_HOME/token
//	HF_HUB_DISABLE_IMPLICIT_TOKEN    no token
//	HF_HUB_OFFLINE                   only the cache is used (TRANSFORMERS_OFFLINE likewise)
//	HF_HUB_DISABLE_SYMLINKS          snapshots hold files
//	HTTPS_PROXY, NO_PROXY            as everywhere in Go
//
// # The network
//
// Up to four files come at once ([GetOptions].Parallel). A connection that fails is made again, with pauses that grow, until
// five attempts in a row have brought nothing new; a server that is busy (429, 503) is asked again when it says, if
// that is within five minutes; one that says nothing for thirty seconds is given up. The token is shown to the hub
// alone: large files come from other hosts, and a redirect that leads away from the hub, even back to it, is followed
// without it. A redirect from https to http is refused. Errors name hosts, not addresses, which may be signed.
//
// What a hub says is not trusted: names of files must stay in their folder and be possible on every system; lists,
// indexes, configurations and tokenizers have a limit; what contradicts itself is refused. Nothing is fetched when
// the disk has no room for all of it.
//
// # Errors
//
// [errors.Is] tells [ErrNoModel], [ErrNoRevision], [ErrNoFile], [ErrGated], [ErrToken], [ErrOffline], [ErrCorrupt]
// and [ErrNoSpace] from each other and from errors of the network and the disk; an [*Error] names the model and the
// file.
package hub
