// jansson as it stands, for the linker's sake: it is used through CJansson.
#include <jansson.h>
