package hub

// An Option overrides the environment, or a default, for one call.
type Option func(*settings)

// Files replaces the choice of files: those are fetched whose name matches one of the patterns, as path.Match
// understands them ('*' does not cross a '/'). Each pattern must match a file of the model.
func Files(patterns ...string) Option {
	return func(s *settings) { s.patterns = append(s.patterns, patterns...) }
}

// OnProgress has f called as bytes arrive: never twice at once, and often, so that f decides how often it draws.
func OnProgress(f func(Progress)) Option { return func(s *settings) { s.progress = f } }

// Cache has models kept in dir instead of the folder that the environment names.
func Cache(dir string) Option { return func(s *settings) { s.cache = dir } }

// Endpoint asks the hub at an address such as "https://hub.example.org" instead of HF_ENDPOINT.
func Endpoint(address string) Option { return func(s *settings) { s.endpoint = address } }

// Token shows a token to the hub instead of that of the environment; "" shows none.
func Token(token string) Option { return func(s *settings) { s.token = &token } }

// Offline uses what is in the cache and asks nobody, as HF_HUB_OFFLINE does.
func Offline() Option { return func(s *settings) { s.offline = true } }

// Parallel fetches up to n files at once; the default is 4.
func Parallel(n int) Option { return func(s *settings) { s.parallel = n } }

// Progress is how far a call of [Get] is.
type Progress struct {
	File  string // the file that bytes arrived for
	Bytes int64  // of this file, so far; those of an earlier, broken download are counted
	Size  int64  // of this file
	Done  int64  // of all files that have to be fetched, in bytes, so far
	Total int64  // of all files that have to be fetched, in bytes; it grows once if an index has to be read first
}
