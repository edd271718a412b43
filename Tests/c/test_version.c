/* The section "Version" of argyle.h. */
#include "harness.h"

#include <stdio.h>

static void the_library_has_the_version_of_the_header_as_text(void **state) {
  (void)state;
  assert_string_equal(argyle_version(), ARGYLE_VERSION);
}

static void the_library_has_the_version_of_the_header_as_a_number(void **state) {
  (void)state;
  assert_int_equal(argyle_version_number(), ARGYLE_VERSION_NUMBER);
}

static void the_text_is_made_of_the_three_parts(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", ARGYLE_VERSION_MAJOR, ARGYLE_VERSION_MINOR, ARGYLE_VERSION_PATCH);
  assert_string_equal(ARGYLE_VERSION, text);
}

static void the_number_is_made_of_the_three_parts(void **state) {
  (void)state;
  assert_int_equal(ARGYLE_VERSION_NUMBER >> 16, ARGYLE_VERSION_MAJOR);
  assert_int_equal((ARGYLE_VERSION_NUMBER >> 8) & 0xff, ARGYLE_VERSION_MINOR);
  assert_int_equal(ARGYLE_VERSION_NUMBER & 0xff, ARGYLE_VERSION_PATCH);
}

static void the_text_is_constant(void **state) {
  (void)state;
  assert_ptr_equal(argyle_version(), argyle_version());
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_library_has_the_version_of_the_header_as_text),
    cmocka_unit_test(the_library_has_the_version_of_the_header_as_a_number),
    cmocka_unit_test(the_text_is_made_of_the_three_parts),
    cmocka_unit_test(the_number_is_made_of_the_three_parts),
    cmocka_unit_test(the_text_is_constant),
  };
  return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
