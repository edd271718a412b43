/* The section "Version" of argyle.h. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>

static void the_library_has_the_version_of_the_header_as_text(void **state) {
  (void)state;
  assert_string_equal(argyle_version(), ARGYLE_VERSION);
}

static void the_library_has_the_version_of_the_header_as_a_number(void **state) {
  (void)state;
  assert_int_equal(argyle_version_number(), ARGYLE_VERSION_NUMBER);
}

static void the_text_consists_of_the_three_parts(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", ARGYLE_VERSION_MAJOR, ARGYLE_VERSION_MINOR, ARGYLE_VERSION_PATCH);
  assert_string_equal(ARGYLE_VERSION, text);
}

static void the_number_consists_of_the_three_parts(void **state) {
  (void)state;
  assert_int_equal(ARGYLE_VERSION_NUMBER >> 16, ARGYLE_VERSION_MAJOR);
  assert_int_equal((ARGYLE_VERSION_NUMBER >> 8) & 0xff, ARGYLE_VERSION_MINOR);
  assert_int_equal(ARGYLE_VERSION_NUMBER & 0xff, ARGYLE_VERSION_PATCH);
}

static void the_text_is_constant(void **state) {
  (void)state;
  assert_ptr_equal(argyle_version(), argyle_version());
}

static void the_library_fits_its_own_header(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_int_equal(argyle_check_version(ARGYLE_VERSION_NUMBER, &error), 0);
  assert_null(error);
  assert_int_equal(argyle_check_version(ARGYLE_VERSION_NUMBER, NULL), 0);
}

/* The rule itself is tested in Swift, for other versions of the library. */
static void an_incompatible_header_is_refused_with_both_versions(void **state) {
  (void)state;
  static const struct {
    int version;
    const char *text;
  } headers[] = {
    {ARGYLE_VERSION_NUMBER + 1, "0.1.1"},
    {0x000200, "0.2.0"},
    {0x000000, "0.0.0"},
    {0x010100, "1.1.0"},
    {0x7fffffff, "32767.255.255"},
    {-1, NULL},
    {INT_MIN, NULL},
  };
  for (size_t i = 0; i < COUNT(headers); i++) {
    argyle_error *error = RUBBISH;
    assert_int_equal(argyle_check_version(headers[i].version, &error), -1);
    assert_error(error, ARGYLE_ERROR_ARGUMENT, headers[i].text);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, ARGYLE_VERSION);
    assert_int_equal(argyle_check_version(headers[i].version, NULL), -1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_library_has_the_version_of_the_header_as_text),
    cmocka_unit_test(the_library_has_the_version_of_the_header_as_a_number),
    cmocka_unit_test(the_text_consists_of_the_three_parts),
    cmocka_unit_test(the_number_consists_of_the_three_parts),
    cmocka_unit_test(the_text_is_constant),
    cmocka_unit_test(the_library_fits_its_own_header),
    cmocka_unit_test(an_incompatible_header_is_refused_with_both_versions),
  };
  return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
