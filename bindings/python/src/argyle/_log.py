"""Forwards the C library's log records to ``logging``, under the logger ``argyle``."""

from __future__ import annotations

import logging
from typing import Any

_logger = logging.getLogger("argyle")
_levels = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING}


def is_enabled() -> bool:
    """Whether the program has enabled the log."""
    return _logger.isEnabledFor(logging.WARNING) and _logger.hasHandlers()


def is_level_enabled(level: int) -> bool:
    """Whether a level of the C library is enabled."""
    return _logger.isEnabledFor(_levels.get(level, logging.WARNING))


def log(level: int, message: str, fields: "dict[str, Any]") -> None:
    """Log a message; the fields become the log record's attribute ``argyle``."""
    _logger.log(_levels.get(level, logging.WARNING), "%s", message, extra={"argyle": fields})
