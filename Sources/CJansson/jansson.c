// Necessary because dl_iterate_phdr is a GNU extension, which must be asked for before the first header.
#define _GNU_SOURCE
#include "CJansson.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>

// As the linkers bind them, which is right but for strangers of the same names.
struct argyle_jansson argyle_jansson = {
#define ADDRESS(name) .name = name,
    ARGYLE_JANSSON_FUNCTIONS(ADDRESS)};

static const char *const names[] = {
#define NAME(name) #name,
    ARGYLE_JANSSON_FUNCTIONS(NAME)};

// The program or library that jansson is part of.
struct home {
  // Something in it.
  uintptr_t address;
  // Where it is in memory; its end is 0 until it is found.
  uintptr_t start, end;
  // Its file, as the loader knows it, whatever it is called; empty for the program.
  const char *file;
};

static int find(struct dl_phdr_info *object, size_t size, void *context) {
  struct home *home = context;
  uintptr_t start = UINTPTR_MAX, end = 0;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    uintptr_t first = object->dlpi_addr + segment->p_vaddr, last = first + segment->p_memsz;
    if (first < start) start = first;
    if (last > end) end = last;
  }
  if (home->address < start || home->address >= end) return 0;
  home->start = start;
  home->end = end;
  home->file = object->dlpi_name;
  return 1;
}

static int is_in(const struct home *home, const void *address) {
  return (uintptr_t)address >= home->start && (uintptr_t)address < home->end;
}

static const char *stranger;

const char *argyle_jansson_stranger(void) { return stranger; }

// Looks for jansson's functions where jansson is, which a name tells that is its own. The text is asked for and not the
// function's address, because a program may have a stub in the function's place. It runs before the constructors of a
// program that links the archive.
__attribute__((constructor(101))) static void bind_functions(void) {
  struct home home = {.address = (uintptr_t)jansson_version_str()};
  void **functions = (void **)&argyle_jansson, *handle = NULL;
  const size_t count = sizeof(names) / sizeof(names[0]);
  size_t elsewhere = 0;
  dl_iterate_phdr(find, &home);
  for (size_t i = 0; i < count; i++) {
    if (is_in(&home, functions[i])) continue;
    if (handle == NULL && home.file != NULL)
      handle = dlopen(home.file[0] == '\0' ? NULL : home.file, RTLD_LAZY | RTLD_NOLOAD);
    void *function = handle != NULL ? dlsym(handle, names[i]) : NULL;
    if (is_in(&home, function))
      functions[i] = function;
    else {
      stranger = names[i];
      elsewhere++;
    }
  }
  // Where most are elsewhere, the text that was asked for is the stranger's.
  if (elsewhere > count / 2) stranger = "jansson_version_str";
  if (handle != NULL) dlclose(handle);
}
