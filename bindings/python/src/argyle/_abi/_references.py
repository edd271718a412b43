"""What is to be released before the interpreter ends."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._owners import Owner


#: What notices the end of each owner, for as long as that is to be released.
references: "dict[object, weakref.ref[Owner]]" = {}
