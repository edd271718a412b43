// Necessary because dl_iterate_phdr is a GNU extension, which must be enabled before the first header.
#define _GNU_SOURCE
#include "CJansson.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>

// The addresses that the linker bound, which are wrong if another library exports the same names.
struct argyle_jansson argyle_jansson = {
#define ADDRESS(name) .name = name,
    ARGYLE_JANSSON_FUNCTIONS(ADDRESS)};

static const char *const names[] = {
#define NAME(name) #name,
    ARGYLE_JANSSON_FUNCTIONS(NAME)};

// The program or library that contains jansson.
struct object {
  // An address in it.
  uintptr_t address;
  // Its address range; `end` is 0 until it is found.
  uintptr_t start, end;
  // Its file name as the loader knows it; empty for the program.
  const char *file;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *context) {
  struct object *object = context;
  uintptr_t start = UINTPTR_MAX, end = 0;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    uintptr_t first = info->dlpi_addr + segment->p_vaddr, last = first + segment->p_memsz;
    if (first < start) start = first;
    if (last > end) end = last;
  }
  if (object->address < start || object->address >= end) return 0;
  object->start = start;
  object->end = end;
  object->file = info->dlpi_name;
  return 1;
}

static int contains(const struct object *object, const void *address) {
  return (uintptr_t)address >= object->start && (uintptr_t)address < object->end;
}

static const char *unresolved;

const char *argyle_jansson_unresolved(void) { return unresolved; }

// Rebinds functions that were bound elsewhere to those of jansson.
//
// jansson is located by the version text that jansson_version_str returns, a name that only jansson has. The function's
// own address would not do: a program may have a stub in its place. This runs before the constructors of a program that
// links the archive.
__attribute__((constructor(101))) static void bind_functions(void) {
  struct object jansson = {.address = (uintptr_t)jansson_version_str()};
  void **functions = (void **)&argyle_jansson, *handle = NULL;
  const size_t count = sizeof(names) / sizeof(names[0]);
  size_t unresolved_count = 0;
  dl_iterate_phdr(find_object, &jansson);
  for (size_t i = 0; i < count; i++) {
    if (contains(&jansson, functions[i])) continue;
    if (handle == NULL && jansson.file != NULL)
      handle = dlopen(jansson.file[0] == '\0' ? NULL : jansson.file, RTLD_LAZY | RTLD_NOLOAD);
    void *function = handle != NULL ? dlsym(handle, names[i]) : NULL;
    if (contains(&jansson, function))
      functions[i] = function;
    else {
      unresolved = names[i];
      unresolved_count++;
    }
  }
  // If most are elsewhere, jansson_version_str itself was not jansson's.
  if (unresolved_count > count / 2) unresolved = "jansson_version_str";
  if (handle != NULL) dlclose(handle);
}
