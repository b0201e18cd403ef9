// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Damage to the file: bytes of its ZIP structure changed one at a time.
#include "MalformedCases.h"

#include "mjolnir/format/Crc32.h"
#include "mjolnir/format/Zip.h"

#include <cstdlib>

namespace mjolnir::test {
namespace {

namespace zip = format::zip;

/// A package's bytes with the places that the cases change. The writer's layout is known: ZIP64 everywhere, no
/// comments.
class File {
public:
  explicit File(std::string bytes) : bytes(std::move(bytes)) {}

  std::string bytes;

  uint64_t get(size_t at, int width) const {
    uint64_t value = 0;
    for (int i = width - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(bytes.at(at + static_cast<size_t>(i)));
    return value;
  }
  void set(size_t at, int width, uint64_t value) {
    for (int i = 0; i < width; ++i)
      bytes.at(at + static_cast<size_t>(i)) = static_cast<char>(value >> (8 * i));
  }

  size_t end() const { return bytes.size() - zip::EndBytes; }
  size_t locator() const { return end() - zip::Locator64Bytes; }
  size_t end64() const { return locator() - zip::End64Bytes; }
  /// The entry of member `index` in the directory.
  size_t central(size_t index) const {
    size_t at = get(end64() + 48, 8);
    for (; index > 0; --index)
      at += zip::CentralBytes + get(at + 28, 2) + get(at + 30, 2);
    return at;
  }
  size_t centralName(size_t index) const { return central(index) + zip::CentralBytes; }
  /// The ZIP64 field of the directory's entry: original size, stored size, header offset.
  size_t central64(size_t index) const { return centralName(index) + get(central(index) + 28, 2) + 4; }
  size_t local(size_t index) const { return get(central64(index) + 16, 8); }
  size_t localName(size_t index) const { return local(index) + zip::LocalBytes; }
  size_t data(size_t index) const { return localName(index) + get(local(index) + 26, 2) + get(local(index) + 28, 2); }
  /// Gives the member another name of the same length, in both places.
  void rename(size_t index, const std::string &name) {
    if (get(central(index) + 28, 2) != name.size())
      abort();
    bytes.replace(centralName(index), name.size(), name);
    bytes.replace(localName(index), name.size(), name);
  }
  /// Makes the CRC of member `index` match its data again.
  void fixCrc(size_t index) {
    uint32_t crc = format::crc32(0, bytes.data() + data(index), get(central64(index), 8));
    set(central(index) + 16, 4, crc);
    set(local(index) + 14, 4, crc);
  }
};

enum Member : size_t { Program, Kernels, Notes, Weights };

struct FileCase {
  const char *name;
  const char *sentence;
  void (*change)(File &);
  mj_status code = MJ_ERROR_MALFORMED;
};

const FileCase FileCases[] = {
    // ---- the file as a whole ----
    {"empty", "the file is empty", [](File &f) { f.bytes.clear(); }},
    {"tiny", "the file has 10 bytes, too few for a package", [](File &f) { f.bytes.resize(10); }},
    {"not-a-zip", "the file does not begin as a package does", [](File &f) { f.set(0, 4, 0x464c457f); }},
    {"cut-short", "the file does not end with a ZIP directory", [](File &f) { f.bytes.resize(f.bytes.size() - 1000); }},
    {"appended-to", "it is cut short, or something was appended to it", [](File &f) { f.bytes += "more"; }},
    {"split", "the ZIP file is one part of several", [](File &f) { f.set(f.end() + 4, 2, 1); }},

    // ---- the directory ----
    {"locator-elsewhere", "the ZIP64 end record is not where its locator says",
     [](File &f) { f.set(f.locator() + 8, 8, f.end64() - 1); }},
    {"end-record-damaged", "the ZIP64 end record is damaged", [](File &f) { f.set(f.end64(), 4, 0); }},
    {"end-records-disagree", "the two end records of the ZIP file disagree",
     [](File &f) { f.set(f.end() + 10, 2, 17); }},
    {"directory-elsewhere", "does not end where the end record starts",
     [](File &f) { f.set(f.end64() + 48, 8, uint64_t(1) << 60); }},
    {"directory-entry-damaged", "the ZIP directory's entry of member 1 is damaged",
     [](File &f) { f.set(f.central(1), 4, 0); }},
    {"directory-entry-too-long", "the ZIP directory ends inside the names of member 3",
     [](File &f) { f.set(f.central(3) + 32, 2, 0xffff); }},
    {"directory-entry-cut", "the ZIP directory ends inside the entry of member 4",
     [](File &f) { // ten bytes more, which are no entry
       f.bytes.insert(f.end64(), 10, '\0');
       f.set(f.end64() + 40, 8, f.get(f.end64() + 40, 8) + 10);
       f.set(f.locator() + 8, 8, f.end64());
     }},
    {"member-count", "the ZIP directory has 4 members, its end record says 5",
     [](File &f) {
       f.set(f.end64() + 24, 8, 5);
       f.set(f.end64() + 32, 8, 5);
       f.set(f.end() + 10, 2, 5);
     }},

    // ---- members ----
    {"name-absolute", "member 2 has the name '/otes.json', which is not a plain relative path",
     [](File &f) { f.rename(Notes, "/otes.json"); }},
    {"name-parent-folder", "member 2 has the name 'a/../.json'", [](File &f) { f.rename(Notes, "a/../.json"); }},
    {"name-backslash", "member 2 has the name 'a\\b\\c.json'", [](File &f) { f.rename(Notes, "a\\b\\c.json"); }},
    {"name-twice", "there are two members 'kernels.so'", [](File &f) { f.rename(Notes, "kernels.so"); }},
    {"no-program", "the file has no member 'program.fb'", [](File &f) { f.rename(Program, "pr0gram.fb"); }},
    {"encrypted", "member 'notes.json' is encrypted or streamed (ZIP flags 1)",
     [](File &f) { f.set(f.central(Notes) + 8, 2, 1); }},
    {"compressed", "member 'notes.json' is compressed (ZIP method 8)",
     [](File &f) { f.set(f.central(Notes) + 10, 2, 8); }},
    {"central-extra-damaged", "member 'notes.json': its extra fields in the directory are damaged",
     [](File &f) { f.set(f.central64(Notes) - 2, 2, 999); }},
    {"stored-size-differs", "member 'notes.json': 3 bytes are stored for 2",
     [](File &f) { f.set(f.central64(Notes) + 8, 8, 3); }},
    {"header-beyond-directory", "member 'notes.json': its header, at 1152921504606846976, is not before the directory",
     [](File &f) { f.set(f.central64(Notes) + 16, 8, uint64_t(1) << 60); }},
    {"header-missing", "member 'notes.json': there is no member header at",
     [](File &f) { f.set(f.local(Notes), 4, 0); }},
    {"header-name-differs", "member 'notes.json': its header carries another name",
     [](File &f) { f.set(f.localName(Notes), 1, 'N'); }},
    {"header-too-long", "member 'weights.safetensors': its header reaches into the directory",
     [](File &f) { f.set(f.local(Weights) + 28, 2, 0xffff); }},
    {"header-extra-damaged", "member 'notes.json': the extra fields of its header are damaged",
     [](File &f) { f.set(f.localName(Notes) + 10 + 2, 2, 0xfff0); }},
    {"header-disagrees", "member 'notes.json': its header and the directory disagree on method, size or CRC",
     [](File &f) { f.set(f.localName(Notes) + 10 + 4, 8, 1); }},
    {"member-beyond-directory", "member 'notes.json': 1000000000000 bytes at",
     [](File &f) {
       for (size_t at : {f.central64(Notes), f.central64(Notes) + 8, f.localName(Notes) + 14, f.localName(Notes) + 22})
         f.set(at, 8, 1000000000000);
     }},
    {"member-not-at-a-page", "not at a multiple of 4096 (was the package packed again by a ZIP tool?)",
     [](File &f) { // the padding field two bytes shorter, in the header and in itself
       size_t padding = f.localName(Notes) + 10 + 20;
       f.set(padding + 2, 2, f.get(padding + 2, 2) - 2);
       f.set(f.local(Notes) + 28, 2, f.get(f.local(Notes) + 28, 2) - 2);
     }},
    {"members-overlap", "overlap in the file",
     [](File &f) { // the kernels grow over the notes that follow them
       uint64_t size = f.data(Notes) - f.data(Kernels);
       for (size_t at :
            {f.central64(Kernels), f.central64(Kernels) + 8, f.localName(Kernels) + 14, f.localName(Kernels) + 22})
         f.set(at, 8, size);
     }},
    {"program-damaged", "member 'program.fb' is damaged: its CRC does not match",
     [](File &f) { f.bytes[f.data(Program) + 40] ^= 1; }},
    {"member-damaged", "member 'notes.json' is damaged: its CRC does not match",
     [](File &f) { f.bytes[f.data(Notes)] ^= 1; }},
    {"image-damaged", "member 'kernels.so' is damaged: its CRC does not match",
     [](File &f) { f.bytes[f.data(Kernels) + 100] ^= 1; }},

    // ---- what is inside ----
    {"program-without-identifier", "'program.fb' is not a Mjolnir program: it lacks the identifier 'MJPR'",
     [](File &f) {
       f.set(f.data(Program) + 4, 4, 0);
       f.fixCrc(Program);
     }},
    {"program-root-outside", "'program.fb' is damaged: its format version cannot be read",
     [](File &f) {
       f.set(f.data(Program), 4, 0x7ffffff0);
       f.fixCrc(Program);
     }},
    {"program-offset-outside", "'program.fb' is damaged: FlatBuffers' verifier refuses it",
     [](File &f) { // the target's offset, field 3 of the root table: its place is in the table's vtable
       size_t root = f.data(Program) + f.get(f.data(Program), 4);
       size_t vtable = root - static_cast<size_t>(static_cast<int32_t>(f.get(root, 4)));
       f.set(root + f.get(vtable + 4 + 2 * 3, 2), 4, 0x7ffffff0);
       f.fixCrc(Program);
     }},
    {"image-text", "image 'kernels.so' is not an ELF file",
     [](File &f) {
       f.set(f.data(Kernels), 4, 0x74786574);
       f.fixCrc(Kernels);
     }},
    {"image-32-bit", "image 'kernels.so' is not 64-bit little-endian ELF",
     [](File &f) {
       f.set(f.data(Kernels) + 4, 1, 1);
       f.fixCrc(Kernels);
     }},
    {"image-not-shared", "image 'kernels.so' is not a shared object (ELF type 1)",
     [](File &f) {
       f.set(f.data(Kernels) + 16, 2, 1);
       f.fixCrc(Kernels);
     }},
    {"image-other-machine", "image 'kernels.so' holds code for ELF machine 243",
     [](File &f) {
       f.set(f.data(Kernels) + 18, 2, 243);
       f.fixCrc(Kernels);
     },
     MJ_ERROR_UNSUPPORTED},
    {"image-unloadable", "image 'kernels.so' cannot be loaded:",
     [](File &f) { // no program headers
       f.set(f.data(Kernels) + 56, 2, 0);
       f.fixCrc(Kernels);
     }},
};

} // namespace

std::vector<MalformedCase> makeMalformedFiles(const std::string &image) {
  const std::string good = zipMembers(makeMembers(makeProgram(), image));
  std::vector<MalformedCase> cases;
  for (const FileCase &source : FileCases) {
    File file(good);
    source.change(file);
    cases.push_back({source.name, source.code, source.sentence, std::move(file.bytes), {}});
  }
  return cases;
}

} // namespace mjolnir::test
