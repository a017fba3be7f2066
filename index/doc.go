// Package index finds the vectors closest to a query, exactly, among those that it keeps in memory or in a folder.
//
//	x, err := index.Create("documents", index.Options{Dim: 384})
//	…
//	err = x.Add(ids, vectors) // on the disk when it returns
//	…
//	hits, err := x.Search(ctx, query, 10, index.SearchOptions{})
//	fmt.Println(hits[0].ID, hits[0].Score)
//
// The vectors may come from any model: embeddings of texts, of images, or of both. [New] makes an index in memory
// alone. The program examples/embed keeps an index of the lines of a text file.
//
// A search compares the query with every vector, so it misses none. It takes about the time of reading the vectors from
// memory: some tens of milliseconds for a million of 384 components. [Index.SearchMany] reads them once for several
// queries, and forms the scores of many by matrix products.
//
// Scores are cosines, or inner products ([Metric]). Results have the same bits on any number of cores, in any order of
// additions, alone or among several queries, and on every instruction set.
//
// # Ids
//
// A vector has an id, an int64, and adding to an id replaces its vector. Ids are numbers as in faiss and hnswlib: a
// line of a file, the key of a row in a database. Numbers need no loading: they are searched in the mapped file. If
// your keys are texts, keep them in a table, and use its row numbers as ids.
//
// # Types
//
// [Options].Type is the type of the stored components. Smaller types take less memory, and less time in proportion.
// Recall is the share of the ten closest vectors that a search finds, of 4,132 embeddings of English sentences by
// all-MiniLM-L6-v2:
//
//	          bytes for 384   recall@10
//	Float32            1536       1
//	Float16             768         0.9997
//	Int8                388         0.996
//
// Int8 rounds each vector to 255 steps between plus and minus its largest component. Queries are not rounded as
// coarsely: they are integers of up to 16 bits, and sums are exact. Where more is needed, search for more vectors than
// wanted and sort them anew by vectors kept elsewhere.
//
// # Folders
//
// A folder holds segments, which are safetensors files with the tensors "ids", "vectors" and, for Int8, "scales".
// Beside them are lists of deleted rows, and index.json, which names the files that count. No file is ever changed.
// [Index.Add] and [Index.Delete] write new files, wait until they are on the disk, and then replace index.json in one
// step. So a process that is killed loses at most the call that had not returned, whole. The next [Open] removes what
// it left.
//
// Segments of one size are joined, eight at a time, and those with half of their rows deleted are written anew. So a
// vector is written a few times in its life, and there are some tens of segments at most. [Index.Compact] makes them
// one.
//
// [Open] maps segments into memory: opening takes time for the ids alone, and processes share the memory of one index.
// It checks everything but the components, and a folder that contradicts itself gives an error. One [Index] may have a
// folder open for writing, and any number may read it. The files must not be changed by others.
//
// # Goroutines
//
// Any number of goroutines may search, add and delete at once. A search sees the index as it was when the search began,
// and waits for no one. [Index].Workers limits its cores.
package index
