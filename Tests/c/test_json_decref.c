/* The section "JSON" of argyle.h. */
#include "harness.h"

static void a_reference_is_released(void **state) {
  (void)state;
  json_t *value = json_pack("{s: [i]}", "a", 1);
  json_incref(value);
  argyle_json_decref(value);
  assert_int_equal(value->refcount, 1);
  assert_json(value, "{\"a\": [1]}");
  /* The last one releases the value: memory checkers would report a leak. */
  json_t *array = json_object_get(value, "a");
  json_incref(array);
  argyle_json_decref(value);
  assert_int_equal(array->refcount, 1);
  argyle_json_decref(array);
}

static void null_and_constants_are_left_alone(void **state) {
  (void)state;
  argyle_json_decref(NULL);
  argyle_json_decref(json_true());
  assert_true(json_is_true(json_true()));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_reference_is_released),
    cmocka_unit_test(null_and_constants_are_left_alone),
  };
  return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
