"""The C functions of both libraries, with their types."""

from __future__ import annotations

import atexit
import threading
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from typing import Optional

from ._loading import check_interpreter, find, load
from ._references import references
from ._types import ErrorSlot, LogFunction


class Library:
    """The functions of libargyle.so."""

    def __init__(self) -> None:
        check_interpreter()
        # From then on, nothing is released.
        atexit.register(references.clear)
        blocking, quick = load("argyle", "ARGYLE_LIBRARY")

        self.error_code = find(quick, "argyle_error_code", c_int, c_void_p)
        self.error_name = find(quick, "argyle_error_name", c_char_p, c_void_p)
        self.error_message = find(quick, "argyle_error_message", c_char_p, c_void_p)
        self.error_http_status = find(quick, "argyle_error_http_status", c_int, c_void_p)
        self.error_trace_id = find(quick, "argyle_error_trace_id", c_char_p, c_void_p)
        self.error_is_retryable = find(quick, "argyle_error_is_retryable", c_int, c_void_p)
        self.error_outcome_is_unknown = find(quick, "argyle_error_outcome_is_unknown", c_int, c_void_p)
        self.error_retry_after_ms = find(quick, "argyle_error_retry_after_ms", c_int64, c_void_p)
        self.error_attempts = find(quick, "argyle_error_attempts", c_int, c_void_p)
        self.error_body_text = find(quick, "argyle_error_body_text", c_void_p, c_void_p)
        self.error_body_size = find(quick, "argyle_error_body_size", c_size_t, c_void_p)
        self.error_free = find(quick, "argyle_error_free", None, c_void_p)

        self.client_new_text = find(blocking, "argyle_client_new_text", c_void_p, c_char_p, c_size_t, ErrorSlot)
        self.client_with_text = find(
            quick, "argyle_client_with_text", c_void_p, c_void_p, c_char_p, c_size_t, ErrorSlot
        )
        self.client_with_interrupt = find(
            quick, "argyle_client_with_interrupt", c_void_p, c_void_p, c_void_p, c_void_p, ErrorSlot
        )
        self.client_with_log = find(
            quick, "argyle_client_with_log", c_void_p, c_void_p, LogFunction, c_void_p, ErrorSlot
        )
        self.client_free = find(blocking, "argyle_client_free", None, c_void_p)

        self.call_new_text = find(
            quick, "argyle_call_new_text", c_void_p, c_void_p, c_int, c_char_p, c_char_p, c_size_t, ErrorSlot
        )
        self.call_run = find(blocking, "argyle_call_run", c_int, c_void_p, ErrorSlot)
        self.call_error = find(quick, "argyle_call_error", c_void_p, c_void_p)
        self.call_body_text = find(quick, "argyle_call_body_text", c_void_p, c_void_p)
        self.call_body_size = find(quick, "argyle_call_body_size", c_size_t, c_void_p)
        self.call_unreadable = find(quick, "argyle_call_unreadable", c_void_p, c_void_p, c_char_p)
        self.call_free = find(blocking, "argyle_call_free", None, c_void_p)

        self.cursor_new_text = find(
            quick, "argyle_user_cursor_new_text", c_void_p, c_void_p, c_char_p, c_size_t, ErrorSlot
        )
        self.cursor_next_page_text = find(
            blocking, "argyle_user_cursor_next_page_text", c_void_p, c_void_p, POINTER(c_size_t), ErrorSlot
        )
        self.cursor_next_call = find(quick, "argyle_user_cursor_next_call", c_void_p, c_void_p, c_void_p, ErrorSlot)
        self.cursor_add_page = find(blocking, "argyle_user_cursor_add_page", c_int, c_void_p, c_void_p, ErrorSlot)
        self.cursor_unreadable = find(quick, "argyle_user_cursor_unreadable", c_void_p, c_void_p, c_char_p)
        self.cursor_free = find(blocking, "argyle_user_cursor_free", None, c_void_p)

        self.queue_new_text = find(quick, "argyle_queue_new_text", c_void_p, c_char_p, c_size_t, ErrorSlot)
        self.queue_submit = find(quick, "argyle_queue_submit", c_int, c_void_p, c_void_p, c_void_p, ErrorSlot)
        self.queue_fd = find(quick, "argyle_queue_fd", c_int, c_void_p, ErrorSlot)
        # Driving may call the log function, which acquires the GIL itself.
        self.queue_drive = find(blocking, "argyle_queue_drive", c_int, c_void_p, ErrorSlot)
        self.queue_next = find(quick, "argyle_queue_next", c_void_p, c_void_p, POINTER(c_void_p), ErrorSlot)
        self.queue_cancel = find(blocking, "argyle_queue_cancel", c_int, c_void_p, c_void_p, ErrorSlot)
        self.queue_cancel_all = find(blocking, "argyle_queue_cancel_all", c_int, c_void_p, ErrorSlot)
        self.queue_free = find(blocking, "argyle_queue_free", None, c_void_p)

        self.token_claims = find(quick, "argyle_token_claims", c_void_p, c_char_p, ErrorSlot)
        self.json_decref = find(quick, "argyle_json_decref", None, c_void_p)
        # From jansson, which libargyle depends on.
        self.json_loadb = find(quick, "json_loadb", c_void_p, c_char_p, c_size_t, c_size_t, c_void_p)
        self.json_dumpb = find(quick, "json_dumpb", c_size_t, c_void_p, c_char_p, c_size_t, c_size_t)


class SandboxLibrary:
    """The functions of libargyle-sandbox.so."""

    def __init__(self) -> None:
        blocking, quick = load("argyle-sandbox", "ARGYLE_SANDBOX_LIBRARY")
        self.error_message = find(quick, "argyle_sandbox_error_message", c_char_p, c_void_p)
        self.error_free = find(quick, "argyle_sandbox_error_free", None, c_void_p)
        self.start = find(blocking, "argyle_sandbox_start", c_void_p, c_void_p, ErrorSlot)
        self.url = find(quick, "argyle_sandbox_url", c_char_p, c_void_p)
        self.stop = find(blocking, "argyle_sandbox_stop", None, c_void_p)
        self.free = find(blocking, "argyle_sandbox_free", None, c_void_p)


_library: Optional[Library] = None
_sandbox_library: Optional[SandboxLibrary] = None
_lock = threading.Lock()


def library() -> Library:
    """Return the library, loaded on first use."""
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = Library()
    return _library


def sandbox_library() -> SandboxLibrary:
    """Return the sandbox library, loaded on first use: clients need neither it nor its dependencies."""
    global _sandbox_library
    if _sandbox_library is None:
        with _lock:
            if _sandbox_library is None:
                _sandbox_library = SandboxLibrary()
    return _sandbox_library
