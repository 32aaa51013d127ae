"""What can go wrong for a person using Headcast, as a handful of exception types.

The command line shows these as a short panel and exits with code 2; anything else is a bug and keeps its traceback.
"""


class HeadcastError(Exception):
    """Something the user can act on: the message says what was expected, what was found and what to do."""


class InputError(HeadcastError):
    """What the user gave (a file, a folder, a number) cannot be used."""


class FormatError(InputError):
    """A file exists but its contents are not what its format promises."""


class ConfigError(HeadcastError):
    """A setting contradicts another one or is out of range."""


class MissingAssetError(HeadcastError):
    """A file that Headcast may not ship is needed: says which, where it comes from, its licence and where to put it."""


class MissingExtraError(HeadcastError):
    """An optional package is needed; the message ends with the pip line that installs it."""

    def __init__(self, purpose: str, package: str, extra: str):
        super().__init__(f"{purpose} needs the package {package!r}, which is not installed. Run: pip install 'headcast[{extra}]'")
