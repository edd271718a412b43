/*
 * JSON values of every kind as metadata, sent and received: valid JSON is returned unchanged, and invalid JSON is
 * refused.
 */
#include "hostile_server.h"
#include "sandbox.h"

typedef enum {
  IS_VALID,
  IS_BEYOND_JANSSON, /* JSON, but jansson cannot parse it */
  IS_INVALID
} json_verdict;

typedef struct {
  json_verdict verdict;
  const char *name;
  const char *text;
  size_t size;
} json_case;

#define VALID(name, text) {IS_VALID, name, text, sizeof(text) - 1}
#define BEYOND(name, text) {IS_BEYOND_JANSSON, name, text, sizeof(text) - 1}
#define INVALID(name, text) {IS_INVALID, name, text, sizeof(text) - 1}

/* A hexadecimal escape has any number of digits, so some texts are split after one. */
/* clang-format off */
static const json_case cases[] = {
  VALID("structure_null", "null"),
  VALID("structure_true", "true"),
  VALID("structure_false", "false"),
  VALID("structure_number", "7"),
  VALID("structure_string", "\"x\""),
  VALID("structure_empty_string", "\"\""),
  VALID("structure_empty_object", "{}"),
  VALID("structure_empty_array", "[]"),
  VALID("structure_blanks_around", " \t\r\n[ ] \n"),
  VALID("structure_newline_at_end", "{\"a\":1}\n"),
  VALID("structure_carriage_returns", "\r{\r\"a\"\r:\r1\r}\r"),
  VALID("structure_tabs", "\t[\t1\t,\t2\t]\t"),
  VALID("structure_many_blanks",
    "                                                            1                             "
    "                               "),
  VALID("array_one", "[1]"),
  VALID("array_of_null", "[null]"),
  VALID("array_of_all", "[null,true,false,-1,0.5,\"s\",[],{}]"),
  VALID("array_nested", "[[],[[]],[[[]]]]"),
  VALID("array_empty_string", "[\"\"]"),
  VALID("array_of_nulls", "[1,null,null,null,2]"),
  VALID("array_with_blanks", "[ 1 , 2 ]"),
  VALID("array_ends_with_newline", "[\"a\"\n]"),
  VALID("array_heterogeneous", "[1,\"1\",[1],{\"1\":1}]"),
  VALID("object_one", "{\"a\":\"b\"}"),
  VALID("object_empty_key", "{\"\":0}"),
  VALID("object_two", "{\"a\":1,\"b\":2}"),
  VALID("object_duplicate_key", "{\"a\":1,\"a\":2}"),
  VALID("object_duplicate_key_and_value", "{\"a\":1,\"a\":1}"),
  VALID("object_duplicate_by_escape", "{\"a\":1,\"\\u0061\":2}"),
  VALID("object_duplicates_apart", "{\"a\":1,\"b\":2,\"a\":3}"),
  VALID("object_nested", "{\"a\":{\"a\":{\"a\":{}}}}"),
  VALID("object_order", "{\"z\":1,\"a\":2,\"10\":3,\"9\":4}"),
  VALID("object_key_with_escapes", "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}"),
  VALID("object_key_of_blanks", "{\"  \":1}"),
  VALID("object_key_as_index", "{\"0\":{\"1\":2}}"),
  VALID("object_long_key",
    "{\"kkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkkkkkkkkkkkk"
    "kkkkkkkkkkkkkk\":1}"),
  VALID("object_key_in_utf8",
    "{\"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\":\"\xd0\xb7\xd0\xbd\xd0\xb0\xd1\x87\xd0\xb5\xd0"
    "\xbd\xd0\xb8\xd0\xb5\"}"),
  VALID("object_key_with_control_escaped", "{\"\\u0001\":1}"),
  VALID("object_key_with_surrogates", "{\"\\ud83d\\ude00\":1}"),
  VALID("object_keys_of_two_spellings", "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"),
  VALID("object_numbers", "{\"min\":-1.0e+28,\"max\":1.0e+28}"),
  VALID("object_newlines", "{\n\"a\":\n1\n}"),
  VALID("object_named_as_its_place", "{\"external_metadata\":{\"id\":1},\"results\":[],\"next\":null}"),
  VALID("object_prototype", "{\"__proto__\":{\"a\":1},\"constructor\":1}"),
  VALID("object_empty_strings", "{\"\":\"\"}"),
  VALID("number_zero", "0"),
  VALID("number_minus_zero", "-0"),
  VALID("number_minus_zero_fraction", "-0.0"),
  VALID("number_one_digit", "9"),
  VALID("number_minus_one", "-1"),
  VALID("number_large", "1234567890123456789"),
  VALID("number_int64_max", "9223372036854775807"),
  VALID("number_int64_min", "-9223372036854775808"),
  VALID("number_beyond_53_bits", "9007199254740993"),
  VALID("number_int32_beyond", "2147483648"),
  VALID("number_fraction", "0.5"),
  VALID("number_fraction_long", "0.1234567890123456789012345678901234567890"),
  VALID("number_fraction_zeros", "1.000"),
  VALID("number_tenth", "0.1"),
  VALID("number_third", "0.3333333333333333"),
  VALID("number_exponent", "1e2"),
  VALID("number_exponent_capital", "1E2"),
  VALID("number_exponent_plus", "1e+2"),
  VALID("number_exponent_minus", "1e-2"),
  VALID("number_exponent_zero", "1e0"),
  VALID("number_exponent_zeros", "1e007"),
  VALID("number_fraction_and_exponent", "123.456e78"),
  VALID("number_capital_plus", "1E+2"),
  VALID("number_capital_minus", "1E-2"),
  VALID("number_zero_exponent", "0e1"),
  VALID("number_zero_plus_exponent", "0e+1"),
  VALID("number_minus_fraction", "-123.123"),
  VALID("number_double_max", "1.7976931348623157e308"),
  VALID("number_double_min", "2.2250738585072014e-308"),
  VALID("number_double_smallest", "5e-324"),
  VALID("number_double_below", "1e-400"),
  VALID("number_double_below_minus", "-1e-400"),
  VALID("number_double_rounded", "123123.123123123123123123"),
  VALID("number_double_half_way", "9007199254740993.0"),
  VALID("number_exponent_of_zero_out_of_range", "0e999"),
  VALID("number_zeros_before_exponent", "0.00000000000000000000000000000000000000000000000000000000000000000000001"),
  VALID("number_integer_as_real", "100.0"),
  VALID("number_long_exponent", "1e-0000000000000000000000000000000000000000000000000000000000001"),
  VALID("number_after_blank", "[ 4]"),
  VALID("number_in_object", "{\"a\":-0.1e-1}"),
  VALID("number_many", "[0,-1,2.5,3e3]"),
  VALID("string_ascii", "\"az AZ 09 !#$%&'()*+,-./:;<=>?@[]^_`{|}~\""),
  VALID("string_escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
  VALID("string_solidus", "\"/ \\/\""),
  VALID("string_backslashes", "\"\\\\\\\\\""),
  VALID("string_backslash_and_u", "\"\\\\u0000\""),
  VALID("string_quote_at_end", "\"a\\\"\""),
  VALID("string_escaped_a", "\"\\u0061\""),
  VALID("string_hex_capitals", "\"\\u00E9\\uABCD\""),
  VALID("string_hex_small", "\"\\u00e9\\uabcd\""),
  VALID("string_nul_escaped", "\"\\u0000\""),
  VALID("string_nul_between", "\"a\\u0000b\""),
  VALID("string_control_escaped", "\"\\u0001\\u001f\""),
  VALID("string_del", "\"\x7f\""),
  VALID("string_escaped_del", "\"\\u007f\""),
  VALID("string_escaped_c1", "\"\\u0080\\u009f\""),
  VALID("string_pair", "\"\\ud83d\\ude00\""),
  VALID("string_pair_capitals", "\"\\uD834\\uDD1E\""),
  VALID("string_pair_first", "\"\\ud800\\udc00\""),
  VALID("string_pair_last", "\"\\udbff\\udfff\""),
  VALID("string_two_pairs", "\"\\ud83d\\ude00\\ud83d\\ude01\""),
  VALID("string_pair_and_text", "\"x\\ud83d\\ude00y\""),
  VALID("string_escaped_bom", "\"\\ufeff\""),
  VALID("string_escaped_noncharacters", "\"\\ufffe\\uffff\\ufdd0\""),
  VALID("string_escaped_pair_noncharacter", "\"\\udbff\\udffe\""),
  VALID("string_line_separators", "\"\xe2\x80\xa8\xe2\x80\xa9\""),
  VALID("string_escaped_line_separators", "\"\\u2028\\u2029\""),
  VALID("string_two_bytes", "\"\xc2\x80\xdf\xbf\""),
  VALID("string_three_bytes", "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
  VALID("string_four_bytes", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
  VALID("string_utf8_mixed", "\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
  VALID("string_bom_inside", "\"\xef\xbb\xbf\""),
  VALID("string_combining", "\"e\xcc\x81\xc3\xa9\""),
  VALID("string_right_to_left", "\"\xe2\x80\xae" "abc\xe2\x80\xac\""),
  VALID("string_private_use", "\"\xee\x80\x80\xf3\xb0\x80\x80\""),
  VALID("string_looks_like_comment", "\"/* a */ // b\""),
  VALID("string_looks_like_json", "\"{\\\"a\\\":[1]}\""),
  VALID("string_single_quotes", "\"''\""),
  VALID("string_blanks", "\"  a  \""),
  VALID("string_long",
    "\"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
    "901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
    "901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
    "901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
    "90123456789012345678901234567890123456789\""),
  VALID("string_escaped_long",
    "\"\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\\u00e9\\u00e9\\u00e9\\u00e"
    "9\""),
  VALID("string_reversed_solidus_u", "\"\\u005c\""),
  VALID("string_quote_as_u", "\"\\u0022\""),
  VALID("string_lower_case_e_with_digits", "\"1e400\""),
  VALID("string_sql", "\"'; DROP TABLE users; --\""),
  VALID("string_percent", "\"%s%n%00\""),

  BEYOND("number_integer_above_64_bits", "9223372036854775808"),
  BEYOND("number_integer_below_64_bits", "-9223372036854775809"),
  BEYOND("number_integer_of_30_digits", "123456789012345678901234567890"),
  BEYOND("number_integer_of_400_digits",
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "1111111111111111111111111111111111111111"),
  BEYOND("number_integer_minus_400_digits",
    "-99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
    "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
    "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
    "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
    "99999999999999999999999999999999999999999"),
  BEYOND("number_double_too_large", "1e400"),
  BEYOND("number_double_too_small", "-1e400"),
  BEYOND("number_double_just_too_large", "1.8e308"),
  BEYOND("number_double_of_long_exponent", "1e9999999999999999999999999999999999999999"),
  BEYOND("number_double_of_400_digits",
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
    "1111111111111111111111111111111111111111.5"),
  BEYOND("number_in_an_array", "[1,1e999]"),
  BEYOND("number_in_an_object", "{\"a\":18446744073709551616}"),
  BEYOND("string_lone_high", "\"\\ud800\""),
  BEYOND("string_lone_low", "\"\\udc00\""),
  BEYOND("string_lone_high_and_text", "\"\\ud83dx\""),
  BEYOND("string_lone_high_and_escape", "\"\\ud83d\\n\""),
  BEYOND("string_lone_high_and_other_escape", "\"\\ud83d\\u0061\""),
  BEYOND("string_two_highs", "\"\\ud83d\\ud83d\""),
  BEYOND("string_highs_and_low", "\"\\ud83d\\ud83d\\ude00\""),
  BEYOND("string_swapped", "\"\\ude00\\ud83d\""),
  BEYOND("string_lone_low_after_pair", "\"\\ud83d\\ude00\\ude00\""),
  BEYOND("string_lone_high_at_end", "\"a\\udbff\""),
  BEYOND("string_lone_low_in_array", "[\"\\udfff\"]"),
  BEYOND("string_lone_high_in_key", "{\"\\ud800\":1}"),
  BEYOND("object_nul_in_key", "{\"\\u0000\":1}"),
  BEYOND("object_nul_within_key", "{\"a\\u0000b\":1}"),
  BEYOND("object_nul_in_nested_key", "[{\"a\":{\"\\u0000\":[]}}]"),

  INVALID("structure_empty", ""),
  INVALID("structure_blank", " "),
  INVALID("structure_blanks", " \t\r\n"),
  INVALID("structure_open_array", "["),
  INVALID("structure_open_object", "{"),
  INVALID("structure_close_array", "]"),
  INVALID("structure_close_object", "}"),
  INVALID("structure_array_closed_as_object", "[1}"),
  INVALID("structure_object_closed_as_array", "{\"a\":1]"),
  INVALID("structure_array_twice_closed", "[1]]"),
  INVALID("structure_object_twice_closed", "{\"a\":1}}"),
  INVALID("structure_two_values", "1 2"),
  INVALID("structure_two_objects", "{}{}"),
  INVALID("structure_two_arrays", "[][]"),
  INVALID("structure_two_lines", "1\n2"),
  INVALID("structure_value_and_comma", "1,"),
  INVALID("structure_comma_and_value", ",1"),
  INVALID("structure_comma", ","),
  INVALID("structure_colon", ":"),
  INVALID("structure_value_and_text", "{\"a\":1}x"),
  INVALID("structure_value_and_hash", "{\"a\":1}#"),
  INVALID("structure_value_and_comment", "{\"a\":1}/**/"),
  INVALID("structure_comment", "/* a */1"),
  INVALID("structure_comment_line", "1 // a"),
  INVALID("structure_comment_hash", "#\n1"),
  INVALID("structure_comment_inside", "[1/**/,2]"),
  INVALID("structure_single_quotes", "'a'"),
  INVALID("structure_text", "abc"),
  INVALID("structure_star", "*"),
  INVALID("structure_angle", "<null>"),
  INVALID("structure_html", "<html></html>"),
  INVALID("structure_xml", "<?xml version=\"1.0\"?><a/>"),
  INVALID("structure_javascript", "function(){}"),
  INVALID("structure_call", "callback({\"a\":1})"),
  INVALID("structure_prefix", ")]}',\n{}"),
  INVALID("structure_assignment", "a=1"),
  INVALID("structure_yaml", "a: 1"),
  INVALID("structure_lone_quote", "\""),
  INVALID("structure_lone_backslash", "\\"),
  INVALID("structure_escape_outside", "\\u0061"),
  INVALID("structure_escaped_quotes", "\\\"a\\\""),
  INVALID("structure_parentheses", "(1)"),
  INVALID("structure_semicolon", "1;"),
  INVALID("structure_ampersand", "&"),
  INVALID("structure_question_mark", "?"),
  INVALID("structure_underscore", "_"),
  INVALID("structure_open_mix", "[{\"a\":[{"),
  INVALID("structure_open_after_comma", "[1,"),
  INVALID("structure_object_open_after_colon", "{\"a\":"),
  INVALID("structure_object_open_after_key", "{\"a\""),
  INVALID("structure_object_open_after_comma", "{\"a\":1,"),
  INVALID("structure_splice", "1},\"x\":{\"a\":1"),
  INVALID("structure_splice_member", "1,\"x\":2"),
  INVALID("structure_base64", "e30="),
  INVALID("structure_query", "a=1&b=2"),
  INVALID("byte_nul", "\x00"),
  INVALID("byte_nul_after_number", "1\x00"),
  INVALID("byte_nul_after_literal", "true\x00"),
  INVALID("byte_nul_after_string", "\"a\"\x00"),
  INVALID("byte_nul_after_object", "{}\x00"),
  INVALID("byte_nul_before", "\x00" "1"),
  INVALID("byte_nul_in_array", "[1\x00]"),
  INVALID("byte_nul_in_object", "{\"a\":1\x00,\"b\":2}"),
  INVALID("byte_nul_after_colon", "{\"a\":\x00" "1}"),
  INVALID("byte_nul_after_literal_in_array", "[null\x00,1]"),
  INVALID("byte_nul_and_garbage", "1\x00x"),
  INVALID("byte_bom", "\xef\xbb\xbf" "1"),
  INVALID("byte_bom_and_object", "\xef\xbb\xbf{}"),
  INVALID("byte_bom_alone", "\xef\xbb\xbf"),
  INVALID("byte_bom_cut", "\xef\xbb{}"),
  INVALID("byte_bom_at_end", "{}\xef\xbb\xbf"),
  INVALID("byte_utf16le", "\xff\xfe" "1\x00"),
  INVALID("byte_utf16be", "\xfe\xff\x00" "1"),
  INVALID("byte_utf16_without_bom", "\x00[\x00]"),
  INVALID("byte_utf32", "1\x00\x00\x00"),
  INVALID("byte_no_break_space", "\xc2\xa0" "1"),
  INVALID("byte_wide_space", "\xe3\x80\x80" "1"),
  INVALID("byte_zero_width_space", "1\xe2\x80\x8b"),
  INVALID("byte_line_separator", "1\xe2\x80\xa8"),
  INVALID("byte_next_line", "\xc2\x85" "1"),
  INVALID("byte_form_feed", "[\x0c" "1]"),
  INVALID("byte_vertical_tab", "[\x0b" "1]"),
  INVALID("byte_escape_character", "\x1b" "1"),
  INVALID("byte_backspace", "1\x08"),
  INVALID("byte_del", "\x7f" "1"),
  INVALID("byte_high_byte", "\xff"),
  INVALID("byte_high_byte_after", "1\xff"),
  INVALID("byte_continuation_after", "[1]\x80"),
  INVALID("byte_substitute", "1\x1a"),
  INVALID("array_comma_at_end", "[1,]"),
  INVALID("array_comma_at_beginning", "[,1]"),
  INVALID("array_comma_alone", "[,]"),
  INVALID("array_comma_twice", "[1,,2]"),
  INVALID("array_commas_at_end", "[1,,]"),
  INVALID("array_no_comma", "[1 2]"),
  INVALID("array_no_comma_between_arrays", "[[][]]"),
  INVALID("array_no_comma_strings", "[\"a\"\"b\"]"),
  INVALID("array_colon", "[1:2]"),
  INVALID("array_colon_after_string", "[\"a\":1]"),
  INVALID("array_semicolon", "[1;2]"),
  INVALID("array_inner_open", "[1,[2]"),
  INVALID("array_literal_open", "[true"),
  INVALID("array_number_open", "[1"),
  INVALID("array_string_open", "[\"a"),
  INVALID("array_newline_open", "[\"a\"\n"),
  INVALID("array_text", "[a]"),
  INVALID("array_star", "[*]"),
  INVALID("array_ellipsis", "[1,...]"),
  INVALID("array_missing_open", "1]"),
  INVALID("array_double_open", "[[1]"),
  INVALID("array_invalid_utf8", "[\"\xff\"]"),
  INVALID("object_comma_at_end", "{\"a\":1,}"),
  INVALID("object_comma_at_beginning", "{,\"a\":1}"),
  INVALID("object_comma_alone", "{,}"),
  INVALID("object_comma_twice", "{\"a\":1,,\"b\":2}"),
  INVALID("object_commas_at_end", "{\"a\":1,,,}"),
  INVALID("object_no_comma", "{\"a\":1 \"b\":2}"),
  INVALID("object_no_colon", "{\"a\" 1}"),
  INVALID("object_no_value", "{\"a\":}"),
  INVALID("object_no_key", "{:1}"),
  INVALID("object_colon_twice", "{\"a\"::1}"),
  INVALID("object_comma_for_colon", "{\"a\",1}"),
  INVALID("object_equals", "{\"a\"=1}"),
  INVALID("object_arrow", "{\"a\"=>1}"),
  INVALID("object_key_alone", "{\"a\"}"),
  INVALID("object_value_alone", "{1}"),
  INVALID("object_key_unquoted", "{a:1}"),
  INVALID("object_key_single_quotes", "{'a':1}"),
  INVALID("object_key_number", "{1:1}"),
  INVALID("object_key_null", "{null:1}"),
  INVALID("object_key_true", "{true:1}"),
  INVALID("object_key_array", "{[]:1}"),
  INVALID("object_key_object", "{{}:1}"),
  INVALID("object_key_half_quoted", "{\"a:1}"),
  INVALID("object_key_other_half", "{a\":1}"),
  INVALID("object_key_with_bad_escape", "{\"\\x\":1}"),
  INVALID("object_key_with_control", "{\"\n\":1}"),
  INVALID("object_key_with_nul", "{\"\x00\":1}"),
  INVALID("object_key_with_bad_utf8", "{\"\xff\":1}"),
  INVALID("object_semicolon", "{\"a\":1;\"b\":2}"),
  INVALID("object_inner_open", "{\"a\":{\"b\":1}"),
  INVALID("object_comment", "{/**/\"a\":1}"),
  INVALID("object_comment_between", "{\"a\":/**/1}"),
  INVALID("object_comment_at_end", "{\"a\":1/**/}"),
  INVALID("object_value_and_more", "{\"a\":1 2}"),
  INVALID("object_comma_then_value", "{\"a\":1,2}"),
  INVALID("object_value_text", "{\"a\":b}"),
  INVALID("object_backtick", "{`a`:1}"),
  INVALID("number_leading_zero", "01"),
  INVALID("number_leading_zeros", "000"),
  INVALID("number_minus_leading_zero", "-01"),
  INVALID("number_minus", "-"),
  INVALID("number_minus_minus", "--1"),
  INVALID("number_minus_blank", "- 1"),
  INVALID("number_minus_text", "-a"),
  INVALID("number_plus", "+1"),
  INVALID("number_plus_zero", "+0"),
  INVALID("number_plus_plus", "++1"),
  INVALID("number_plus_minus", "+-1"),
  INVALID("number_dot", "."),
  INVALID("number_dot_first", ".5"),
  INVALID("number_minus_dot", "-.5"),
  INVALID("number_dot_last", "1."),
  INVALID("number_dot_dot", "1..2"),
  INVALID("number_two_dots", "1.2.3"),
  INVALID("number_dot_exponent", "1.e2"),
  INVALID("number_minus_dot_last", "-2."),
  INVALID("number_exponent_open", "1e"),
  INVALID("number_exponent_capital_open", "1E"),
  INVALID("number_exponent_plus_open", "1e+"),
  INVALID("number_exponent_minus_open", "1e-"),
  INVALID("number_exponent_twice", "1ee2"),
  INVALID("number_exponent_signs", "1e+-2"),
  INVALID("number_exponent_fraction", "1e2.5"),
  INVALID("number_exponent_text", "1ea"),
  INVALID("number_exponent_alone", "e1"),
  INVALID("number_exponent_first", "E+1"),
  INVALID("number_zero_exponent_open", "0e"),
  INVALID("number_fraction_exponent_open", "0.3e+"),
  INVALID("number_blank_in_number", "1 000"),
  INVALID("number_comma_in_number", "1,000"),
  INVALID("number_underscore", "1_000"),
  INVALID("number_apostrophe", "1'000"),
  INVALID("number_hexadecimal", "0x1F"),
  INVALID("number_hexadecimal_open", "0x"),
  INVALID("number_octal", "0o17"),
  INVALID("number_binary", "0b1"),
  INVALID("number_suffix", "1f"),
  INVALID("number_suffix_long", "1L"),
  INVALID("number_suffix_text", "1a"),
  INVALID("number_minus_suffix", "-1x"),
  INVALID("number_nan", "NaN"),
  INVALID("number_minus_nan", "-NaN"),
  INVALID("number_nan_small", "nan"),
  INVALID("number_infinity", "Infinity"),
  INVALID("number_minus_infinity", "-Infinity"),
  INVALID("number_plus_infinity", "+Infinity"),
  INVALID("number_inf", "Inf"),
  INVALID("number_minus_inf", "-inf"),
  INVALID("number_percent", "1%"),
  INVALID("number_currency", "$1"),
  INVALID("number_fraction_slash", "1/2"),
  INVALID("number_expression", "1+2"),
  INVALID("number_two_minus", "1-2"),
  INVALID("number_arabic_digits", "\xd9\xa1\xd9\xa2"),
  INVALID("number_fullwidth_digit", "\xef\xbc\x91"),
  INVALID("number_superscript", "1\xc2\xb2"),
  INVALID("number_unicode_minus", "\xe2\x88\x92" "1"),
  INVALID("number_exponent_unicode", "1\xd0\xb5" "2"),
  INVALID("number_minus_plus", "-+1"),
  INVALID("number_minus_exponent", "-e1"),
  INVALID("number_digits_and_quote", "1\""),
  INVALID("literal_nul_short", "nul"),
  INVALID("literal_null_long", "nulll"),
  INVALID("literal_null_capital", "Null"),
  INVALID("literal_null_capitals", "NULL"),
  INVALID("literal_true_short", "tru"),
  INVALID("literal_true_capital", "True"),
  INVALID("literal_true_long", "truee"),
  INVALID("literal_true_spelled", "treu"),
  INVALID("literal_false_short", "fals"),
  INVALID("literal_false_capital", "FALSE"),
  INVALID("literal_false_long", "falsey"),
  INVALID("literal_nil", "nil"),
  INVALID("literal_none", "None"),
  INVALID("literal_undefined", "undefined"),
  INVALID("literal_yes", "yes"),
  INVALID("literal_literals_joined", "truefalse"),
  INVALID("literal_null_and_digit", "null0"),
  INVALID("literal_n", "n"),
  INVALID("literal_t", "t"),
  INVALID("literal_f", "f"),
  INVALID("literal_true_open", "[tru]"),
  INVALID("literal_full_width", "\xef\xbd\x94rue"),
  INVALID("string_open", "\"a"),
  INVALID("string_open_escape", "\"\\"),
  INVALID("string_open_escaped_quote", "\"\\\""),
  INVALID("string_escape_x", "\"\\x41\""),
  INVALID("string_escape_a", "\"\\a\""),
  INVALID("string_escape_v", "\"\\v\""),
  INVALID("string_escape_e", "\"\\e\""),
  INVALID("string_escape_0", "\"\\0\""),
  INVALID("string_escape_digits", "\"\\101\""),
  INVALID("string_escape_quote_single", "\"\\'\""),
  INVALID("string_escape_blank", "\"\\ \""),
  INVALID("string_escape_capital_n", "\"\\N\""),
  INVALID("string_escape_capital_u", "\"\\U0061\""),
  INVALID("string_escape_newline", "\"\\\n\""),
  INVALID("string_escape_utf8", "\"\\\xc3\xa9\""),
  INVALID("string_escape_emoji", "\"\\\xf0\x9f\x98\x80\""),
  INVALID("string_u_open", "\"\\u\""),
  INVALID("string_u_one", "\"\\u1\""),
  INVALID("string_u_two", "\"\\u00\""),
  INVALID("string_u_three", "\"\\u00A\""),
  INVALID("string_u_no_hex", "\"\\u00g0\""),
  INVALID("string_u_plus", "\"\\u+061\""),
  INVALID("string_u_blank", "\"\\u 061\""),
  INVALID("string_u_braces", "\"\\u{61}\""),
  INVALID("string_u_minus", "\"\\u-001\""),
  INVALID("string_u_x", "\"\\u0x41\""),
  INVALID("string_u_end_of_text", "\"\\u00"),
  INVALID("string_pair_second_short", "\"\\ud800\\u1\""),
  INVALID("string_pair_second_open", "\"\\ud800\\u\""),
  INVALID("string_pair_second_no_hex", "\"\\ud834\\uDdxx\""),
  INVALID("string_pair_backslash", "\"\\ud800\\\""),
  INVALID("string_pair_escape_bad", "\"\\ud800\\x\""),
  INVALID("string_unquoted", "a"),
  INVALID("string_one_quote_behind", "a\""),
  INVALID("string_two_strings", "\"a\"\"b\""),
  INVALID("string_joined_by_plus", "\"a\"+\"b\""),
  INVALID("string_text_after", "\"a\"b"),
  INVALID("string_triple_quotes", "\"\"\"a\"\"\""),
  INVALID("string_single_quoted", "'a'"),
  INVALID("string_backticks", "`a`"),
  INVALID("string_curly_quotes", "\xe2\x80\x9c" "a\xe2\x80\x9d"),
  INVALID("string_tab", "\"\t\""),
  INVALID("string_newline", "\"\n\""),
  INVALID("string_carriage_return", "\"\r\""),
  INVALID("string_tab_in_array", "[\"a\tb\"]"),
  INVALID("string_newline_in_array", "[\"a\nb\"]"),
  INVALID("string_control_01", "\"a\x01" "b\""),
  INVALID("string_control_08", "\"a\x08" "b\""),
  INVALID("string_control_0b", "\"a\x0b" "b\""),
  INVALID("string_control_0c", "\"a\x0c" "b\""),
  INVALID("string_control_1b", "\"a\x1b" "b\""),
  INVALID("string_control_1f", "\"a\x1f" "b\""),
  INVALID("string_nul", "\"a\x00" "b\""),
  INVALID("string_nul_first", "\"\x00\""),
  INVALID("string_nul_after_escape", "\"\\\x00\""),
  INVALID("string_nul_in_u", "\"\\u00\x00" "00\""),
  INVALID("utf8_lone_continuation", "\"\x80\""),
  INVALID("utf8_lone_continuations", "\"\x80\xbf\""),
  INVALID("utf8_lead_alone", "\"\xc3\""),
  INVALID("utf8_lead_and_text", "\"\xc3" "a\""),
  INVALID("utf8_three_cut", "\"\xe2\x82\""),
  INVALID("utf8_three_cut_and_text", "\"\xe2\x82" "a\""),
  INVALID("utf8_four_cut", "\"\xf0\x9f\x98\""),
  INVALID("utf8_four_cut_at_two", "\"\xf0\x9f\""),
  INVALID("utf8_overlong_two", "\"\xc0\xaf\""),
  INVALID("utf8_overlong_two_high", "\"\xc1\xbf\""),
  INVALID("utf8_overlong_nul", "\"\xc0\x80\""),
  INVALID("utf8_overlong_three", "\"\xe0\x80\xaf\""),
  INVALID("utf8_overlong_three_high", "\"\xe0\x9f\xbf\""),
  INVALID("utf8_overlong_four", "\"\xf0\x80\x80\xaf\""),
  INVALID("utf8_overlong_four_high", "\"\xf0\x8f\xbf\xbf\""),
  INVALID("utf8_surrogate_high", "\"\xed\xa0\x80\""),
  INVALID("utf8_surrogate_low", "\"\xed\xbf\xbf\""),
  INVALID("utf8_surrogate_pair", "\"\xed\xa0\xbd\xed\xb8\x80\""),
  INVALID("utf8_above_unicode", "\"\xf4\x90\x80\x80\""),
  INVALID("utf8_lead_f5", "\"\xf5\x80\x80\x80\""),
  INVALID("utf8_five_bytes", "\"\xf8\x88\x80\x80\x80\""),
  INVALID("utf8_six_bytes", "\"\xfc\x84\x80\x80\x80\x80\""),
  INVALID("utf8_fe", "\"\xfe\""),
  INVALID("utf8_ff", "\"\xff\""),
  INVALID("utf8_latin1", "\"caf\xe9\""),
  INVALID("utf8_two_leads", "\"\xc3\xc3\xa9\""),
  INVALID("utf8_lead_and_quote", "\"\xc3\""),
};
/* clang-format on */

/* The sandbox is shared; each test has its own hostile server. A test's state is its case. */
static sandbox *service;
static hostile_fixture hostile;

/* ---------------------------------------------------------------- Helpers */

/* Concatenates three texts; NUL-terminated; the caller frees the result. */
static char *join(const char *before, const json_case *value, const char *after, size_t *size) {
  *size = strlen(before) + value->size + strlen(after);
  char *text = malloc(*size + 1);
  memcpy(text, before, strlen(before));
  memcpy(text + strlen(before), value->text, value->size);
  strcpy(text + strlen(before) + value->size, after);
  return text;
}

/* The member of an object with this value, without surrounding whitespace; the caller frees it. */
static char *member_text(const json_case *value) {
  static const char blanks[] = " \t\r\n";
  json_case trimmed = *value;
  for (; strchr(blanks, *trimmed.text) != NULL; trimmed.text++) {
    trimmed.size--;
  }
  while (strchr(blanks, trimmed.text[trimmed.size - 1]) != NULL) {
    trimmed.size--;
  }
  size_t size;
  return join("\"external_metadata\":", &trimmed, "", &size);
}

/* The value as jansson parses it; NULL if it cannot. */
static json_t *loaded(const json_case *value) {
  return json_loadb(value->text, value->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Runs a call and asserts that it succeeds. */
static argyle_call *run(argyle_client *client, int operation, const char *user_id, const json_case *value) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new_text(client, operation, user_id, value != NULL ? value->text : NULL,
                                           value != NULL ? value->size : 0, &error);
  if (call == NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  if (argyle_call_run(call, &error) != 0) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  return call;
}

/* Creates a user with this value, sent as text; the caller frees the id. */
static char *created_with_text(const json_case *value) {
  argyle_error *error = RUBBISH;
  argyle_call *call = run(service->client, ARGYLE_OPERATION_USER_CREATE, NULL, value);
  json_t *user = argyle_call_json(call, &error);
  assert_null(error);
  char *id = strdup(string_at(user, "id"));
  json_decref(user);
  argyle_call_free(call);
  return id;
}

static void assert_metadata(json_t *user, const json_t *expected) {
  assert_same_json(json_object_get(user, "external_metadata"), expected);
  json_decref(user);
}

/* The error of argyle_user_get() for an answer with this body. */
static argyle_error *error_of_answer(const char *body, size_t size) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(hostile.server, 200, "Content-Type: application/json\r\n", body, size);
  assert_null(argyle_user_get(hostile.client, "u1", &error));
  assert_int_equal(argyle_error_body_size(error), size);
  assert_memory_equal(argyle_error_body_text(error), body, size);
  return error;
}

/* ---------------------------------------------------------------- Tests */

/* As text, a value comes back byte for byte, after a create and after an update. */
static void assert_text_round_trip(const json_case *value) {
  char *id = created_with_text(value);
  char *member = member_text(value);
  argyle_call *call = run(service->client, ARGYLE_OPERATION_USER_GET, id, NULL);
  assert_non_null(strstr(argyle_call_body_text(call), member));
  argyle_call_free(call);
  static const json_case other = VALID("other", "[\"other\"]");
  argyle_call_free(run(service->client, ARGYLE_OPERATION_USER_UPDATE, id, &other));
  call = run(service->client, ARGYLE_OPERATION_USER_UPDATE, id, value);
  assert_non_null(strstr(argyle_call_body_text(call), member));
  argyle_call_free(call);
  free(member);
  free(id);
}

static void a_valid_value(void **state) {
  const json_case *value = *state;
  argyle_error *error = RUBBISH;
  assert_text_round_trip(value);

  json_t *metadata = loaded(value);
  assert_non_null(metadata);
  char *id = created_with_text(value);
  assert_metadata(argyle_user_get(service->client, id, &error), metadata);
  assert_metadata(argyle_user_update(service->client, id, metadata, &error), metadata);
  free(id);
  json_t *created = argyle_user_create(service->client, metadata, &error);
  assert_null(error);
  assert_metadata(argyle_user_get(service->client, string_at(created, "id"), &error), metadata);
  json_decref(created);

  size_t size;
  char *body = join("{\"id\":\"u1\",\"external_metadata\":", value, "}", &size);
  hostile_server_answer_http(hostile.server, 200, "", body, size);
  assert_metadata(argyle_user_get(hostile.client, "u1", &error), metadata);
  assert_null(error);
  free(body);
  /* The value alone is valid JSON too, but not a user. */
  bool is_object = json_is_object(metadata);
  json_decref(metadata);
  error = error_of_answer(value->text, value->size);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, is_object ? "has no string \"id\"" : "is not a JSON object");
}

static void a_value_beyond_jansson(void **state) {
  const json_case *value = *state;
  argyle_error *error = RUBBISH;
  assert_null(loaded(value));
  assert_text_round_trip(value);
  char *id = created_with_text(value);
  assert_null(argyle_user_get(service->client, id, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "cannot be parsed as JSON");
  free(id);

  size_t size;
  char *body = join("{\"id\":\"u1\",\"external_metadata\":", value, "}", &size);
  error = error_of_answer(body, size);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "cannot be parsed as JSON");
  free(body);
}

static void an_invalid_value(void **state) {
  const json_case *value = *state;
  argyle_error *error = RUBBISH;
  int requests = hostile_server_requests(hostile.server);
  assert_null(argyle_call_new_text(hostile.client, ARGYLE_OPERATION_USER_CREATE, NULL, value->text, value->size,
                                   &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "external_metadata must be one JSON value");
  assert_null(argyle_call_new_text(hostile.client, ARGYLE_OPERATION_USER_UPDATE, "u1", value->text, value->size,
                                   &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "external_metadata must be one JSON value");
  assert_int_equal(hostile_server_requests(hostile.server), requests);

  error = error_of_answer(value->text, value->size);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, value->size > 0 ? "cannot be parsed as JSON" : "is empty");
}

/* ---------------------------------------------------------------- Depth */

static void a_hundred_thousand_brackets_are_refused(void **state) {
  (void)state;
  static const char *const opens[] = {"[", "{\"a\":", "[{\"a\":"};
  for (size_t i = 0; i < COUNT(opens); i++) {
    size_t length = strlen(opens[i]), size = 100000 * length;
    char *text = malloc(size);
    for (size_t at = 0; at < size; at += length) {
      memcpy(text + at, opens[i], length);
    }
    argyle_error *error = RUBBISH;
    assert_null(argyle_call_new_text(hostile.client, ARGYLE_OPERATION_USER_CREATE, NULL, text, size, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "deeper than 2044 levels");
    error = error_of_answer(text, size);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, "depth");
    free(text);
  }
}

/* `levels` nested arrays. */
static json_case brackets(size_t levels) {
  char *text = malloc(2 * levels);
  memset(text, '[', levels);
  memset(text + levels, ']', levels);
  return (json_case){IS_VALID, "brackets", text, 2 * levels};
}

static void the_deepest_allowed_value_is_valid(void **state) {
  (void)state;
  json_case value = brackets(2044);
  void *given = &value;
  a_valid_value(&given);
  free((char *)value.text);
}

static void a_deeper_value_is_parsed_but_not_sent(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  json_case value = brackets(2045);
  assert_null(argyle_call_new_text(hostile.client, ARGYLE_OPERATION_USER_CREATE, NULL, value.text, value.size, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "deeper than 2044 levels");
  json_t *metadata = loaded(&value);
  assert_null(argyle_user_create(hostile.client, metadata, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "deeper than 2044 levels");
  size_t size;
  char *body = join("{\"id\":\"u1\",\"external_metadata\":", &value, "}", &size);
  hostile_server_answer_http(hostile.server, 200, "", body, size);
  assert_metadata(argyle_user_get(hostile.client, "u1", &error), metadata);
  free(body);
  json_decref(metadata);
  free((char *)value.text);
}

/* ---------------------------------------------------------------- */

static int start_service(void **state) {
  (void)state;
  service = sandbox_start();
  return service != NULL ? 0 : -1;
}

static int stop_service(void **state) {
  (void)state;
  sandbox_stop(service);
  return 0;
}

static int start_hostile(void **state) {
  (void)state;
  hostile.server = hostile_server_start();
  hostile.client = client_for(hostile_server_url(hostile.server));
  return 0;
}

static int stop_hostile(void **state) {
  (void)state;
  argyle_client_free(hostile.client);
  hostile_server_stop(hostile.server);
  return 0;
}

int main(void) {
  static void (*const functions[])(void **) = {
    [IS_VALID] = a_valid_value,
    [IS_BEYOND_JANSSON] = a_value_beyond_jansson,
    [IS_INVALID] = an_invalid_value,
  };
  const struct CMUnitTest depths[] = {
    cmocka_unit_test_setup_teardown(a_hundred_thousand_brackets_are_refused, start_hostile, stop_hostile),
    cmocka_unit_test_setup_teardown(the_deepest_allowed_value_is_valid, start_hostile, stop_hostile),
    cmocka_unit_test_setup_teardown(a_deeper_value_is_parsed_but_not_sent, start_hostile, stop_hostile),
  };
  struct CMUnitTest tests[COUNT(cases) + COUNT(depths)];
  for (size_t i = 0; i < COUNT(cases); i++) {
    tests[i] = (struct CMUnitTest){cases[i].name, functions[cases[i].verdict], start_hostile, stop_hostile,
                                   (void *)&cases[i]};
  }
  memcpy(tests + COUNT(cases), depths, sizeof depths);
  return cmocka_run_group_tests_name("json_values", tests, start_service, stop_service);
}
