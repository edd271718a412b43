"""Owners to release before the interpreter exits."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._owners import Owner


#: A weak reference to each owner whose object has not been released; its callback releases the object.
references: "dict[object, weakref.ref[Owner]]" = {}
