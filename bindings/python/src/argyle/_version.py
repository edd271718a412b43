"""The package's version, which is also the C library's."""

__version__ = "0.1.0"
