# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""The runtime's C API (mjolnir/runtime.h) for Python: packages, sessions, entries on NumPy arrays.

The library is $MJOLNIR_RUNTIME_LIBRARY. bf16 and FP8 arrays are NumPy's uint16 and uint8, bit for bit.
"""
import ctypes as C
import os

import numpy as np


class MjolnirError(Exception):
    pass


class _Device(C.Structure):
    _fields_ = [("type", C.c_int), ("id", C.c_int)]


class _DataType(C.Structure):
    _fields_ = [("code", C.c_uint8), ("bits", C.c_uint8), ("lanes", C.c_uint16)]


class _Tensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device", _Device), ("ndim", C.c_int), ("dtype", _DataType),
                ("shape", C.POINTER(C.c_int64)), ("strides", C.POINTER(C.c_int64)), ("byte_offset", C.c_uint64)]


class _EntryInfo(C.Structure):
    _fields_ = [("name", C.c_char_p), ("kind", C.c_int), ("tokens", C.c_uint32), ("sequences", C.c_uint32),
                ("pages_per_sequence", C.c_uint32), ("inputs", C.c_size_t), ("outputs", C.c_size_t),
                ("arena_bytes", C.c_uint64)]


class _BindingInfo(C.Structure):
    _fields_ = [("name", C.c_char_p), ("dtype", _DataType), ("ndim", C.c_int32), ("shape", C.POINTER(C.c_int64)),
                ("bytes", C.c_size_t)]


class _KvInfo(C.Structure):
    _fields_ = [("pools", C.c_uint32), ("page_size", C.c_uint32), ("bytes_per_page", C.c_uint64),
                ("max_context", C.c_uint32), ("vocabulary", C.c_uint32), ("window", C.c_uint32)]


class _SessionOptions(C.Structure):
    _fields_ = [("struct_size", C.c_size_t), ("threads", C.c_uint32), ("kv_pages", C.c_uint32), ("flags", C.c_uint32),
                ("kv_window_pages", C.c_uint32)]


class _StepProfile(C.Structure):
    _fields_ = [("kernel", C.c_char_p), ("tiles", C.c_uint32), ("nanoseconds", C.c_uint64)]


NO_GRAPHS, NO_DEPENDENT_LAUNCHES = 1, 2
_CPU = 1
_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6

_library = None


def library():
    global _library
    if _library is None:
        _library = C.CDLL(os.environ["MJOLNIR_RUNTIME_LIBRARY"])
        _library.mj_last_error.restype = C.c_char_p
        _library.mj_package_entry_count.restype = C.c_size_t
        _library.mj_session_profile.restype = C.c_size_t
        _library.mj_session_kv_pages.restype = C.c_uint32
        _library.mj_package_close.argtypes = [C.c_void_p]
        _library.mj_session_destroy.argtypes = [C.c_void_p]
    return _library


def _check(status):
    if status:
        raise MjolnirError(library().mj_last_error().decode())


class Binding:
    """An input or output of an entry."""

    def __init__(self, info):
        self.name = info.name.decode()
        self.code, self.bits = info.dtype.code, info.dtype.bits
        self.shape = tuple(info.shape[:info.ndim])
        kind = {_INT: "i", _UINT: "u", _BOOL: "u"}.get(self.code)
        if self.code == _FLOAT and self.bits >= 16:
            kind = "f"
        self.dtype = np.dtype(f"{kind or 'u'}{self.bits // 8}")
        self.is_bfloat = self.code == _BFLOAT
        self.is_float8 = self.bits == 8 and self.code not in (_INT, _UINT, _BOOL)

    def tensor(self, array):
        """A DLTensor over `array`, which must outlive it."""
        if array.dtype != self.dtype or array.shape != self.shape or not array.flags.c_contiguous:
            raise MjolnirError(f"'{self.name}' is {self.dtype}{list(self.shape)}, not {array.dtype}{list(array.shape)}")
        shape = (C.c_int64 * max(1, len(self.shape)))(*self.shape)
        return _Tensor(array.ctypes.data, _Device(_CPU, 0), len(self.shape), _DataType(self.code, self.bits, 1), shape,
                       None, 0)

    def to_f32(self, array):
        """Values of an array of this binding; FP8 stays as bits."""
        return from_bf16(array) if self.is_bfloat else array


class Entry:
    def __init__(self, package, index):
        info = _EntryInfo()
        _check(library().mj_package_entry(package.handle, C.c_size_t(index), C.byref(info)))
        self.index, self.name, self.is_ragged = index, info.name.decode(), info.kind == 1
        self.tokens, self.sequences, self.pages = info.tokens, info.sequences, info.pages_per_sequence
        self.inputs = self._bindings(package, "mj_entry_input", info.inputs)
        self.outputs = self._bindings(package, "mj_entry_output", info.outputs)

    def _bindings(self, package, function, count):
        result = []
        for i in range(count):
            info = _BindingInfo()
            _check(getattr(library(), function)(package.handle, C.c_size_t(self.index), C.c_size_t(i), C.byref(info)))
            result.append(Binding(info))
        return result


class Package:
    def __init__(self, path):
        self.handle = C.c_void_p()
        _check(library().mj_package_open(os.fsencode(path), C.byref(self.handle)))
        self.entries = {}
        for i in range(library().mj_package_entry_count(self.handle)):
            entry = Entry(self, i)
            self.entries[entry.name] = entry
        self.kv = _KvInfo()
        _check(library().mj_package_kv(self.handle, C.byref(self.kv)))

    def close(self):
        library().mj_package_close(self.handle)


class Call:
    """An entry with its arrays bound: run() does nothing but the call."""

    def __init__(self, session, entry, inputs, outputs):
        self.session, self.entry, self.inputs, self.outputs = session, entry, inputs, outputs
        self._tensors = []
        self._in = self._pointers(entry.inputs, inputs)
        self._out = self._pointers(entry.outputs, outputs)

    def _pointers(self, bindings, arrays):
        pointers = (C.POINTER(_Tensor) * max(1, len(bindings)))()
        for i, (binding, array) in enumerate(zip(bindings, arrays, strict=True)):
            if array is not None:
                self._tensors.append(binding.tensor(array))
                pointers[i] = C.pointer(self._tensors[-1])
        return pointers

    def run(self):
        _check(library().mj_session_run(self.session.handle, C.c_size_t(self.entry.index), self._in,
                                        C.c_size_t(len(self.entry.inputs)), self._out,
                                        C.c_size_t(len(self.entry.outputs))))


class Session:
    def __init__(self, package, kv_pages=0, flags=0, threads=0):
        self.package, self.handle = package, C.c_void_p()
        # Layers with a window use the pages that the others do, where they have a pool of their own.
        options = _SessionOptions(C.sizeof(_SessionOptions), threads, kv_pages, flags, kv_pages)
        _check(library().mj_session_create(package.handle, C.byref(options), C.byref(self.handle)))

    def close(self):
        library().mj_session_destroy(self.handle)

    def run(self, name, inputs):
        """Runs an entry on a dictionary of arrays; its outputs by name."""
        entry = self.package.entries[name]
        outputs = [np.zeros(binding.shape, binding.dtype) for binding in entry.outputs]
        Call(self, entry, [np.ascontiguousarray(inputs[binding.name]) for binding in entry.inputs], outputs).run()
        return {binding.name: array for binding, array in zip(entry.outputs, outputs)}

    def ragged(self, name, sequences, want_logits=True, sampling=None):
        """A step of a language model, as a Call. `sequences`: (tokens, position of the first, pages) each; the logits
        of its last token are asked for. The outputs are next tokens [B] and, if wanted, logits [B, vocabulary].
        `sampling` has "temperature", "top_k", "top_p", "seeds" of each sequence; without it the most likely is taken."""
        entry, size = self.package.entries[name], self.package.kv.page_size
        values = {"sequence_offsets": np.zeros(entry.sequences + 1), "top_p": np.ones(entry.sequences)}
        for key, shape in (("tokens", entry.tokens), ("positions", entry.tokens), ("context_lengths", entry.sequences),
                           ("block_tables", (entry.sequences, entry.pages)), ("logit_rows", entry.sequences)):
            values[key] = np.zeros(shape)
        values["slots"] = np.full(entry.tokens, -1)
        row = 0
        for b, (tokens, start, pages) in enumerate(sequences):
            for position, token in enumerate(tokens, start):
                values["tokens"][row], values["positions"][row] = token, position
                values["slots"][row] = pages[position // size] * size + position % size
                row += 1
            values["logit_rows"][b], values["sequence_offsets"][b + 1:] = row - 1, row
            values["context_lengths"][b] = start + len(tokens)
            values["block_tables"][b, :len(pages)] = pages
        for name in ("block_tables", "slots"):
            values["window_" + name] = values[name]
        values.update({key: np.asarray(value) for key, value in (sampling or {}).items()})
        inputs = [values.get(binding.name, np.zeros(binding.shape)).astype(binding.dtype) for binding in entry.inputs]
        outputs = [np.zeros(entry.outputs[0].shape, entry.outputs[0].dtype)]
        for binding in entry.outputs[1:]:
            outputs.append(np.zeros(binding.shape, binding.dtype) if want_logits else None)
        return Call(self, entry, inputs, outputs)

    def step(self, name, sequences):
        """Runs a step; next tokens and logits of the sequences that there are."""
        call = self.ragged(name, sequences)
        call.run()
        return call.outputs[0][:len(sequences)], call.outputs[1][:len(sequences)]

    def set_profiling(self, on):
        _check(library().mj_session_set_profiling(self.handle, C.c_int(on)))

    def profile(self):
        """(kernel, tiles, nanoseconds) of each step of the last run."""
        steps = C.POINTER(_StepProfile)()
        count = library().mj_session_profile(self.handle, C.byref(steps))
        return [(steps[i].kernel.decode(), steps[i].tiles, steps[i].nanoseconds) for i in range(count)]


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bf16(values):
    """f32 to the bits of bf16, to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
