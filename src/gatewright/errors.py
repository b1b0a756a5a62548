"""Errors meant for people: what is wrong, where, the legal range, what to do.

Every error that bad input can cause derives from `GatewrightError`; the command line prints its text and exits with the
status of its kind.
"""

import errno
import shlex

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space, or choose a folder on another disk",
    errno.EDQUOT: "your quota of the disk is used up; free some space, or choose a folder on another disk",
    errno.EFBIG: "a file may not become that large here; raise the limit (`ulimit -f`), or choose another disk",
    errno.EACCES: "permission denied; choose a folder that you may write to, or change its permissions",
    errno.EPERM: "not permitted; choose a folder that you may write to, or change its permissions",
    errno.EROFS: "the file system is read-only; choose a folder that can be written",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EISDIR: "it is a folder, not a file; choose another name",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.EEXIST: "it is a file, not a folder; choose another name",
    errno.ENOENT: "its folder does not exist; make it, or choose another path",
    errno.ELOOP: "its links lead in a circle; choose another path",
    errno.EMFILE: "too many files are open; raise the limit (`ulimit -n`), or use fewer workers",
    errno.ENFILE: "too many files are open on this machine; end other programs, or use fewer workers",
    errno.EIO: "the disk does not work as it should (input/output error); choose another one",
}


def explained(error: OSError) -> str:
    """Return what the system says of a file, with what to do about it."""
    return _REMEDIES.get(error.errno or 0, error.strerror or str(error))


def shell_word(value: object) -> str:
    """Quote a path or a name in a command that a text tells to type."""
    return shlex.quote(str(value))


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM), which stops work as Ctrl-C does."""


class GatewrightError(ValueError):
    """Base of all errors caused by what the user gave."""


class ConfigError(GatewrightError):
    """A configuration value is outside its legal range."""


class CapacityError(GatewrightError):
    """A model does not fit the memories of an accelerator."""


class AccumulatorOverflowError(GatewrightError):
    """Some input could overflow a 32-bit accumulator."""


class DataError(GatewrightError):
    """A data set is malformed."""


class DivergenceError(DataError):
    """Training diverged: its loss is no longer finite."""


class BundleError(GatewrightError):
    """A model bundle, image or checkpoint is malformed."""


class ModelImportError(GatewrightError):
    """A user's model file is malformed, or holds something that an import does not honour."""


class RunFolderError(GatewrightError):
    """A run folder exists already, or lacks what a step needs."""


class StorageError(GatewrightError):
    """A file or folder cannot be written or removed."""


class MismatchError(GatewrightError):
    """What was delivered, or computed, is not what it is held against."""


class ToolError(GatewrightError):
    """An outside tool (compiler, simulator, synthesiser) is missing or failed."""


class BrokenRuleError(ToolError):
    """A simulation stopped because the hardware did what it never may."""


class DeviceError(ToolError):
    """A board cannot be reached, or its accelerator refuses or reports something."""
