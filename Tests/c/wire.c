#include "wire.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

int connection_to(int port) {
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_true(connection >= 0);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
    close(connection);
    return -1;
  }
  return connection;
}

bool receive_until(int connection, const char *text, char *received, size_t size) {
  size_t count = 0;
  received[0] = '\0';
  while (strstr(received, text) == NULL) {
    ssize_t got = recv(connection, received + count, size - count - 1, 0);
    if (got <= 0) {
      return false;
    }
    count += (size_t)got;
    received[count] = '\0';
  }
  return true;
}
