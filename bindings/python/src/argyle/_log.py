"""The library's records in the standard library's log, under ``argyle``."""

from __future__ import annotations

import logging
from typing import Any

_logger = logging.getLogger("argyle")
_levels = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING}


def is_heard() -> bool:
    """Whether anybody takes records."""
    return _logger.isEnabledFor(logging.WARNING) and _logger.hasHandlers()


def is_wanted(level: int) -> bool:
    """Whether anybody takes records of a level, one of the C library's."""
    return _logger.isEnabledFor(_levels.get(level, logging.WARNING))


def note(level: int, message: str, fields: "dict[str, Any]") -> None:
    """Log a record; its fields are attributes of the log record, under ``argyle``."""
    _logger.log(_levels.get(level, logging.WARNING), "%s", message, extra={"argyle": fields})
