// jansson's functions, whatever else is in the process.
//
// json-c and some hosts, such as PostgreSQL, export functions with the same names: a reference to json_object may be
// bound to theirs. Swift therefore calls jansson only through these declarations.
#ifndef ARGYLE_CJANSSON_H
#define ARGYLE_CJANSSON_H

#include <jansson.h>

#define ARGYLE_JANSSON_FUNCTIONS(F) \
  F(json_array) F(json_array_append_new) F(json_array_get) F(json_array_size) F(json_delete) F(json_dump_callback) \
  F(json_false) F(json_integer) F(json_integer_value) F(json_loadb) F(json_null) F(json_number_value) \
  F(json_object) F(json_object_get) F(json_object_iter) F(json_object_iter_key) F(json_object_iter_key_len) \
  F(json_object_iter_next) F(json_object_iter_value) F(json_object_set_new) F(json_object_setn_new_nocheck) \
  F(json_real) F(json_real_value) F(json_string_length) F(json_string_value) F(json_stringn_nocheck) F(json_true)

// The functions' addresses: set when the library is loaded, constant afterwards.
struct argyle_jansson {
#define ARGYLE_JANSSON_FIELD(name) __typeof__(name) *name;
  ARGYLE_JANSSON_FUNCTIONS(ARGYLE_JANSSON_FIELD)
#undef ARGYLE_JANSSON_FIELD
};
extern struct argyle_jansson argyle_jansson __attribute__((visibility("hidden")));

// The name of a function that could not be bound to jansson's; NULL if all were.
const char *argyle_jansson_unresolved(void);

// MARK: - References

static inline json_t *argyle_json_retain(json_t *value) { return json_incref(value); }

// Not json_decref, whose inline body calls json_delete directly.
static inline void argyle_json_release(json_t *value) {
  if (value != NULL && value->refcount != (size_t)-1 && JSON_INTERNAL_DECREF(value) == 0)
    argyle_jansson.json_delete(value);
}

// MARK: - Text

static inline json_t *argyle_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error) {
  return argyle_jansson.json_loadb(text, size, flags, error);
}
static inline int argyle_json_dump_callback(
    const json_t *value, json_dump_callback_t callback, void *context, size_t flags) {
  return argyle_jansson.json_dump_callback(value, callback, context, flags);
}

// Necessary because JSON_REAL_PRECISION is a macro with an argument. With 15 digits, 0.1 stays 0.1.
static inline size_t argyle_json_compact_flags(void) {
  return JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
}

// MARK: - Scalars

// Necessary because json_typeof and the json_is_… tests are macros.
static inline json_type argyle_json_type(const json_t *value) { return json_typeof(value); }

static inline json_t *argyle_json_null(void) { return argyle_jansson.json_null(); }
static inline json_t *argyle_json_true(void) { return argyle_jansson.json_true(); }
static inline json_t *argyle_json_false(void) { return argyle_jansson.json_false(); }
static inline json_t *argyle_json_integer(json_int_t value) { return argyle_jansson.json_integer(value); }
static inline json_t *argyle_json_real(double value) { return argyle_jansson.json_real(value); }
static inline json_t *argyle_json_stringn_nocheck(const char *text, size_t size) {
  return argyle_jansson.json_stringn_nocheck(text, size);
}
static inline json_int_t argyle_json_integer_value(const json_t *value) {
  return argyle_jansson.json_integer_value(value);
}
static inline double argyle_json_real_value(const json_t *value) { return argyle_jansson.json_real_value(value); }
static inline double argyle_json_number_value(const json_t *value) { return argyle_jansson.json_number_value(value); }
static inline const char *argyle_json_string_value(const json_t *value) {
  return argyle_jansson.json_string_value(value);
}
static inline size_t argyle_json_string_length(const json_t *value) { return argyle_jansson.json_string_length(value); }

// MARK: - Arrays

static inline json_t *argyle_json_array(void) { return argyle_jansson.json_array(); }
static inline size_t argyle_json_array_size(const json_t *array) { return argyle_jansson.json_array_size(array); }
static inline json_t *argyle_json_array_get(const json_t *array, size_t index) {
  return argyle_jansson.json_array_get(array, index);
}
static inline int argyle_json_array_append_new(json_t *array, json_t *value) {
  return argyle_jansson.json_array_append_new(array, value);
}

// MARK: - Objects

static inline json_t *argyle_json_object(void) { return argyle_jansson.json_object(); }
static inline json_t *argyle_json_object_get(const json_t *object, const char *key) {
  return argyle_jansson.json_object_get(object, key);
}
static inline int argyle_json_object_set_new(json_t *object, const char *key, json_t *value) {
  return argyle_jansson.json_object_set_new(object, key, value);
}
static inline int argyle_json_object_setn_new_nocheck(json_t *object, const char *key, size_t size, json_t *value) {
  return argyle_jansson.json_object_setn_new_nocheck(object, key, size, value);
}

// Necessary because the iteration macros are not imported, and json_object_iter takes a mutable object.
static inline void *argyle_json_object_first(const json_t *object) {
  return argyle_jansson.json_object_iter((json_t *)object);
}
static inline void *argyle_json_object_next(const json_t *object, void *iterator) {
  return argyle_jansson.json_object_iter_next((json_t *)object, iterator);
}
static inline const char *argyle_json_object_iter_key(void *iterator) {
  return argyle_jansson.json_object_iter_key(iterator);
}
static inline size_t argyle_json_object_iter_key_len(void *iterator) {
  return argyle_jansson.json_object_iter_key_len(iterator);
}
static inline json_t *argyle_json_object_iter_value(void *iterator) {
  return argyle_jansson.json_object_iter_value(iterator);
}

#endif
