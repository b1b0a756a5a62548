"""Errors meant for people: what is wrong, where, the legal range, what to do.

Every error that bad input can cause derives from `GatewrightError`; the
command line prints its text and exits with status 2.
"""


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


class MismatchError(GatewrightError):
    """What was delivered, or computed, is not what it is held against."""


class ToolError(GatewrightError):
    """An outside tool (compiler, simulator, synthesiser) is missing or failed."""


class BrokenRuleError(ToolError):
    """A simulation stopped because the hardware did what it never may."""
