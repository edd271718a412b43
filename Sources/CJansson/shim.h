// jansson, with what Swift cannot import as it stands.
#ifndef ARGYLE_CJANSSON_SHIM_H
#define ARGYLE_CJANSSON_SHIM_H

#include <jansson.h>

// Necessary because json_decref's inline body calls json_delete, and Swift imports the function with a
// mutable argument only: one name for both directions keeps call sites plain.
static inline json_t *argyle_json_retain(json_t *value) { return json_incref(value); }
static inline void argyle_json_release(json_t *value) { json_decref(value); }

// Necessary because json_typeof and the json_is_… tests are macros.
static inline json_type argyle_json_type(const json_t *value) { return json_typeof(value); }

// Necessary because the iteration macros do not import, and json_object_iter takes a mutable object.
static inline void *argyle_json_object_first(const json_t *object) { return json_object_iter((json_t *)object); }
static inline void *argyle_json_object_next(const json_t *object, void *iterator) {
  return json_object_iter_next((json_t *)object, iterator);
}

// Necessary because JSON_REAL_PRECISION is a macro with an argument. Fifteen digits leave 0.1 as it was.
static inline size_t argyle_json_compact_flags(void) {
  return JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
}

#endif
