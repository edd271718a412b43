#include "CPlatform.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

int argyle_unsent_bytes(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) == 0 ? count : 0;
}
