// Package checkpoint reads the weights of models from files of safetensors, PyTorch and NumPy, writes them as
// safetensors, and ties the names in files to the parameters of a model.
//
//	names := &checkpoint.Names{Rules: []checkpoint.Rule{{"Head", "classifier", "head"}}}
//
//	f, err := checkpoint.Open("model.safetensors", checkpoint.OpenOptions{})
//	…
//	_, err = checkpoint.Load(f, names, nn.Values(model), checkpoint.LoadOptions{})
//	…
//	err = checkpoint.Save("trained.safetensors", names, nn.Values(model), checkpoint.WriteOptions{})
//
// # Reading
//
// [Open] maps a file into memory, checks its whole header, and gives access to its tensors by name. It touches no
// tensor's data until that is asked for. [OpenFS] does the same in any file system, and [OpenFolder] in a folder laid
// out as on Hugging Face.
//
// A [File] never has to be closed: its mapping ends with the last reference to it. [File.Close] ends it at once. A
// mapped file must not change: if it is cut short, the program that uses it ends with a bus error. Where that can
// happen, set [OpenOptions].Unmapped, which reads files instead. Replacing a file by rename, as this package does, is
// safe: the mapping keeps the old file.
//
// A model can live inside a program. [ParseString] reads a string that go:embed filled, and [Embedded] is a folder of
// such strings for everything that loads from a file system. Neither copies: the system pages in the parts of the
// program's file that are used, and may drop them again. An embed.FS hands out copies, so that its weights take
// their size in memory once more.
//
// Data is used in place where it is aligned to its type, and copied as it is loaded where it is not. It is aligned in
// embedded files of more than a kilobyte that this package or safetensors wrote.
//
// A [Tensor] converts as it is read: [Tensor.Floats] widens F16 and BF16 and rounds F64, and [Tensor.Ints] reads
// every integer type. [Tensor.View] returns an F32 tensor without a copy.
//
// # Formats
//
// The first bytes of a file decide its format, not its name. All formats give the same File and Tensors:
//
//   - safetensors, and the index of a sharded model with its shards. Shards may be files of either kind.
//   - The zip archives of torch.save (.pth, .pt, .bin). Their tensors are used where they lie in the file, and
//     tensors of one storage share it. An archive that another program compressed is inflated.
//   - Archives of TorchScript (torch.jit.save), such as the released files of CLIP. The tensors of the modules are
//     found under the paths of their attributes; the program is left out.
//   - Legacy files, which torch.save wrote before version 1.6. Their data is not aligned, so that most of it is
//     copied as it is loaded.
//   - Archives of NumPy (.npz), such as Google's Vision Transformers. Arrays that are not compressed are used in place.
//
// A tensor that PyTorch saved as a view of another (transposed, cut or expanded) comes out in row-major order. It is
// gathered as it is read and has no [Tensor.View]. Quantized, sparse and conjugated tensors, complex128 and big-endian
// files are unsupported; the error names the kind.
//
// The file of a training script holds more than weights. A tensor's name is made of the dictionary keys that lead to
// it, joined by dots. Names start where the weights are: at the value itself, or under state_dict, model, module and
// similar keys. Averaged weights come before those that were trained, as timm does it. [File.Root] says which were
// taken, [File.Roots] which others there are, and [OpenOptions].Root chooses. Numbers and texts beside the weights become
// metadata, and so do those in an argparse.Namespace: epoch, args.lr.
//
// Other values beside the weights, such as dates, configurations and numpy arrays, are left out.
//
// # Untrusted files
//
// Opening a safetensors file costs at most a small multiple of its header. The rules:
//
//   - A safetensors header may not be longer than the file, nor than 100 MB. A strict parser without recursion
//     reads it, and refuses duplicate keys.
//   - Products of shapes are checked for overflow.
//   - Tensors must tile the data: no two overlap, and nothing hides between them.
//   - An index may not name a shard outside its folder.
//
// The header of a PyTorch file is a pickle: a program that in Python may call any function. Here it runs on a machine
// that knows only how containers are built, and the names of tensors and plain data. It calls no other function: what
// such a call would make stays a value without use. If a tensor of the weights depends on one, an error names the tensor
// and the function ("expected a tensor, found a value of os.system"). The limits:
//
//   - Opening takes at most 64 MB and four times the file, inflated data apart, and a time in proportion. What the tensors and
//     values of a pickle take is counted before it is reserved: 40 MB and twice the length of the file.
//   - Dictionaries that contain one another are walked only as far as the same count allows.
//   - Entries of an archive may not overlap, nor inflate to more than 16 times the file.
//   - A storage must have as many bytes as its type and length say, and a tensor must lie within its storage.
//   - An expanded tensor may be as large as its file, and takes memory only as it is read.
//
// A file that breaks a rule is refused with a [FormatError]. It names the file and the tensor, what was expected and
// what was found.
//
// # Names
//
// Every release names the same layer in its own way: blocks.0.attn.qkv in timm; three tensors
// vit.encoder.layer.0.attention.attention.query, key and value on Hugging Face; vit.layers.0.attention.q_proj and so
// on in the memory of newer transformers. A model's own paths follow its Go fields, and no file should depend on
// those.
//
// [Names] is the one table between them, a row a layer. It is read from left to right when saving, and from right to
// left when loading. It splits and joins projections, transposes, reshapes, skips optional prefixes, counts from one,
// and lists what to ignore. Its columns are the releases, and [Names.Writing] chooses the one to write. [Nest] puts
// the rows of a part below other paths and names: one table of a block serves every stack of blocks.
//
// [Load] first matches everything, and only then changes parameters. If a file does not fit a model, one
// [MismatchError] lists everything that is missing, unexpected or of another shape. [LoadOptions].Lenient loads what
// fits instead, and the same lists come back as a [Report]. [Save] is the reverse: transformers loads the files that
// it writes under Hugging Face's names.
//
// Both take parameters and buffers. nn.Values yields them for a whole model, so that the running statistics of
// batch normalizations are in the file.
//
// # Memory
//
// Load copies, and gives the pages of a mapped file back on the way. With [LoadOptions].Map, parameters read the
// file's memory instead, joined projections included. Inference packs a weight when it is first used, and its pages
// go back after that: in the end about the file's size is in memory, and hardly more on the way. The mapping ends with
// the last parameter that reads it.
//
// With [LoadOptions].KeepHalf, weights stay in half precision, whether mapped, packed or copied. Results equal those
// of widened weights. [Save] writes weights in the type it is asked for.
//
// # Quantized weights
//
// With [LoadOptions].Int8, a tensor X of I8 with a tensor X_scale beside it, of one float for each row, is a weight in
// integers of 8 bits. The parameter keeps the integers, in place where the file is mapped. [Save] writes such parameters
// in this layout, which is the one that the library compressed-tensors calls int-quantized.
//
// # Writing
//
// [Write] and [Save] replace a checkpoint whole: a reader, a crash or a full disk finds the old one or the new one.
// Data is streamed in F32, F16 or BF16, or in the type that an [Entry] asks for. The same tensors always make the same
// bytes. A checkpoint larger than [WriteOptions].ShardSize goes into shards with an index, divided and named as the
// Hugging Face libraries do. [Tensor.Entry] passes a tensor from one file to another unchanged.
//
// The safetensors format is described at https://huggingface.co/docs/safetensors.
package checkpoint
