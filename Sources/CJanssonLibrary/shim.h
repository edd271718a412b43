// Only links jansson: Swift calls it through CJansson.
#include <jansson.h>
