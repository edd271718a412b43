// A log function that throws, or keeps the exception as argyle.h requires: `throwing throw` and `throwing keep`.
#include <argyle.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

struct kept {
  bool throws;
  std::exception_ptr exception;
};

static void work() { throw std::runtime_error("thrown in the log function"); }

extern "C" void take_record(int, const char *, const json_t *, void *context) {
  auto *kept = static_cast<struct kept *>(context);
  if (kept->throws) work();
  try {
    work();
  } catch (...) {
    kept->exception = std::current_exception();
  }
}

int main(int, char **arguments) {
  // Nothing listens there.
  json_t *options = json_pack("{s:s, s:s, s:s, s:i}", "key_id", "a", "key_secret", "b", "base_url", "http://127.0.0.1:1",
                              "max_retries", 0);
  kept kept = {std::strcmp(arguments[1], "throw") == 0, nullptr};
  argyle_client *client = argyle_client_new(options, nullptr);
  argyle_client *logging = argyle_client_with_log(client, take_record, &kept, nullptr);
  try {
    argyle_error *error = nullptr;
    argyle_user_get(logging, "u1", &error);
    std::printf("returned %s\n", argyle_error_name(error));
    argyle_error_free(error);
    if (kept.exception) std::rethrow_exception(kept.exception);
  } catch (const std::exception &exception) {
    std::printf("caught: %s\n", exception.what());
  }
  argyle_client_free(logging);
  argyle_client_free(client);
  json_decref(options);
}
