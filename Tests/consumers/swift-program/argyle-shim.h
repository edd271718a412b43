#include <argyle.h>
