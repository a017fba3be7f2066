package hub

// GetOptions change how [Get] and [Open] work. A zero field means the value of the environment, or the documented
// default where no variable exists.
type GetOptions struct {
	// Files replaces the choice of files: Get fetches the files whose names match one of these patterns of
	// path.Match ('*' does not cross a '/'). Each pattern must match a file of the model.
	Files []string

	// OnProgress, if not nil, is called as bytes arrive: never concurrently, and often, so that it decides itself
	// how often to draw.
	OnProgress func(Progress)

	// Cache is the folder that models are kept in; "" is the folder that the environment names.
	Cache string

	// Endpoint is the address of the hub, such as "https://hub.example.org"; "" is HF_ENDPOINT.
	Endpoint string

	// Token is shown to the hub; "" is the token of the environment or of a login. Anonymous shows none at all. Both
	// together are an error.
	Token     string
	Anonymous bool

	// Offline uses the files in the cache and sends no request, as HF_HUB_OFFLINE does. False is the environment's
	// choice.
	Offline bool

	// Parallel is the number of files fetched at once, from 1 to 64; 0 is 4.
	Parallel int
}

// Progress says how far a call of [Get] has come.
type Progress struct {
	File  string // the file that bytes arrived for
	Bytes int64  // of this file, so far; bytes of an earlier, interrupted download are counted
	Size  int64  // of this file
	Done  int64  // of all files to be fetched, in bytes, so far
	Total int64  // of all files to be fetched, in bytes; it grows once if an index has to be read first
}
