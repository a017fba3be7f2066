// Package checkpoint reads the weights of models from files of safetensors and PyTorch, alone or in shards,
// writes them as safetensors, and holds the tables of names that tie what is in a file to the parameters of
// a model.
//
// # Reading
//
// [Open] maps a file into memory, checks all of its header, and gives access to its tensors by name. No
// tensor's data is touched until it is asked for. [OpenFS] does the same in any file system and
// [OpenFolder] in a folder laid out as on Hugging Face. A [File] never has to be closed: its mapping goes
// with the last reference to it, and [File.Close] is for those who want it gone at once. While a file is
// mapped it must not change; one that is cut short under a running program ends that program with a bus
// error. Where that can happen, [OpenOptions].Unmapped reads files instead. A file that is replaced by rename, as
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
// # Formats
//
// A file is what its first bytes say, whatever it is called, and all give the same File and Tensors:
//
//   - safetensors, and the index of a sharded model with its shards, which may be files of either kind;
//   - the zip archives of torch.save (.pth, .pt, .bin). Their tensors are used where they lie in the file, and
//     those of one storage share it. An archive that was packed again by another program is inflated;
//   - archives of TorchScript (torch.jit.save), such as the released files of CLIP: the tensors of the modules
//     under the paths of their attributes, without the program;
//   - legacy files, which torch.save wrote before version 1.6. Their data is aligned to nothing, so that most of
//     it is copied as it is loaded.
//
// A tensor that PyTorch saved as a view of another, transposed, cut or expanded, comes out in row-major order: it
// is gathered as it is read, and has no [Tensor.View]. Quantized, sparse and conjugated tensors, complex128 and
// big-endian files are refused by name.
//
// What a training script saves holds more than weights. The names of tensors are the keys of dictionaries on the
// way to them, joined by dots, from the place where the weights are: the value itself, or what lies under
// state_dict, model, module and the like; [OpenOptions].Root chooses another, such as an averaged model. Numbers and texts
// beside the weights, and those in an argparse.Namespace, are metadata: epoch, args.lr.
//
// # Files from strangers
//
// A header of safetensors may not be longer than the file or 100 MB, and is read without
// recursion by a strict parser that knows no duplicate keys; shapes are multiplied with care; tensors must
// tile the data, so that no two of them overlap and nothing is hidden between; an index may not name
// a shard outside its folder. What opening costs is bounded by a small multiple of the header.
//
// The header of a PyTorch file is a pickle, a program that in Python may call any function. Here it runs on a
// machine that knows how containers are built and has names for tensors and plain data alone; any other name is
// an error that says it ("the pickle calls os.system"). Values may take 16 MB and 16 times the pickle's length,
// and nothing is reserved on the word of a length; dictionaries that contain one another are walked no further
// than the file's length pays for; entries of an archive may not overlap, nor inflate to more than 16 times the
// file; a storage must have the bytes that its type and length say, and a tensor must lie within its storage.
// Expanded tensors may be as large as their file, and take memory only as they are read.
//
// A file that fails is refused with a [FormatError] that names the file, the tensor, what was expected and what
// was found.
//
// # Names
//
// The same layer is blocks.0.attn.qkv in timm, three tensors vit.encoder.layer.0.attention.attention.query,
// key and value on Hugging Face, and vit.layers.0.attention.q_proj, … in the memory of newer transformers.
// A model's own paths follow its Go fields, which nobody's file should depend on. [Names] is the one table
// between them, a row a layer, readable from left to right (what is written) and from right to left (all
// that is read). It splits and joins projections, transposes, reshapes, skips optional prefixes, and lists
// what to ignore. Its columns are the releases, and [Names.Writing] chooses the one to write.
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
// The format of safetensors is described at https://huggingface.co/docs/safetensors.
package checkpoint
