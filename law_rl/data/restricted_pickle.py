"""Reads pickles of plain data, as published data sets come in, without running anything that a pickle names."""

import pickletools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from law_rl.data.pickled_arrays import STAND_INS, PickledArray

T = TypeVar("T")


def unpickle_arrays(data: bytes) -> dict[str, Any]:
    """A pickled dictionary of uint8 or bool arrays, lists, strings, bytes and numbers, with its keys as str.

    Raises ValueError for whatever is not such a dictionary; `unpickle_plain` says what is refused.
    """
    content = unpickle_plain(data)
    if not isinstance(content, dict):
        raise ValueError(f"The pickle was refused: it holds a {type(content).__name__} in place of a dictionary")
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: (
            value.values if isinstance(value, PickledArray) else value
        )
        for key, value in content.items()
    }


def unpickle_plain(data: bytes) -> Any:
    """Tuples, lists, dictionaries, strings, bytes and numbers as they were pickled, and arrays as `PickledArray`.

    It takes only the operations that build such data, on a stack of its own; the names of numpy's arrays lead to inert
    stand-ins, any other name is refused. Python 2's strings come as bytes. Memory stays within a small multiple of the
    data, whatever lengths they claim. Raises ValueError for everything else, among it text pickles (protocol 0) in
    which Python 2 wrote bytes beyond ASCII.
    """
    try:
        return _Machine(data).run()
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(f"The pickle was refused: {error}") from error


class _Machine:
    """The stack of values, the places of open marks in it, and the memo by which earlier values are named."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.copies_left = len(data)

    def run(self) -> Any:
        for opcode, argument, _ in pickletools.genops(self.data):
            self.step(opcode.name, argument)
        return self.stack.pop()

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _PUTS:
            self.memo[argument] = self.stack[-1]
        elif name in _GETS:
            self.stack.append(self.memo[argument])
        elif name in _BYTE_STRINGS:
            self.stack.append(argument.encode("latin1"))
        elif name == "GLOBAL":
            self.stack.append(_stand_in(*argument.split(" ", 1)))
        elif name in _STEPS:
            _STEPS[name](self)
        elif name not in _IGNORED:
            raise ValueError(f"it uses the operation {name}, which builds no plain data")

    def since_mark(self) -> list[Any]:
        """Takes off the stack what came after the last mark."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def extend(self, values: list[Any]) -> None:
        _expect(list, self.stack[-1]).extend(values)

    def update(self, entries: Sequence[Any]) -> None:
        target = _expect(dict, self.stack[-1])
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            target[_key(key)] = value

    def dictionary(self) -> None:
        entries = self.since_mark()
        self.stack.append({})
        self.update(entries)

    def item(self) -> list[Any]:
        """Takes a key and its value off the stack."""
        value, key = self.stack.pop(), self.stack.pop()
        return [key, value]

    def stack_global(self) -> None:
        module, name = self.item()
        self.stack.append(_stand_in(_expect(str, module), _expect(str, name)))

    def reduce(self) -> None:
        function, arguments = self.item()
        # a memo can name one long text again and again, and each call may copy it
        self.copies_left -= sum(len(argument) for argument in arguments if isinstance(argument, str))
        if self.copies_left < 0:
            raise ValueError("it decodes more text than it holds")
        self.stack.append(_expect(_StandIn, function).call(*arguments))

    def build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], PickledArray):
            self.stack[-1].fill(state)


class _StandIn:
    """Wraps what may be called, so that nothing else on the stack can be."""

    def __init__(self, call: Callable[..., object]) -> None:
        self.call = call


def _stand_in(module: str, name: str) -> _StandIn:
    try:
        return _StandIn(STAND_INS[module, name])
    except KeyError:
        raise ValueError(f"it names {module}.{name}, which is no numpy array") from None


def _expect(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise ValueError(f"it holds a {type(value).__name__} where a {kind.__name__.strip('_')} belongs")
    return value


def _key(key: object) -> str | bytes | int:
    """Only what is hashed in one step: the hash of tuples within tuples can exhaust the stack of the process."""
    if not isinstance(key, str | bytes | int):
        raise ValueError(f"it holds a dictionary with a {type(key).__name__} for a key")
    return key


_NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"})
_TEXTS = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_VALUES = _NUMBERS | _TEXTS | {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_BYTE_STRINGS = frozenset({"STRING", "BINSTRING", "SHORT_BINSTRING"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_IGNORED = frozenset({"PROTO", "FRAME", "STOP"})
_STEPS: dict[str, Callable[[_Machine], None]] = {
    "NONE": lambda machine: machine.stack.append(None),
    "NEWTRUE": lambda machine: machine.stack.append(True),
    "NEWFALSE": lambda machine: machine.stack.append(False),
    "EMPTY_TUPLE": lambda machine: machine.stack.append(()),
    "EMPTY_LIST": lambda machine: machine.stack.append([]),
    "EMPTY_DICT": lambda machine: machine.stack.append({}),
    "MARK": lambda machine: machine.marks.append(len(machine.stack)),
    "MEMOIZE": _Machine.memoize,
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.since_mark())),
    "LIST": lambda machine: machine.stack.append(machine.since_mark()),
    "DICT": _Machine.dictionary,
    "APPEND": lambda machine: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine: machine.update(machine.item()),
    "SETITEMS": lambda machine: machine.update(machine.since_mark()),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
