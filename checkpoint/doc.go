// Package checkpoint reads and writes the weights of models: safetensors files, alone or in shards, and
// the tables of names that tie what is in a file to the parameters of a model.
//
// # Reading
//
// [Open] maps a file into memory, checks all of its header, and gives access to its tensors by name. No
// tensor's data is touched until it is asked for. [OpenFS] does the same in any file system and
// [OpenFolder] in a folder laid out as on Hugging Face. A [File] never has to be closed: its mapping goes
// with the last reference to it, and [File.Close] is for those who want it gone at once. While a file is
// mapped it must not change; one that is cut short under a running program ends that program with a bus
// error. Where that can happen, [Unmapped] reads files instead. A file that is replaced by rename, as
// this package does, is safe: the mapping keeps the old one.
//
// A model can live inside a program: [ParseString] reads a string that go:embed filled, and [Embedded] is a
// folder of such strings for whatever loads from a file system. Neither copies: the system reads what is
// used of the program's file, and may drop it again. An embed.FS hands out copies, so that weights in it
// take their size in memory once more. Data is used in place where it is aligned to its type, as it is in
// embedded files of more than a kilobyte that this package or safetensors wrote; other data is copied as it
// is loaded.
//
// A [Tensor] converts as it is read: [Tensor.Floats] widens F16 and BF16 and rounds F64, and
// [Tensor.Ints] reads every integer type. [Tensor.View] returns an F32 tensor without a copy.
//
// Files come from strangers. A header may not be longer than the file or 100 MB, and is read without
// recursion by a strict parser that knows no duplicate keys; shapes are multiplied with care; tensors must
// tile the data, so that no two of them overlap and nothing is hidden between; an index may not name
// a shard outside its folder. What opening costs is bounded by a small multiple of the header. A file that
// fails is refused with a [FormatError] that names the file, the tensor, what was expected and what was
// found.
//
// # Names
//
// The same layer is blocks.0.attn.qkv in timm, three tensors vit.encoder.layer.0.attention.attention.query,
// key and value on Hugging Face, and vit.layers.0.attention.q_proj, … in the memory of newer transformers.
// A model's own paths follow its Go fields, which nobody's file should depend on. [Names] is the one table
// between them, a row a layer, readable from left to right (what is written) and from right to left (all
// that is read). It splits and joins projections, transposes, reshapes, skips optional prefixes, and lists
// what to ignore.
//
// [Load] first matches everything, and only then changes parameters. A model and a file that do not fit
// give one [MismatchError] with all that is missing, unexpected or misfit; [LoadOptions] can ask to go on
// with what fits, in which case the same lists come back as a [Report]. [Save] is the reverse; what it
// writes for the Hugging Face names, transformers loads.
//
// # Memory
//
// Load copies, and gives the pages of a mapped file back on the way. With [LoadOptions].Map parameters read the
// file's memory instead, of joined projections too; inference packs a weight when it is first used, after which
// its pages go back: about the file's size is in memory in the end, and hardly more on the way. The mapping goes
// with the last parameter that reads it. With [LoadOptions].KeepHalf weights stay in half precision, mapped,
// packed or copied, with the results of the widened ones. [Save] writes them in the type it is asked for.
//
// # Writing
//
// [Write] and [Save] replace a checkpoint whole: a reader, a crash or a full disk finds the old one or the
// new one. Data is streamed, in F32, F16 or BF16 or, where an [Entry] asks for it, in any other type; the
// same tensors always make the same bytes. What is larger than [WriteOptions].ShardSize goes into shards
// with an index, divided and named as the Hugging Face libraries do. [Tensor.Entry] passes a tensor from one
// file to another as it is.
//
// The format is described at https://huggingface.co/docs/safetensors.
package checkpoint
